import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SegmentAllocator, type Segment } from "../../../src/disk/space";
import { sectors } from "../../../src/units";
import { formatError, segment } from "./vectors";

const size = (n: number): ReturnType<typeof sectors> => sectors(BigInt(n));
const allocator = (limit: number, ...used: Segment[]): SegmentAllocator =>
  new SegmentAllocator(size(limit), used);

test("from the front: lowest first, in several pieces, no more than there is", () => {
  const space = allocator(100, segment(0, 10), segment(20, 10), segment(50, 10));
  assert.equal(space.availableSectors, 70n);
  assert.deepEqual(space.allocateFront(size(5)), [segment(10, 5)]);
  assert.deepEqual(space.allocateFront(size(10)), [segment(15, 5), segment(30, 5)]);
  assert.deepEqual(space.allocateFront(size(1000)), [segment(35, 15), segment(60, 40)]);
  assert.deepEqual(space.allocateFront(size(1)), []);
  assert.equal(space.availableSectors, 0n);
});

test("from the back: ends of the highest first, given in ascending order", () => {
  const space = allocator(100, segment(0, 10), segment(20, 10), segment(50, 10));
  assert.deepEqual(space.allocateBack(size(15)), [segment(85, 15)]);
  assert.deepEqual(space.allocateBack(size(30)), [segment(45, 5), segment(60, 25)]);
  assert.deepEqual(space.allocateBack(size(0)), []);
  assert.deepEqual(space.allocateBack(size(1000)), [segment(10, 10), segment(30, 15)]);
});

test("the integrity reservation of on-disk-format.md §18.3", () => {
  const space = new SegmentAllocator(sectors(20_971_520n), [segment(0, 8192)]);
  assert.deepEqual(space.allocateBack(sectors(589_832n)), [segment(20_381_688, 589_832)]);
  assert.deepEqual(space.allocateFront(sectors(20_371_456n)), [segment(8192, 20_371_456)]);
  assert.equal(space.availableSectors, 2040n);
});

test("used ranges may come in any order, touch, or be empty", () => {
  const space = allocator(
    100,
    segment(50, 50),
    segment(0, 25),
    segment(25, 25),
    segment(70, 0),
    segment(1000, 0),
  );
  assert.equal(space.availableSectors, 0n);
});

test("used ranges that overlap or reach beyond the device are refused", () => {
  for (const used of [
    [segment(0, 10), segment(9, 1)],
    [segment(5, 1), segment(0, 10)],
    [segment(3, 3), segment(3, 3)],
  ])
    assert.throws(() => allocator(100, ...used), formatError(/used twice/));
  assert.throws(
    () => allocator(100, segment(99, 2)),
    formatError(/Sectors \[99, 101\).*device of 100 sectors/),
  );
  assert.throws(() => allocator(0, segment(0, 1)), formatError(/device of 0 sectors/));
  assert.throws(
    () =>
      new SegmentAllocator(sectors(2n ** 64n - 1n), [
        { start: sectors(2n ** 63n), length: sectors(2n ** 63n) },
      ]),
    formatError(/device of/),
  );
});

test("a grown device has more, and is not shrunk", () => {
  const space = allocator(100, segment(0, 100));
  space.grow(size(130));
  assert.deepEqual(space.allocateBack(size(10)), [segment(120, 10)]);
  assert.throws(() => {
    space.grow(size(129));
  }, RangeError);
  assert.equal(space.limit, 130n);
});

test("released segments can be had again; what is not in use can't be released", () => {
  const space = allocator(100, segment(0, 50));
  space.release([segment(10, 5), segment(45, 5)]);
  assert.deepEqual(space.allocateFront(size(20)), [segment(10, 5), segment(45, 15)]);
  for (const wrong of [[segment(90, 1)], [segment(59, 2)], [segment(0, 5), segment(4, 1)]])
    assert.throws(() => {
      space.release(wrong);
    }, RangeError);
  assert.equal(space.availableSectors, 40n, "a refused release changes nothing");
});

test("a clone goes its own way", () => {
  const space = allocator(100);
  const copy = space.clone();
  copy.allocateFront(size(60));
  assert.equal(space.availableSectors, 100n);
  assert.equal(copy.availableSectors, 40n);
});

test("against a model: a map of single sectors", () => {
  const step = fc.oneof(
    fc.record({ op: fc.constant("front" as const), want: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ op: fc.constant("back" as const), want: fc.integer({ min: 0, max: 40 }) }),
    fc.record({ op: fc.constant("release" as const), want: fc.nat() }),
    fc.record({ op: fc.constant("grow" as const), want: fc.integer({ min: 0, max: 10 }) }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 60 }), fc.array(step, { maxLength: 20 }), (limit, steps) => {
      const space = allocator(limit);
      const model: boolean[] = new Array<boolean>(limit).fill(false);
      const taken: Segment[] = [];
      for (const { op, want } of steps) {
        if (op === "grow") {
          space.grow(size(model.length + want));
          for (let added = 0; added < want; added += 1) model.push(false);
        } else if (op === "release") {
          const [back] = taken.splice(want % Math.max(taken.length, 1), 1);
          if (back === undefined) continue;
          space.release([back]);
          model.fill(false, Number(back.start), Number(back.start + back.length));
        } else {
          const free = model.flatMap((used, index) => (used ? [] : [index]));
          const expected = op === "front" ? free.slice(0, want) : free.slice(Math.max(free.length - want, 0));
          const pieces = op === "front" ? space.allocateFront(size(want)) : space.allocateBack(size(want));
          const got = pieces.flatMap(({ start, length }) =>
            Array.from({ length: Number(length) }, (_, index) => Number(start) + index),
          );
          assert.deepEqual(got, expected);
          for (const index of got) model[index] = true;
          taken.push(...pieces);
        }
        assert.equal(space.availableSectors, BigInt(model.filter((used) => !used).length));
      }
    }),
  );
});
