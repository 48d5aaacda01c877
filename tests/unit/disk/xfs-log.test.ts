import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../../src/disk/crc32c";
import {
  findLogHead,
  readUnmountRecord,
  recordHeaderWithUuid,
  type ReadLog,
} from "../../../src/disk/xfs-log";
import { ioError } from "../support/block-file";
import { formatError } from "./vectors";
import { DiskFormatError } from "../../../src/disk/errors";

const UUID = "12345678-9abc-4def-8123-456789abcdef";
const OTHER = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
const BLOCK = 512;

/** A clean log of `blocks` blocks: the blocks before `head` are of `cycle`, and end with an unmount record. */
function makeLog(blocks: number, head: number, cycle: number, checksummed = true): Buffer {
  const log = Buffer.alloc(blocks * BLOCK);
  for (let block = 0; block < blocks; block += 1)
    log.writeUInt32BE(block < head ? cycle : cycle - 1, block * BLOCK);
  const header = log.subarray((head - 2) * BLOCK, (head - 1) * BLOCK);
  const data = log.subarray((head - 1) * BLOCK, head * BLOCK);
  data.writeUInt8(0xaa, 8);
  data.writeUInt8(0x20, 9);
  header.writeUInt32BE(0xfeedbabe, 0);
  header.writeUInt32BE(cycle, 4);
  header.writeUInt32BE(2, 8);
  header.writeUInt32BE(BLOCK, 12);
  header.writeUInt32BE(cycle, 16);
  header.writeUInt32BE(head - 2, 20);
  header.writeUInt32BE(1, 40);
  header.write(UUID.replaceAll("-", ""), 304, "hex");
  header.writeUInt32BE(32768, 320);
  if (checksummed) header.writeUInt32LE(crc32c(data, crc32c(header.subarray(0, 328))), 32);
  return log;
}

const reader =
  (log: Buffer): ReadLog =>
  (first, count) =>
    first >= 0 && count >= 0 && (first + count) * BLOCK <= log.length
      ? Promise.resolve(log.subarray(first * BLOCK, (first + count) * BLOCK))
      : Promise.reject(ioError("Reading", BigInt(first * BLOCK)));

const anyLog = fc
  .tuple(fc.integer({ min: 3, max: 9000 }), fc.nat(), fc.integer({ min: 1, max: 0xfffffff0 }))
  .map(([blocks, head, cycle]) => ({ blocks, head: 2 + (head % (blocks - 2)), cycle }));

test("the head and the unmount record are found wherever they are", async () => {
  await fc.assert(
    fc.asyncProperty(anyLog, fc.boolean(), async ({ blocks, head, cycle }, checksummed) => {
      const log = makeLog(blocks, head, cycle, checksummed);
      const found = await findLogHead(reader(log), blocks);
      assert.deepEqual(found, { head, cycle });
      const record = await readUnmountRecord(reader(log), found, [UUID]);
      assert.equal(record.block, head - 2);

      const changed = recordHeaderWithUuid(record, OTHER);
      assert.equal(changed.readUInt32LE(32) === 0, !checksummed);
      changed.copy(log, record.block * BLOCK);
      const again = await readUnmountRecord(reader(log), await findLogHead(reader(log), blocks), [OTHER]);
      assert.deepEqual(again.header, changed);
      await assert.rejects(
        readUnmountRecord(reader(log), found, [UUID]),
        formatError(/is of filesystem aaaaaaaa/),
      );
    }),
    { numRuns: 60 },
  );
});

test("blocks of other cycles near the head, as writes out of order leave them, are noticed", async () => {
  await fc.assert(
    fc.asyncProperty(
      anyLog,
      fc.nat(),
      fc.integer({ min: 1, max: 5 }),
      async ({ blocks, head, cycle }, place, shift) => {
        const log = makeLog(blocks, head, cycle + 10);
        // Any block within reach of the kernel's buffers in front of the head or behind it, also around the end.
        const distance = 1 + (place % Math.min(4096, blocks - 1));
        const block =
          place % 2 === 0 ? (head - distance + blocks) % blocks : head + (distance % (blocks - head));
        const offset = block * BLOCK + (log.readUInt32BE(block * BLOCK) === 0xfeedbabe ? 4 : 0);
        log.writeUInt32BE(log.readUInt32BE(offset) - 1 - shift, offset);
        await assert.rejects(findLogHead(reader(log), blocks), formatError(/cycle/));
      },
    ),
    { numRuns: 60 },
  );
});

test("logs without a head that can be told", async () => {
  const rejected = async (log: Buffer): Promise<void> => {
    await assert.rejects(
      findLogHead(reader(log), log.length / BLOCK),
      formatError(/too short|can't be told/),
    );
  };
  await rejected(Buffer.alloc(0));
  await rejected(Buffer.alloc(BLOCK));
  await rejected(Buffer.alloc(100 * BLOCK));
  const full = Buffer.alloc(100 * BLOCK);
  for (let block = 0; block < 100; block += 1) full.writeUInt32BE(7, block * BLOCK);
  await rejected(full);
});

test("a head without a record in front of it", async () => {
  const log = makeLog(200, 150, 3);
  log.writeUInt32BE(3, 148 * BLOCK);
  await assert.rejects(
    readUnmountRecord(reader(log), { head: 150, cycle: 3 }, [UUID]),
    formatError(/no record/),
  );
});

test("any damage gives a result or a DiskFormatError, and nothing else is read", async () => {
  const change = fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      async (changes, nearHead) => {
        const log = makeLog(300, 200, 5);
        for (const [place, value] of changes)
          log[nearHead ? 198 * BLOCK + (place % 1024) : place % log.length] = value;
        try {
          await readUnmountRecord(reader(log), await findLogHead(reader(log), 300), [UUID]);
        } catch (error) {
          assert.ok(error instanceof DiskFormatError, String(error));
        }
      },
    ),
    { numRuns: 500 },
  );
});
