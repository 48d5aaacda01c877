import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  checkDestroy,
  checkSchedule,
  originsAfterDestroy,
  plannedReverts,
  type OriginAndMerge,
} from "../../../src/engine/revert";
import type { FilesystemUuid } from "../../../src/uuid";

const id = (text: string): FilesystemUuid => text as FilesystemUuid;

/** A filesystem whose uuid is its name. */
const filesystem = (name: string, origin: string | null = null, mergeScheduled = false): OriginAndMerge => ({
  uuid: id(name),
  name,
  origin: origin === null ? null : id(origin),
  mergeScheduled,
});

const doom = (...names: string[]): Set<FilesystemUuid> => new Set(names.map(id));

test("neither a scheduled snapshot nor its origin can be destroyed", () => {
  const all = [filesystem("o"), filesystem("s", "o", true), filesystem("t", "o")];
  assert.throws(() => {
    checkDestroy(all, doom("s"));
  }, /Filesystem s with UUID s is scheduled to be merged/);
  assert.throws(() => {
    checkDestroy(all, doom("t", "o"));
  }, /Snapshot s is scheduled to be merged into filesystem o/);
  checkDestroy(all, doom("t"));
});

test("a scheduled snapshot whose origin is gone hinders only its own destruction", () => {
  const all = [filesystem("s", "gone", true), filesystem("t")];
  checkDestroy(all, doom("t", "gone"));
});

test("snapshots of what is destroyed go to the nearest ancestor that stays", () => {
  const all = [filesystem("a"), filesystem("b", "a"), filesystem("c", "b"), filesystem("d", "c")];
  assert.deepEqual(originsAfterDestroy(all, doom("b")), new Map([[id("c"), id("a")]]));
  assert.deepEqual(originsAfterDestroy(all, doom("b", "c")), new Map([[id("d"), id("a")]]));
  assert.deepEqual(originsAfterDestroy(all, doom("a")), new Map([[id("b"), null]]));
  assert.deepEqual(originsAfterDestroy(all, doom("d")), new Map());
});

test("origins that go round in a circle end", () => {
  const all = [filesystem("a", "b"), filesystem("b", "a"), filesystem("c", "a")];
  assert.deepEqual(originsAfterDestroy(all, doom("a", "b")), new Map([[id("c"), null]]));
});

test("destroying together gives the origins that destroying one by one gives", () => {
  const forest = fc
    .array(fc.nat(), { minLength: 1, maxLength: 8 })
    .map((picks) =>
      picks.map((pick, index) =>
        filesystem(String(index), pick % (index + 1) === index ? null : String(pick % (index + 1))),
      ),
    );
  fc.assert(
    fc.property(forest, fc.infiniteStream(fc.boolean()), (all, coin) => {
      const doomed = new Set(all.map(({ uuid }) => uuid).filter(() => coin.next().value === true));
      const together = originsAfterDestroy(all, doomed);
      let left = all;
      for (const uuid of doomed) {
        const origins = originsAfterDestroy(left, new Set([uuid]));
        left = left
          .filter((entry) => entry.uuid !== uuid)
          .map((entry) => ({
            ...entry,
            origin: origins.has(entry.uuid) ? (origins.get(entry.uuid) ?? null) : entry.origin,
          }));
      }
      for (const { uuid, origin } of left) {
        const before = all.find((entry) => entry.uuid === uuid);
        assert.ok(before);
        assert.equal(together.has(uuid) ? together.get(uuid) : before.origin, origin);
        assert.ok(origin === null || !doomed.has(origin));
      }
    }),
  );
});

test("a revert can be scheduled and cancelled only for a snapshot", () => {
  const plain = filesystem("o");
  assert.throws(() => checkSchedule([plain], plain, true), /has no origin/);
  assert.throws(() => checkSchedule([plain], plain, false), /has no origin/);
});

test("an origin that is not there is none: nothing is scheduled for it, and what is can be cancelled", () => {
  const idle = filesystem("s", "gone");
  assert.throws(() => checkSchedule([idle, filesystem("o")], idle, true), /has no origin/);
  assert.throws(() => checkSchedule([idle, filesystem("o")], idle, false), /has no origin/);
  const scheduled = filesystem("s", "gone", true);
  assert.equal(checkSchedule([scheduled], scheduled, false), true);
});

test("scheduling says whether it changes anything", () => {
  const idle = filesystem("s", "o");
  const scheduled = filesystem("s", "o", true);
  assert.equal(checkSchedule([filesystem("o"), idle], idle, true), true);
  assert.equal(checkSchedule([filesystem("o"), idle], idle, false), false);
  assert.equal(checkSchedule([filesystem("o"), scheduled], scheduled, true), false);
  assert.equal(checkSchedule([filesystem("o"), scheduled], scheduled, false), true);
});

test("a filesystem takes part in one scheduled revert at most", () => {
  const snapshot = filesystem("s", "o");
  assert.throws(
    () => checkSchedule([filesystem("o", "x", true), snapshot], snapshot, true),
    /its origin o is itself scheduled/,
  );
  assert.throws(
    () => checkSchedule([filesystem("o"), snapshot, filesystem("t", "o", true)], snapshot, true),
    /t is scheduled to be merged into the same origin/,
  );
  assert.throws(
    () => checkSchedule([filesystem("o"), snapshot, filesystem("u", "s", true)], snapshot, true),
    /its own snapshot u is scheduled to be merged into it/,
  );
});

test("of the reverts that records ask for, those that stand alone are carried out", () => {
  const record = (name: string, origin: string | null = null, merge = false) => ({
    uuid: id(name),
    name,
    origin: origin === null ? null : id(origin),
    merge,
  });
  const planned = (...records: ReturnType<typeof record>[]) => {
    const { reverts, refused } = plannedReverts(records);
    return { done: reverts.map(({ origin, snapshot }) => `${snapshot.name}>${origin.name}`), refused };
  };
  const single = planned(
    record("fs"),
    record("snap", "fs", true),
    record("other", "fs"),
    record("deeper", "snap"),
  );
  assert.deepEqual(single, { done: ["snap>fs"], refused: [] });
  const refusals: [ReturnType<typeof record>[], RegExp][] = [
    [[record("fs", null, true)], /it has none/],
    [[record("snap", "gone", true)], /does not exist/],
    [[record("fs"), record("a", "fs", true), record("b", "fs", true)], /another snapshot/],
    [[record("fs"), record("a", "fs", true), record("b", "a", true)], /itself scheduled|of its own/],
    [[record("a", "b", true), record("b", "a", true)], /itself scheduled/],
    [[record("a", "a", true)], /itself scheduled/],
  ];
  for (const [records, reason] of refusals) {
    const { done, refused } = planned(...records);
    assert.deepEqual(done, []);
    assert.equal(refused.length, records.filter(({ merge }) => merge).length);
    for (const text of refused) assert.match(text, reason);
  }
  const mixed = planned(
    record("fs"),
    record("snap", "fs", true),
    record("x"),
    record("a", "x", true),
    record("b", "x", true),
  );
  assert.deepEqual(mixed.done, ["snap>fs"]);
});
