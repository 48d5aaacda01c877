import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  isLinearPrefix,
  linearTable,
  linearTablesEqual,
  parseLinearTable,
  type LinearSegment,
} from "../../../src/dm/linear";
import { sectors } from "../../../src/units";
import { anyDevice, assertOnlyFormatErrors, dmError, line } from "./lines";

const segment = (minor: number, start: number, length: number): LinearSegment => ({
  device: { major: 253, minor },
  start: sectors(BigInt(start)),
  length: sectors(BigInt(length)),
});

test("the two-disk table of devicemapper.md §2.4, example C", () => {
  const segments = [segment(0, 8192, 20_930_560), segment(1, 8192, 20_930_560)];
  const table = [
    line("linear", "253:0 8192", 20_930_560n),
    line("linear", "253:1 8192", 20_930_560n, 20_930_560n),
  ];
  assert.deepEqual(linearTable(segments), table);
  assert.deepEqual(parseLinearTable(table), segments);
  assert.deepEqual(linearTable([]), []);
  assert.deepEqual(parseLinearTable([]), []);
});

test("lines must follow one another and be linear", () => {
  assert.throws(
    () => parseLinearTable([line("linear", "253:0 0", 10n, 5n)]),
    dmError(/does not start at sector 0/),
  );
  assert.throws(
    () => parseLinearTable([line("linear", "253:0 0", 10n), line("linear", "253:0 0", 10n, 11n)]),
    dmError(/does not start at sector 10/),
  );
  assert.throws(() => parseLinearTable([line("linear", "253:0")]), dmError(/ends where the start sector/));
  assert.throws(() => parseLinearTable([line("linear", "253:0 1 2")]), dmError(/"2" follows/));
  assert.deepEqual(parseLinearTable([line("linear", "253:0 7 ", 10n)]), [segment(0, 7, 10)]);
});

const anySegment = fc
  .tuple(anyDevice, fc.bigInt({ min: 0n, max: 2n ** 40n }), fc.bigInt({ min: 1n, max: 2n ** 40n }))
  .map(([device, start, length]) => ({ device, start: sectors(start), length: sectors(length) }));

test("every list of segments survives", () => {
  fc.assert(
    fc.property(fc.array(anySegment, { maxLength: 5 }), (segments) => {
      assert.deepEqual(parseLinearTable(linearTable(segments)), segments);
    }),
  );
});

test("any line gives a result or a DmFormatError", () => {
  assertOnlyFormatErrors("linear", ["253:0 8192", "8:16 0 "], (target) => parseLinearTable([target]));
});

test("tables are equal when every line is", () => {
  const table = linearTable([segment(0, 0, 10), segment(1, 0, 10)]);
  assert.equal(linearTablesEqual(table, [...table]), true);
  assert.equal(
    linearTablesEqual(
      table,
      table.map((target) => ({ ...target, params: `${target.params} ` })),
    ),
    true,
  );
  assert.equal(linearTablesEqual(table, table.slice(0, 1)), false);
  assert.equal(linearTablesEqual(table, [...table].reverse()), false);
  assert.equal(linearTablesEqual(table, linearTable([segment(0, 0, 10), segment(1, 0, 11)])), false);
  assert.equal(linearTablesEqual(table, linearTable([segment(0, 0, 10), segment(1, 1, 10)])), false);
  assert.equal(linearTablesEqual(table, linearTable([segment(0, 0, 10), segment(2, 0, 10)])), false);
  assert.equal(
    linearTablesEqual(
      table,
      table.map((target) => ({ ...target, type: "error" })),
    ),
    false,
  );
});

test("prefixes: what an extension makes of a table", () => {
  const live = [segment(0, 0, 10), segment(1, 50, 10)];
  const [first, second] = [segment(0, 0, 10), segment(1, 50, 10)];
  assert.equal(isLinearPrefix(live, live), true);
  assert.equal(isLinearPrefix(live, [...live, segment(2, 0, 5)]), true);
  assert.equal(isLinearPrefix(live, [first, segment(1, 50, 15)]), true);
  assert.equal(isLinearPrefix(live, [first, segment(1, 50, 15), segment(2, 0, 5)]), true);
  assert.equal(isLinearPrefix([], live), true);

  assert.equal(isLinearPrefix(live, [first]), false);
  assert.equal(isLinearPrefix(live, [segment(0, 0, 15), second]), false, "only the last one may be longer");
  assert.equal(isLinearPrefix(live, [first, segment(1, 50, 9)]), false);
  assert.equal(isLinearPrefix(live, [first, segment(1, 51, 10)]), false);
  assert.equal(isLinearPrefix(live, [first, segment(2, 50, 10)]), false);
  assert.equal(isLinearPrefix(live, [second, first]), false);
});

test("a prefix maps every sector to where the longer table maps it", () => {
  const place = (segments: readonly LinearSegment[], sector: bigint): string | null => {
    let position = 0n;
    for (const { device, start, length } of segments) {
      if (sector < position + length) return `${device.minor} ${start + sector - position}`;
      position += length;
    }
    return null;
  };
  const small = fc
    .tuple(fc.integer({ min: 0, max: 1 }), fc.integer({ min: 0, max: 2 }), fc.integer({ min: 1, max: 3 }))
    .map(([minor, start, length]) => segment(minor, start, length));
  fc.assert(
    fc.property(fc.array(small, { maxLength: 3 }), fc.array(small, { maxLength: 4 }), (live, wanted) => {
      if (!isLinearPrefix(live, wanted)) return;
      const length = live.reduce((sum, range) => sum + range.length, 0n);
      for (let sector = 0n; sector < length; sector += 1n)
        assert.equal(place(live, sector), place(wanted, sector));
    }),
    { numRuns: 2000 },
  );
});
