import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  parseThinPoolStatus,
  parseThinPoolTable,
  printThinPoolTable,
  thinPoolTablesEquivalent,
  type ThinPoolTable,
} from "../../../src/dm/thin-pool";
import { dataBlocks, sectors } from "../../../src/units";
import { anyDevice, anyU64, assertOnlyFormatErrors, dmError, line } from "./lines";

/** devicemapper.md §2.4, example A. */
const TABLE: ThinPoolTable = {
  length: sectors(39_895_040n),
  metaDevice: { major: 253, minor: 2 },
  dataDevice: { major: 253, minor: 3 },
  blockSize: sectors(2048n),
  lowWater: dataBlocks(9740n),
  features: ["no_discard_passdown", "skip_block_zeroing"],
};
const PARAMS = "253:2 253:3 2048 9740 2 no_discard_passdown skip_block_zeroing";

test("the worked example, both ways", () => {
  assert.deepEqual(printThinPoolTable(TABLE), line("thin-pool", PARAMS, 39_895_040n));
  assert.deepEqual(parseThinPoolTable(line("thin-pool", PARAMS, 39_895_040n)), TABLE);
});

test("what the kernel echoes of a golden pool", () => {
  const echoed = "253:2 253:3 2048 15360 3 skip_block_zeroing no_discard_passdown error_if_no_space ";
  assert.deepEqual(parseThinPoolTable(line("thin-pool", echoed, 11_010_048n)).features, [
    "skip_block_zeroing",
    "no_discard_passdown",
    "error_if_no_space",
  ]);
  assert.equal(printThinPoolTable({ ...TABLE, features: [] }).params, "253:2 253:3 2048 9740 0");
  assert.deepEqual(parseThinPoolTable(line("thin-pool", "253:2 253:3 2048 9740 0 ")).features, []);
});

test("tables that are refused", () => {
  const cases: [string, RegExp][] = [
    ["", /ends where the metadata device/],
    ["253:2 253:3 2048 9740", /ends where the number of feature arguments/],
    ["253:2 253:3 2048 9740 3 read_only", /3 feature arguments are announced, 1 words follow/],
    ["253:2 253:3 2048 9740 0 read_only", /"read_only" follows/],
    ["253:2 /dev/sda 2048 9740 0", /the data device: "\/dev\/sda" is not a device number/],
    ["253:2 253:3 -1 9740 0", /"-1" is not a number as the block size/],
    ["253:2 253:3 2048 18446744073709551616 0", /low water/],
    ["253:2 253:3 2048 9740 99999999999999999999 x", /feature arguments/],
  ];
  for (const [params, message] of cases)
    assert.throws(() => parseThinPoolTable(line("thin-pool", params)), dmError(message), params);
  assert.throws(() => parseThinPoolTable(line("thin-pool", PARAMS, 10n, 1n)), dmError(/start at sector 0/));
});

test("every table survives, and any line gives a result or a DmFormatError", () => {
  const features = fc.subarray(["skip_block_zeroing", "ignore_discard", "no_discard_passdown", "read_only"]);
  fc.assert(
    fc.property(
      anyU64,
      anyDevice,
      anyDevice,
      anyU64,
      anyU64,
      features,
      (length, metaDevice, dataDevice, size, water, words) => {
        const table = {
          length: sectors(length),
          metaDevice,
          dataDevice,
          blockSize: sectors(size),
          lowWater: dataBlocks(water),
          features: words,
        };
        assert.deepEqual(parseThinPoolTable(printThinPoolTable(table)), table);
      },
    ),
  );
  assertOnlyFormatErrors("thin-pool", [PARAMS, `${PARAMS} `], parseThinPoolTable);
});

