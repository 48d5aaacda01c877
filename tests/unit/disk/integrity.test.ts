import assert from "node:assert/strict";
import { test } from "node:test";
import { integrityReservation, type IntegrityTag } from "../../../src/disk/integrity";
import { bytes, sectors } from "../../../src/units";

const reservation = (
  size: bigint,
  tagSpec: IntegrityTag,
  journal = 262_144n,
  allocateSuperblock = true,
): bigint =>
  integrityReservation(sectors(size), {
    tagSpec,
    journalSize: sectors(journal),
    blockSize: bytes(4096n),
    allocateSuperblock,
  });

test("the table of on-disk-format.md §8.4", () => {
  const rows: [bigint, bigint, bigint, bigint][] = [
    [2_097_152n, 262_152n, 264_200n, 294_920n],
    [20_971_520n, 262_152n, 282_632n, 589_832n],
    [209_715_200n, 262_152n, 466_952n, 3_538_952n],
    [2_147_483_648n, 262_152n, 2_359_304n, 33_816_584n],
  ];
  for (const [size, none, crc, hash] of rows) {
    assert.equal(reservation(size, "0b"), none);
    assert.equal(reservation(size, "32b"), crc);
    assert.equal(reservation(size, "512b"), hash);
    assert.equal(reservation(size, "0b", 0n, false), 0n);
  }
});

test("tags of a device that does not end on a block boundary are rounded up to 4 KiB", () => {
  // 65 blocks of 4 KiB and 7 sectors: 65 tags of 64 bytes fill one 4 KiB area and begin another.
  assert.equal(reservation(65n * 8n + 7n, "512b", 0n, false), 16n);
  assert.equal(reservation(64n * 8n, "512b", 0n, false), 8n);
  assert.equal(reservation(7n, "512b", 0n, false), 0n);
});
