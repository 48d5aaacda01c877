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

const KIB = 1024;

/** Of a log of `blocks` blocks, and of records with buffers of `buffer` bytes. */
interface LogShape {
  blocks: number;
  head: number;
  cycle: number;
  buffer?: number;
  checksummed?: boolean;
}

const recordBlocks = (buffer: number): number => 1 + Math.ceil(buffer / (32 * KIB));

/** A clean log: the blocks before `head` are of `cycle`, and end with an unmount record of one block of data. */
function makeLog({ blocks, head, cycle, buffer = 32 * KIB, checksummed = true }: LogShape): Buffer {
  const log = Buffer.alloc(blocks * BLOCK);
  for (let block = 0; block < blocks; block += 1)
    log.writeUInt32BE(block < head ? cycle : cycle - 1, block * BLOCK);
  const first = head - recordBlocks(buffer);
  const header = log.subarray(first * BLOCK, (first + 1) * BLOCK);
  const data = log.subarray((head - 1) * BLOCK, head * BLOCK);
  data.writeUInt8(0xaa, 8);
  data.writeUInt8(0x20, 9);
  header.writeUInt32BE(0xfeedbabe, 0);
  header.writeUInt32BE(cycle, 4);
  header.writeUInt32BE(2, 8);
  header.writeUInt32BE(BLOCK, 12);
  header.writeUInt32BE(cycle, 16);
  header.writeUInt32BE(first, 20);
  header.writeUInt32BE(1, 40);
  header.write(UUID.replaceAll("-", ""), 304, "hex");
  header.writeUInt32BE(buffer, 320);
  if (!checksummed) return log;
  let sum = crc32c(header.subarray(0, 328));
  for (let block = first + 1; block < head - 1; block += 1)
    sum = crc32c(log.subarray(block * BLOCK, block * BLOCK + 260), sum);
  header.writeUInt32LE(crc32c(data, sum), 32);
  return log;
}

const reader =
  (log: Buffer): ReadLog =>
  (first, count) =>
    first >= 0 && count >= 0 && (first + count) * BLOCK <= log.length
      ? Promise.resolve(log.subarray(first * BLOCK, (first + count) * BLOCK))
      : Promise.reject(ioError("Reading", BigInt(first * BLOCK)));

const anyLog = fc
  .tuple(
    fc.integer({ min: 10, max: 9000 }),
    fc.nat(),
    fc.integer({ min: 1, max: 0xfffffff0 }),
    fc.constantFrom(32 * KIB, 64 * KIB, 256 * KIB),
  )
  .map(([blocks, head, cycle, buffer]) => {
    const least = recordBlocks(buffer);
    return { blocks, head: least + (head % (blocks - least)), cycle, buffer };
  });

test("the head and the unmount record are found wherever they are", async () => {
  await fc.assert(
    fc.asyncProperty(anyLog, fc.boolean(), async (shape, checksummed) => {
      const { blocks, head, cycle, buffer } = shape;
      const log = makeLog({ ...shape, checksummed });
      const found = await findLogHead(reader(log), blocks);
      assert.deepEqual(found, { head, cycle });
      const record = await readUnmountRecord(reader(log), found, [UUID]);
      assert.equal(record.block, head - recordBlocks(buffer));

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
    fc.asyncProperty(anyLog, fc.nat(), fc.integer({ min: 1, max: 5 }), async (shape, place, shift) => {
      const { blocks, head, cycle } = shape;
      const log = makeLog({ ...shape, cycle: cycle + 10 });
      // Any block within reach of the kernel's buffers in front of the head or behind it, also around the end.
      const distance = 1 + (place % Math.min(4096, blocks - 1));
      const block =
        place % 2 === 0 ? (head - distance + blocks) % blocks : head + (distance % (blocks - head));
      const offset = block * BLOCK + (log.readUInt32BE(block * BLOCK) === 0xfeedbabe ? 4 : 0);
      log.writeUInt32BE(log.readUInt32BE(offset) - 1 - shift, offset);
      await assert.rejects(findLogHead(reader(log), blocks), formatError(/cycle/));
    }),
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
  const log = makeLog({ blocks: 200, head: 150, cycle: 3 });
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
      fc.constantFrom(32 * KIB, 256 * KIB),
      async (changes, nearHead, buffer) => {
        const log = makeLog({ blocks: 300, head: 200, cycle: 5, buffer });
        const record = recordBlocks(buffer) * BLOCK;
        for (const [place, value] of changes)
          log[nearHead ? 200 * BLOCK - record + (place % record) : place % log.length] = value;
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