test("equivalence leaves out what changes in a running pool", () => {
  assert.equal(thinPoolTablesEquivalent(TABLE, { ...TABLE, lowWater: dataBlocks(1n), features: [] }), true);
  const other = { major: 253, minor: 99 };
  assert.equal(thinPoolTablesEquivalent(TABLE, { ...TABLE, length: sectors(1n) }), false);
  assert.equal(thinPoolTablesEquivalent(TABLE, { ...TABLE, metaDevice: other }), false);
  assert.equal(thinPoolTablesEquivalent(TABLE, { ...TABLE, dataDevice: other }), false);
  assert.equal(thinPoolTablesEquivalent(TABLE, { ...TABLE, blockSize: sectors(128n) }), false);
});

const status = (params: string): unknown => parseThinPoolStatus(line("thin-pool", params));
const WORKING = "0 41/2304 220/19480 - rw no_discard_passdown queue_if_no_space - 576 ";

test("the worked example of a status", () => {
  assert.deepEqual(status(WORKING), {
    kind: "working",
    transactionId: 0n,
    usedMeta: 41n,
    totalMeta: 2304n,
    usedData: 220n,
    totalData: 19_480n,
    mode: "rw",
    noSpace: "queue",
    needsCheck: false,
    metaLowWater: 576n,
  });
});

test("all values that the kernel may give", () => {
  const part = (params: string): Record<string, unknown> => status(params) as Record<string, unknown>;
  assert.equal(part("0 1/2 3/4 - ro discard_passdown error_if_no_space needs_check 9")["mode"], "ro");
  assert.equal(
    part("0 1/2 3/4 - out_of_data_space ignore_discard error_if_no_space - 9")["mode"],
    "out_of_data_space",
  );
  assert.equal(part("0 1/2 3/4 77 rw discard_passdown error_if_no_space needs_check 9")["needsCheck"], true);
  assert.equal(part("0 1/2 3/4 - rw discard_passdown error_if_no_space - 9")["noSpace"], "error");
  assert.equal(
    part("0 1/2 3/4 - rw discard_passdown queue_if_no_space -")["metaLowWater"],
    null,
    "before 4.19",
  );
  assert.equal(
    part("18446744073709551615 1/2 3/4 - rw discard_passdown queue_if_no_space - 9")["transactionId"],
    2n ** 64n - 1n,
  );
});

test("a failed pool, and one whose status can't be told", () => {
  assert.deepEqual(status("Fail"), { kind: "fail" });
  assert.deepEqual(status("Fail "), { kind: "fail" });
  assert.deepEqual(status("Error"), { kind: "error" });
});

test("other statuses are refused", () => {
  const cases: [string, RegExp][] = [
    ["", /ends where the transaction id/],
    ["-", /transaction id/],
    ["0 41/2304 220/19480 - rw no_discard_passdown queue_if_no_space", /ends where the needs_check flag/],
    ["0 41 220/19480 - rw no_discard_passdown queue_if_no_space - 576", /not a pair used\/total/],
    ["0 41/2304/1 220/19480 - rw no_discard_passdown queue_if_no_space - 576", /not a pair/],
    ["0 41/x 220/19480 - rw no_discard_passdown queue_if_no_space - 576", /"x" is not a number/],
    ["0 41/2304 220/19480 x rw no_discard_passdown queue_if_no_space - 576", /held metadata root/],
    ["0 41/2304 220/19480 - wr no_discard_passdown queue_if_no_space - 576", /none of rw, ro/],
    ["0 41/2304 220/19480 - rw discard queue_if_no_space - 576", /discard mode/],
    ["0 41/2304 220/19480 - rw no_discard_passdown wait - 576", /out of space/],
    ["0 41/2304 220/19480 - rw no_discard_passdown queue_if_no_space check 576", /needs_check/],
  ];
  for (const [params, message] of cases) assert.throws(() => status(params), dmError(message), params);
});

test("any status gives a result or a DmFormatError", () => {
  assertOnlyFormatErrors(
    "thin-pool",
    [WORKING, "Fail", "0 1/2 3/4 - ro discard_passdown error_if_no_space needs_check"],
    parseThinPoolStatus,
  );
});
