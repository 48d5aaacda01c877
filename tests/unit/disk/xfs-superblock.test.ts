import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  parseSuperblock,
  requireSameFilesystem,
  superblockOffset,
  superblockUuid,
  withUuid,
} from "../../../src/disk/xfs-superblock";
import { bytes } from "../../../src/units";
import { damagedBytes } from "./damage";
import { editSector, mdvImage } from "./xfs-images";
import { valueOrFormatError } from "./vectors";

const IMAGE = mdvImage("v2_plain");
const SECTOR = IMAGE.peek(0n, 512);
const SIZE = bytes(IMAGE.size);

test("the superblock of a metadata volume: its UUID is the pool's", () => {
  const sb = parseSuperblock(SECTOR, SIZE, 0);
  assert.equal(sb.blockSize, 4096);
  assert.equal(sb.dataBlocks, 131_072n);
  assert.equal(sb.agCount, 4);
  assert.equal(sb.sectorSize, 512);
  assert.equal(sb.uuid, superblockUuid(SECTOR));
  assert.equal(sb.metaUuid, sb.uuid);
  assert.equal(sb.hasMetaUuid, false);
  for (let group = 1; group < sb.agCount; group += 1) {
    const secondary = parseSuperblock(IMAGE.peek(superblockOffset(sb, group), 512), SIZE, group);
    requireSameFilesystem(sb, secondary);
  }
});

test("another UUID: everything else parses as before, and the first UUID is kept for the metadata", () => {
  const before = parseSuperblock(SECTOR, SIZE, 0);
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), (first, second) => {
      const once = withUuid(SECTOR, first);
      const twice = withUuid(once, second);
      const expected = { ...before, hasMetaUuid: true, metaUuid: before.uuid };
      assert.deepEqual(parseSuperblock(once, SIZE, 0), { ...expected, uuid: first });
      assert.deepEqual(parseSuperblock(twice, SIZE, 0), { ...expected, uuid: second });
      assert.deepEqual(SECTOR, IMAGE.peek(0n, 512), "the input is left alone");
    }),
  );
});

test("any sector gives a result or a DiskFormatError, also under a right checksum", () => {
  const damaged = damagedBytes([SECTOR]);
  fc.assert(
    fc.property(damaged, fc.boolean(), fc.integer({ min: 0, max: 3 }), (data, reseal, group) => {
      let sector = data;
      if (reseal && data.length === 512) {
        const copy = IMAGE.clone();
        copy.poke(0n, data);
        editSector(copy, 0n, () => undefined);
        sector = copy.peek(0n, 512);
      }
      valueOrFormatError(() => {
        const sb = parseSuperblock(sector, SIZE, group);
        assert.ok(sb.logOffset + sb.logBytes <= SIZE);
        assert.ok(superblockOffset(sb, sb.agCount - 1) < SIZE);
      });
    }),
    { numRuns: 1000 },
  );
});
