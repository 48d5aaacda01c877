import assert from "node:assert/strict";
import { test } from "node:test";
import { ToldSpace } from "../../../../src/engine/real/told-space";
import { bytes, type Bytes } from "../../../../src/units";

const seen = (): {
  totalPhysicalSize: Bytes;
  allocatedSize: Bytes;
  totalPhysicalUsed: Bytes | null;
  noAllocSpace: boolean;
} => ({
  totalPhysicalSize: bytes(1000n),
  allocatedSize: bytes(600n),
  totalPhysicalUsed: bytes(100n),
  noAllocSpace: false,
});

test("what clients see at first is not told, and a change once", () => {
  const pool = seen();
  const told = new ToldSpace(pool);
  assert.deepEqual(told.take(), []);
  pool.allocatedSize = bytes(700n);
  pool.totalPhysicalUsed = null;
  assert.deepEqual(told.take(), ["allocatedSize", "totalPhysicalUsed"]);
  assert.deepEqual(told.take(), []);
});

test("what is not taken is told later, as long as it differs", () => {
  const pool = seen();
  const told = new ToldSpace(pool);
  Object.assign(pool, { totalPhysicalSize: 2000n, allocatedSize: 601n, noAllocSpace: true });
  assert.deepEqual(told.take(["totalPhysicalSize", "noAllocSpace"]), ["totalPhysicalSize", "noAllocSpace"]);
  assert.deepEqual(told.take(), ["allocatedSize"]);
  pool.allocatedSize = bytes(602n);
  pool.noAllocSpace = false;
  pool.allocatedSize = bytes(601n);
  assert.deepEqual(told.take(), ["noAllocSpace"]);
});
