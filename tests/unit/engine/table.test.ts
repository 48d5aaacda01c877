import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { InvariantError } from "../../../src/engine/errors";
import { NamedTable } from "../../../src/engine/table";

interface Item {
  uuid: string;
  name: string;
}

const tableOf = (...items: Item[]): NamedTable<string, Item> => {
  const table = new NamedTable<string, Item>();
  for (const item of items) table.insert(item);
  return table;
};

test("an item is found by its uuid and by its name", () => {
  const item = { uuid: "u1", name: "a" };
  const table = tableOf(item, { uuid: "u2", name: "b" });
  assert.equal(table.byUuid("u1"), item);
  assert.equal(table.byName("a"), item);
  assert.equal(table.byUuid("a"), undefined);
  assert.equal(table.byName("u1"), undefined);
  assert.equal(table.size, 2);
});

test("a collision of uuids or names is refused and leaves the table as it was", () => {
  const item = { uuid: "u1", name: "a" };
  const table = tableOf(item);
  assert.throws(() => {
    table.insert({ uuid: "u1", name: "b" });
  }, InvariantError);
  assert.throws(() => {
    table.insert({ uuid: "u2", name: "a" });
  }, InvariantError);
  assert.deepEqual([...table.values()], [item]);
  assert.equal(table.byName("b"), undefined);
  assert.equal(table.byUuid("u2"), undefined);
});

test("removing an item that is not there does nothing", () => {
  const table = tableOf({ uuid: "u1", name: "a" });
  table.remove("u2");
  assert.equal(table.size, 1);
});

test("a rename that fails leaves the old name", () => {
  const table = tableOf({ uuid: "u1", name: "a" });
  assert.throws(() => {
    table.rename("u1", () => {
      throw new Error("no");
    });
  }, /no/);
  assert.equal(table.byName("a")?.uuid, "u1");
});

test("the table follows a rename that fails after it took effect", async () => {
  const item = { uuid: "u1", name: "a" };
  const table = tableOf(item);
  await assert.rejects(
    table.renameWith("u1", () => {
      item.name = "b";
      return Promise.reject(new Error("the links were not announced"));
    }),
    /not announced/,
  );
  assert.equal(table.byName("a"), undefined);
  assert.equal(table.byName("b"), item);
});

test("an item has its old name until a rename that takes time is done", async () => {
  const item = { uuid: "u1", name: "a" };
  const table = tableOf(item);
  let finish: () => void = () => undefined;
  const renamed = table.renameWith(
    "u1",
    () =>
      new Promise((resolve) => {
        finish = () => {
          item.name = "b";
          resolve();
        };
      }),
  );
  assert.equal(table.byName("a"), item);
  finish();
  await renamed;
  assert.equal(table.byName("a"), undefined);
  assert.equal(table.byName("b"), item);
});

test("renaming something that is not in the table is a defect", () => {
  assert.throws(() => {
    tableOf().rename("u1", () => undefined);
  }, InvariantError);
});

test("lookups agree with the items after any history", () => {
  const key = fc.constantFrom("a", "b", "c", "d");
  const step = fc.record({ op: fc.constantFrom("insert", "remove", "rename"), uuid: key, name: key });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const table = new NamedTable<string, Item>();
      const model = new Map<string, string>();
      for (const { op, uuid, name } of steps) {
        const nameTaken = [...model.values()].includes(name);
        if (op === "insert" && !model.has(uuid) && !nameTaken) {
          table.insert({ uuid, name });
          model.set(uuid, name);
        } else if (op === "remove") {
          table.remove(uuid);
          model.delete(uuid);
        } else if (op === "rename" && model.has(uuid) && !nameTaken) {
          const item = table.byUuid(uuid);
          assert.ok(item);
          table.rename(uuid, () => {
            item.name = name;
          });
          model.set(uuid, name);
        }
      }
      assert.deepEqual(new Map([...table.values()].map(({ uuid, name }) => [uuid, name])), model);
      for (const name of ["a", "b", "c", "d"]) {
        const expected = [...model].find(([, known]) => known === name)?.[0];
        assert.equal(table.byName(name)?.uuid, expected);
      }
    }),
  );
});
