import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  parseThinStatus,
  parseThinTable,
  printThinTable,
  thinTablesEqual,
  type ThinTable,
} from "../../../src/dm/thin";
import { sectors } from "../../../src/units";
import { anyDevice, anyU64, assertOnlyFormatErrors, dmError, line } from "./lines";

const TABLE: ThinTable = { length: sectors(2_147_483_648n), pool: { major: 253, minor: 5 }, thinId: 1 };

test("what the kernel echoes of a golden pool, both ways", () => {
  assert.deepEqual(printThinTable(TABLE), line("thin", "253:5 1", 2_147_483_648n));
  assert.deepEqual(parseThinTable(line("thin", "253:5 1", 2_147_483_648n)), TABLE);
  fc.assert(
    fc.property(anyU64, anyDevice, fc.integer({ min: 0, max: 2 ** 24 - 1 }), (length, pool, thinId) => {
      const table = { length: sectors(length), pool, thinId };
      assert.deepEqual(parseThinTable(printThinTable(table)), table);
    }),
  );
});

test("ids have 24 bits", () => {
  for (const thinId of [-1, 2 ** 24, 0.5, NaN])
    assert.throws(() => printThinTable({ ...TABLE, thinId }), RangeError);
  assert.equal(parseThinTable(line("thin", "253:5 16777215")).thinId, 2 ** 24 - 1);
  assert.throws(() => parseThinTable(line("thin", "253:5 16777216")), dmError(/more than 24 bits/));
});

test("tables that are refused", () => {
  assert.throws(() => parseThinTable(line("thin", "253:5")), dmError(/ends where the thin id/));
  assert.throws(() => parseThinTable(line("thin", "253:5 1 8:0")), dmError(/"8:0" follows/));
  assert.throws(() => parseThinTable(line("thin", "253:5 1", 10n, 3n)), dmError(/start at sector 0/));
});

test("equality", () => {
  assert.equal(thinTablesEqual(TABLE, { ...TABLE }), true);
  assert.equal(thinTablesEqual(TABLE, { ...TABLE, length: sectors(1n) }), false);
  assert.equal(thinTablesEqual(TABLE, { ...TABLE, thinId: 2 }), false);
  assert.equal(thinTablesEqual(TABLE, { ...TABLE, pool: { major: 253, minor: 6 } }), false);
});

test("statuses", () => {
  const status = (params: string): unknown => parseThinStatus(line("thin", params));
  assert.deepEqual(status("165888 1228799"), { kind: "working", mapped: 165_888n });
  assert.deepEqual(status("0 -"), { kind: "working", mapped: 0n });
  assert.deepEqual(status("0 - "), { kind: "working", mapped: 0n });
  assert.deepEqual(status("Fail"), { kind: "fail" });
  assert.deepEqual(status("Error"), { kind: "error" });
  assert.deepEqual(status("-"), { kind: "error" });
  for (const params of ["", "1", "x -", "1 x", "1 2 3", "- 1", "-1 2"])
    assert.throws(() => status(params), dmError(/thin line/), params);
});

test("any line gives a result or a DmFormatError", () => {
  assertOnlyFormatErrors("thin", ["253:5 1", "253:5 0 "], parseThinTable);
  assertOnlyFormatErrors("thin", ["165888 1228799", "0 -", "Fail"], parseThinStatus);
});
