import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { checkPoolRecord } from "../../../../src/disk/pool-record";
import {
  allocateFromCap,
  allocatedSize,
  availableSize,
  encryptedRecord,
  newDeviceRecord,
  newPoolRecord,
  plainRecord,
  totalSize,
  withGrownReservation,
} from "../../../../src/engine/real/backstore/allocation";
import {
  extendedCacheTier,
  newCacheTier,
  requireAllTaken,
} from "../../../../src/engine/real/backstore/cache";
import { validateIntegrity } from "../../../../src/engine/validation";
import { sectors, sectorsToBytes, sumSectors } from "../../../../src/units";
import { goldenPool, newHeader } from "./pools";

const INTEGRITY = validateIntegrity({});

test("a new pool is laid out as stratisd lays it out", () => {
  const { record, headers } = goldenPool("v2_plain-disk1");
  const devices = [...headers.values()].map((header) => newDeviceRecord(header, INTEGRITY, null));
  const made = newPoolRecord("golden", devices, headers, INTEGRITY);
  // stratisd has switched to error mode since: all space is allocated.
  const featureArgs = ["error_if_no_space", ...(made.thinPool.featureArgs ?? [])];
  assert.deepEqual({ ...made, thinPool: { ...made.thinPool, featureArgs } }, record);
});

test("a new V1 pool is laid out as stratis-legacy-pool lays it out", () => {
  const { record, headers } = goldenPool("v1_plain-disk1");
  const devices = [...headers.values()].map((header) => newDeviceRecord(header, null, null));
  const made = newPoolRecord("golden", devices, headers, null);
  const featureArgs = ["error_if_no_space", ...(made.thinPool.featureArgs ?? [])];
  assert.deepEqual({ ...made, thinPool: { ...made.thinPool, featureArgs } }, record);
  checkPoolRecord(made, 1);
});

test("a cache is laid out as stratisd lays it out, and extended by all of the added devices", () => {
  const { record, headers } = goldenPool("v2_cache-disk1", "v2_cache-disk2");
  const golden = record.cacheTier;
  assert.ok(golden !== null);
  assert.deepEqual(newCacheTier(golden.devices, headers), golden);
  requireAllTaken(golden, headers);
  const more = newHeader(8_388_608n, "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e61");
  const known = new Map([...headers, [more.devUuid, more] as const]);
  const device = { uuid: more.devUuid, integrityMetaAllocations: [], userInfo: null, hardwareInfo: null };
  const extended = extendedCacheTier(golden, [device], known);
  requireAllTaken(extended, known);
  assert.deepEqual(extended.metaAllocations, golden.metaAllocations);
  assert.deepEqual(extended.cacheAllocations.at(-1), {
    parent: more.devUuid,
    start: 8192n,
    length: 8_380_416n,
  });
  checkPoolRecord({ ...record, cacheTier: extended }, 2);
  assert.throws(() => {
    requireAllTaken(golden, new Map([...headers, [golden.devices[0]?.uuid ?? more.devUuid, more] as const]));
  }, /are recorded as taken/);
});

test("cache devices that are too small or too large are refused", () => {
  const tier = (size: bigint) => {
    const header = newHeader(size, "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e61");
    const device = { uuid: header.devUuid, integrityMetaAllocations: [], userInfo: null, hardwareInfo: null };
    return newCacheTier([device], new Map([[header.devUuid, header]]));
  };
  assert.throws(() => tier(8192n + 1_048_576n), /no space left beside/);
  assert.equal(tier(8193n + 1_048_576n).cacheAllocations[0]?.length, 1n);
  const largest = 8192n + 1_048_576n + 68_719_476_736n;
  assert.equal(tier(largest).cacheAllocations[0]?.length, 68_719_476_736n);
  assert.throws(() => tier(largest + 1n), /32 TiB/);
});

test("a grown device reserves what its new size is due, at its new end", () => {
  const { record, headers } = goldenPool("v2_plain-disk1");
  const [header] = [...headers.values()];
  assert.ok(header !== undefined);
  const grown = { ...header, deviceSize: sectors(header.deviceSize + 4_194_304n) };
  const known = new Map([[header.devUuid, grown]]);
  const after = withGrownReservation(record, known, header.devUuid);
  const [before, device] = [record.dataTier.devices[0], after.dataTier.devices[0]];
  assert.equal(device?.integrityMetaAllocations.length, (before?.integrityMetaAllocations.length ?? 0) + 1);
  const fresh = newDeviceRecord(grown, INTEGRITY, null);
  const total = (segments: { length: bigint }[] = []) =>
    segments.reduce((sum, { length }) => sum + length, 0n);
  assert.equal(total(device.integrityMetaAllocations), total(fresh.integrityMetaAllocations));
  const last = device.integrityMetaAllocations.at(-1);
  assert.equal((last?.start ?? 0n) + (last?.length ?? 0n), grown.deviceSize);
  checkPoolRecord(after, 2);
  assert.deepEqual(withGrownReservation(after, known, header.devUuid), after, "once is enough");
});

