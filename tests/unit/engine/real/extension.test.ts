import assert from "node:assert/strict";
import { test } from "node:test";
import type { ThinPoolStatus } from "../../../../src/dm/thin-pool";
import {
  availableSize,
  newDeviceRecord,
  newPoolRecord,
} from "../../../../src/engine/real/backstore/allocation";
import { segmentsLength } from "../../../../src/engine/real/backstore/tables";
import {
  inErrorMode,
  planDataExtension,
  planMetaExtension,
} from "../../../../src/engine/real/thinpool/extension";
import { validateIntegrity } from "../../../../src/engine/validation";
import { dataBlocks, metaBlocks, sectors } from "../../../../src/units";
import { newHeader } from "./pools";

const GIB = 2_097_152n;
const INTEGRITY = validateIntegrity({});

function pool(size: bigint): {
  record: ReturnType<typeof newPoolRecord>;
  headers: Parameters<typeof availableSize>[1];
} {
  const header = newHeader(size, "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f");
  const headers = new Map([[header.devUuid, header]]);
  return {
    record: newPoolRecord("p", [newDeviceRecord(header, INTEGRITY, null)], headers, INTEGRITY),
    headers,
  };
}

function status(
  usedData: bigint,
  changes: Partial<Extract<ThinPoolStatus, { kind: "working" }>> = {},
): ThinPoolStatus {
  return {
    kind: "working",
    transactionId: 0n,
    usedMeta: metaBlocks(10n),
    totalMeta: metaBlocks(1280n),
    usedData: dataBlocks(usedData),
    totalData: dataBlocks(51200n),
    mode: "rw",
    noSpace: "queue",
    needsCheck: false,
    metaLowWater: metaBlocks(100n),
    ...changes,
  };
}

test("data grows by 50 GiB when no more than 15 GiB are free", () => {
  const { record, headers } = pool(200n * GIB);
  const blocks = segmentsLength(record.flexDevices.thinData) / 2048n;
  assert.equal(blocks, 51200n);
  assert.equal(planDataExtension(record, headers, status(blocks - 15361n)).kind, "nothing");
  const plan = planDataExtension(record, headers, status(blocks - 15360n));
  assert.equal(plan.kind, "grow");
  assert.equal(segmentsLength(plan.record.flexDevices.thinData), 2n * 50n * GIB);
  assert.equal(plan.record.flexDevices.thinData.length, 2, "the metadata volume is between them");
  const next = planDataExtension(plan.record, headers, status(2n * blocks - 15359n));
  assert.equal(next.kind, "grow");
  assert.equal(next.record.flexDevices.thinData.length, 2, "contiguous ranges become one");
});

test("the last extension takes what there is, and then the pool fails instead of waiting", () => {
  const { record, headers } = pool(60n * GIB);
  const first = planDataExtension(record, headers, status(51000n));
  assert.equal(first.kind, "grow");
  assert.ok(availableSize(first.record, headers) < 2048n);
  const used = segmentsLength(first.record.flexDevices.thinData) / 2048n;
  const second = planDataExtension(first.record, headers, status(used - 1n));
  assert.equal(second.kind, "noSpace");
  assert.ok(inErrorMode(second.record));
  assert.equal(planDataExtension(second.record, headers, status(used)).kind, "nothing");
});

test("a pool that does not work is not grown", () => {
  const { record, headers } = pool(200n * GIB);
  assert.equal(planDataExtension(record, headers, { kind: "error" }).kind, "nothing");
  assert.equal(planDataExtension(record, headers, null).kind, "nothing");
});

test("thin metadata is doubled at the kernel's low-water mark", () => {
  const { record, headers } = pool(200n * GIB);
  const current = segmentsLength(record.flexDevices.thinMeta);
  const total = current / 8n;
  assert.equal(planMetaExtension(record, headers, status(0n), sectors(0n)).kind, "nothing");
  const plan = planMetaExtension(
    record,
    headers,
    status(0n, { usedMeta: metaBlocks(total - 100n) }),
    sectors(0n),
  );
  assert.equal(plan.kind, "grow");
  assert.equal(segmentsLength(plan.record.flexDevices.thinMeta), 2n * current);
  assert.equal(segmentsLength(plan.record.flexDevices.thinMetaSpare), 2n * current);
});

test("without overprovisioning, promised space is not used for metadata", () => {
  const { record, headers } = pool(200n * GIB);
  const strict = { ...record, thinPool: { ...record.thinPool, enableOverprov: false } };
  const total = segmentsLength(record.flexDevices.thinMeta) / 8n;
  const low = status(0n, { usedMeta: metaBlocks(total - 99n) });
  const plan = planMetaExtension(strict, headers, low, sectors(200n * GIB));
  assert.equal(plan.kind, "noSpace");
  assert.equal(inErrorMode(plan.record), false);
});
