import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { roomForData, thinMetadataSizeByTool, thinMetaSize } from "../../../src/disk/sizes";
import { sectors } from "../../../src/units";

const GIB = 2_097_152n;

test("thin metadata sizes of devicemapper.md §2.4", () => {
  const rows: [bigint, bigint][] = [
    [1n, 8192n],
    [10n, 12_288n],
    [50n, 32_768n],
    [100n, 59_392n],
    [500n, 268_288n],
    [1024n, 540_672n],
    [2048n, 1_073_152n],
    [4096n, 2_138_112n],
    [10_240n, 5_332_992n],
  ];
  for (const [gib, size] of rows) assert.equal(thinMetaSize(sectors(gib * GIB), 100n), size, `${gib} GiB`);
});

test("the worked examples A and C, in the tool's own figures", () => {
  assert.equal(thinMetadataSizeByTool(sectors(40_982_520n), 100n), 2080n);
  assert.equal(thinMetadataSizeByTool(sectors(41_861_120n), 100n), 2112n);
  assert.equal(thinMetaSize(sectors(40_982_520n), 100n), 18_432n);
});

test("a 6 GiB disk, V2", () => {
  assert.equal(thinMetaSize(sectors(12_582_912n - 8192n - 458_760n - 34_816n), 100n), 10_240n);
});

test("metadata is limited to what dm-thin can address", () => {
  assert.equal(thinMetaSize(sectors(2n ** 63n), 100n), 33_292_288n);
  assert.equal(thinMetaSize(sectors(0n), 2n ** 64n - 1n), 33_292_288n);
  assert.equal(thinMetadataSizeByTool(sectors(2n ** 63n), 0n), 33_292_800n);
});

test("sizes are whole data blocks, and never shrink as the pool or its limit grows", () => {
  const size = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const limit = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  fc.assert(
    fc.property(size, size, limit, limit, (a, b, c, d) => {
      const [small, large] = a < b ? [a, b] : [b, a];
      const [few, many] = c < d ? [c, d] : [d, c];
      const meta = thinMetaSize(sectors(small), few);
      assert.equal(meta % 2048n, 0n);
      assert.ok(meta > 0n);
      assert.ok(meta <= thinMetaSize(sectors(large), many));
    }),
  );
});

test("room for data, which is never negative", () => {
  assert.equal(roomForData(sectors(2_147_475_456n), sectors(540_672n)), 2_145_345_536n);
  assert.equal(roomForData(sectors(2_113_624_056n), sectors(532_480n)), 2_111_510_520n);
  assert.equal(roomForData(sectors(1_759_224n), sectors(8192n)) / 2048n, 338n);
  assert.equal(roomForData(sectors(1_048_576n), sectors(8192n)), 0n);
});