test("sizes of a pool of two disks are what stratisd reports", () => {
  const { record, headers } = goldenPool("v2_two-disk1", "v2_two-disk2");
  assert.equal(sectorsToBytes(totalSize(record, headers)), 4294967296n);
  assert.equal(sectorsToBytes(allocatedSize(record, headers)), 4293926912n);
});

test("a device that is too small for the metadata of a pool is refused", () => {
  const header = newHeader(1_100_000n, "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f");
  const headers = new Map([[header.devUuid, header]]);
  assert.throws(
    () => newPoolRecord("p", [newDeviceRecord(header, INTEGRITY, null)], headers, INTEGRITY),
    /Could not allocate sufficient space/,
  );
});

const uuids = [
  "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e61",
  "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e62",
  "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e63",
];

test("whatever is allocated, the record stays sound, and nothing is given out twice", () => {
  const size = fc.bigInt({ min: 4_194_304n, max: 400_000_000n });
  const requests = fc.array(fc.bigInt({ min: 1n, max: 50_000n }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.array(size, { minLength: 1, maxLength: 3 }), requests, (sizes, wanted) => {
      const list = sizes.map((value, index) => newHeader(value, uuids[index] ?? ""));
      const headers = new Map(list.map((header) => [header.devUuid, header]));
      const devices = list.map((header) => newDeviceRecord(header, INTEGRITY, null));
      let record = newPoolRecord("p", devices, headers, INTEGRITY);
      for (const blocks of wanted) {
        const request = sectors(blocks * 2048n);
        const before = availableSize(record, headers);
        const allocation = allocateFromCap(record, headers, [request]);
        if (allocation === null) {
          assert.ok(before < request);
          continue;
        }
        const { flexDevices } = allocation.record;
        const thinData = [...flexDevices.thinData, ...allocation.ranges];
        record = { ...allocation.record, flexDevices: { ...flexDevices, thinData } };
        assert.equal(availableSize(record, headers), before - request);
        assert.equal(sumSectors(allocation.ranges.map(({ length }) => length)), request);
      }
      checkPoolRecord(record, 2);
      const data = sumSectors(record.dataTier.allocations.map(({ length }) => length));
      const cap = sumSectors(
        [...record.cap.allocations, ...record.cap.cryptMetaAllocations].map((s) => s.length),
      );
      assert.equal(data, cap, "the cap device is exactly as large as what backs it");
    }),
    { numRuns: 60 },
  );
});

test("the record of a golden pool passes the checks that are made at start", () => {
  const { record } = goldenPool("v2_two-disk1", "v2_two-disk2");
  assert.doesNotThrow(() => {
    checkPoolRecord(record, 2);
  });
});

test("behind a LUKS2 header that comes, all is where it was, and back again when it goes", () => {
  const { record, headers } = goldenPool("v2_two-disk1", "v2_two-disk2");
  assert.equal(plainRecord(record), record);
  const encrypted = encryptedRecord(record);
  assert.equal(encryptedRecord(encrypted), encrypted);
  checkPoolRecord(encrypted, 2);
  assert.deepEqual(encrypted.features, ["Encryption"]);
  assert.equal(encrypted.flexDevices.thinMeta[0]?.start, 0n);
  assert.deepEqual(encrypted.cap.cryptMetaAllocations, record.cap.cryptMetaAllocations);
  assert.deepEqual(encrypted.dataTier, record.dataTier);
  assert.deepEqual(plainRecord({ ...encrypted, lastReencrypt: 5n }), record);
  // What is taken next follows what is taken, on either side.
  const next = (of: typeof record): bigint | undefined =>
    allocateFromCap(of, headers, [sectors(2048n)])?.ranges[0]?.start;
  const plainNext = next(record);
  if (plainNext !== undefined) assert.equal(next(encrypted), plainNext - 34816n);
});
