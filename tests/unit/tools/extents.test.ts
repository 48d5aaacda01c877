import assert from "node:assert/strict";
import { test } from "node:test";
import { ExtentMap } from "../../../src/tools/extents";
import { ToolError } from "../../../src/tools/tool";
import { sectors } from "../../../src/units";
import { segment } from "../disk/vectors";

const map = (from = 0n): ExtentMap => new ExtentMap("the device", sectors(from));

test("what is between extents is unused, the end is open", () => {
  const extents = map(5n)
    .add("b", [segment(30, 10)])
    .add("a", [segment(10, 20), segment(100, 1)]);
  assert.equal(
    extents.text(),
    "0: Use: unused                          5 +            5 =           10 sectors\n" +
      "1: Use: a                              10 +           20 =           30 sectors\n" +
      "2: Use: b                              30 +           10 =           40 sectors\n" +
      "3: Use: unused                         40 +           60 =          100 sectors\n" +
      "4: Use: a                             100 +            1 =          101 sectors\n",
  );
  assert.deepEqual(extents.overlaps(), []);
  assert.equal(extents.sum("a"), 21n);
  assert.equal(extents.sum("c"), 0n);
  assert.equal(map().text(), "");
});

test("overlaps", () => {
  const extents = map(20n).add("a", [segment(10, 100), segment(20, 5), segment(50, 60), segment(110, 1)]);
  const told = (start: number, length: number, end: number): string =>
    `${length} sectors at sector ${start} for a overlap what is in front of them, which extends to sector ${end}`;
  assert.deepEqual(extents.overlaps(), [told(10, 100, 20), told(20, 5, 110), told(50, 60, 110)]);
  assert.doesNotMatch(extents.text(), /unused/);
});

test("two extents that begin at one sector", () => {
  const extents = map().add("a", [segment(10, 5)]);
  assert.throws(
    () => extents.add("b", [segment(20, 1), segment(10, 7)]),
    (error) =>
      error instanceof ToolError &&
      error.message.startsWith("Key collision: 10 sectors already in extents table of the device, for a"),
  );
});
