import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editDistance, nearNames } from "../../../../cli/hints/near";
import { alternatives, commandLine } from "../../../../cli/hints/shell";

test("the distance counts insertions, deletions, replacements and exchanges", () => {
  const cases: [string, string, number][] = [
    ["", "", 0],
    ["", "abc", 3],
    ["data", "dta", 1],
    ["data", "daat", 1],
    ["data", "date", 1],
    ["data", "xdatay", 2],
    ["kitten", "sitting", 3],
    ["漢字", "漢子", 1],
  ];
  for (const [left, right, distance] of cases)
    assert.equal(editDistance(left, right), distance, `${left} ${right}`);
});

test("the distance is a metric that no text is away from itself", () => {
  const short = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(short, short, (left, right) => {
      const distance = editDistance(left, right);
      assert.equal(distance, editDistance(right, left));
      assert.equal(distance === 0, left === right);
      assert.ok(distance <= Math.max(Array.from(left).length, Array.from(right).length));
    }),
  );
});

test("near names are few and nearest first", () => {
  assert.deepEqual(nearNames("data", ["vault", "date", "Data", "data"]), ["Data", "date"]);
  assert.deepEqual(nearNames("x", ["abc"]), []);
  assert.deepEqual(nearNames("backup", ["bakcup", "backups", "backup2", "backup3"]).length, 3);
});

test("commands can be pasted into a shell", () => {
  assert.equal(
    commandLine("stratis", "pool", "start", "--name", "it's a b"),
    "stratis pool start --name 'it'\\''s a b'",
  );
  assert.equal(commandLine("a", "漢字", ""), "a 漢字 ''");
  assert.equal(alternatives(["a", "b", "c"]), '"a", "b" or "c"');
});
