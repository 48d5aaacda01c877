import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cacheTablesEquivalent,
  parseCacheStatus,
  parseCacheTable,
  printCacheTable,
  STRATIS_CACHE,
  type CacheTable,
} from "../../../src/dm/cache";
import { sectors } from "../../../src/units";
import { assertOnlyFormatErrors, dmError, line } from "./lines";

const TABLE: CacheTable = {
  ...STRATIS_CACHE,
  length: sectors(12_113_920n),
  metaDevice: { major: 253, minor: 10 },
  cacheDevice: { major: 253, minor: 11 },
  originDevice: { major: 253, minor: 0 },
};
const PARAMS = "253:10 253:11 253:0 2048 1 writethrough default 0";

test("what the kernel echoes of a golden pool, both ways", () => {
  assert.deepEqual(printCacheTable(TABLE), line("cache", PARAMS, 12_113_920n));
  assert.deepEqual(parseCacheTable(line("cache", PARAMS, 12_113_920n)), TABLE);
});

test("arguments are counted in words", () => {
  const table: CacheTable = {
    ...TABLE,
    features: ["metadata2", "writethrough"],
    policyArgs: [
      ["migration_threshold", "2048"],
      ["x", "y"],
    ],
  };
  const printed = printCacheTable(table);
  assert.equal(
    printed.params,
    "253:10 253:11 253:0 2048 2 metadata2 writethrough default 4 migration_threshold 2048 x y",
  );
  assert.deepEqual(parseCacheTable(printed), table);
});

test("tables that are refused", () => {
  const cases: [string, RegExp][] = [
    ["253:10 253:11", /ends where the origin device/],
    ["253:10 253:11 253:0 2048 5 writethrough default 0", /5 feature arguments are announced, 3 words/],
    ["253:10 253:11 253:0 2048 1 writethrough default 1 x", /not pairs/],
    ["253:10 253:11 253:0 2048 1 writethrough default 0 x", /"x" follows/],
  ];
  for (const [params, message] of cases)
    assert.throws(() => parseCacheTable(line("cache", params)), dmError(message), params);
  assert.throws(() => parseCacheTable(line("cache", PARAMS, 1n, 1n)), dmError(/start at sector 0/));
});

test("equivalence: cache device and policy name don't count", () => {
  const other = { major: 253, minor: 99 };
  assert.equal(cacheTablesEquivalent(TABLE, { ...TABLE, cacheDevice: other, policy: "smq" }), true);
  const two: CacheTable = {
    ...TABLE,
    features: ["a", "b"],
    policyArgs: [
      ["x", "1"],
      ["y", "2"],
    ],
  };
  assert.equal(
    cacheTablesEquivalent(two, {
      ...two,
      features: ["b", "a"],
      policyArgs: [
        ["y", "2"],
        ["x", "1"],
      ],
    }),
    true,
  );
  assert.equal(
    cacheTablesEquivalent(two, {
      ...two,
      policyArgs: [
        ["x", "2"],
        ["y", "1"],
      ],
    }),
    false,
  );
  assert.equal(cacheTablesEquivalent(TABLE, { ...TABLE, length: sectors(1n) }), false);
  assert.equal(cacheTablesEquivalent(TABLE, { ...TABLE, metaDevice: other }), false);
  assert.equal(cacheTablesEquivalent(TABLE, { ...TABLE, originDevice: other }), false);
  assert.equal(cacheTablesEquivalent(TABLE, { ...TABLE, blockSize: sectors(64n) }), false);
  assert.equal(cacheTablesEquivalent(TABLE, { ...TABLE, features: [] }), false);
});

const WORKING =
  "8 66/131072 2048 12/5628 40 30 20 10 1 2 0 3 metadata2 writethrough no_discard_passdown 2 migration_threshold 16384 smq 0 rw - ";

test("statuses", () => {
  assert.deepEqual(parseCacheStatus(line("cache", WORKING)), {
    kind: "working",
    metaBlockSize: 8n,
    usedMeta: 66n,
    totalMeta: 131_072n,
    cacheBlockSize: 2048n,
    usedCache: 12n,
    totalCache: 5628n,
    readHits: 40n,
    readMisses: 30n,
    writeHits: 20n,
    writeMisses: 10n,
    demotions: 1n,
    promotions: 2n,
    dirty: 0n,
    features: ["metadata2", "writethrough", "no_discard_passdown"],
    coreArgs: [["migration_threshold", "16384"]],
    policy: "smq",
    policyArgs: [],
    mode: "rw",
    needsCheck: false,
  });
  const readOnly = parseCacheStatus(line("cache", WORKING.replace("rw -", "ro needs_check")));
  assert.ok(readOnly.kind === "working" && readOnly.mode === "ro" && readOnly.needsCheck);
  assert.deepEqual(parseCacheStatus(line("cache", "Fail")), { kind: "fail" });
  assert.deepEqual(parseCacheStatus(line("cache", "Error")), { kind: "error" });
});

test("any line gives a result or a DmFormatError", () => {
  assertOnlyFormatErrors("cache", [PARAMS], parseCacheTable);
  assertOnlyFormatErrors("cache", [WORKING, "Fail"], parseCacheStatus);
});
