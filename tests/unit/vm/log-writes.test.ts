import assert from "node:assert/strict";
import { mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { test } from "node:test";
import { parseSuper, WriteLog } from "../../vm/guest/log-writes";

const SECTOR = 512;
const FLUSH = 1n;
const FUA = 2n;
const DISCARD = 4n;
const MARK = 8n;

function superBlock(entries: bigint, version = 1n, sectorBytes = SECTOR): Buffer {
  const block = Buffer.alloc(SECTOR);
  block.writeBigUInt64LE(0x6a736677736872n, 0);
  block.writeBigUInt64LE(version, 8);
  block.writeBigUInt64LE(entries, 16);
  block.writeUInt32LE(sectorBytes, 24);
  return block;
}

function entry(sector: bigint, count: bigint, flags: bigint, text = ""): Buffer {
  const block = Buffer.alloc(SECTOR);
  [sector, count, flags, BigInt(text.length)].forEach((value, index) => {
    block.writeBigUInt64LE(value, index * 8);
  });
  block.write(text, 32);
  return block;
}

const LOG = Buffer.concat([
  superBlock(6n),
  entry(1n, 1n, 0n),
  Buffer.alloc(SECTOR, "a"),
  entry(0n, 0n, FLUSH),
  entry(2n, 2n, FUA),
  Buffer.alloc(2 * SECTOR, "b"),
  entry(0n, 0n, MARK, "both-are-there"),
  entry(1n, 1n, DISCARD),
  entry(3n, 1n, FLUSH),
  Buffer.alloc(SECTOR, "c"),
  // Of an earlier use of the device.
  entry(0n, 1n, FUA),
]);

async function withLog(content: Buffer, work: (log: string, folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "stratis-log-writes-"));
  try {
    await writeFile(path.join(folder, "log"), content);
    await work(path.join(folder, "log"), folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("entries are read with what is durable after them, up to the number in the super block", () =>
  withLog(LOG, async (file) => {
    const log = await WriteLog.open(file);
    assert.deepEqual(
      log.entries.map(({ durable, mark }) => mark ?? durable),
      [false, true, true, "both-are-there", false, true],
    );
    await log.close();
  }));

test("a log is replayed in parts", () =>
  withLog(LOG, async (file, folder) => {
    const target = path.join(folder, "target");
    await writeFile(target, Buffer.alloc(4 * SECTOR, "."));
    const content = async (): Promise<string> =>
      [...(await readFile(target))]
        .filter((_, at) => at % SECTOR === 0)
        .map((byte) => String.fromCharCode(byte))
        .join("");
    const log = await WriteLog.open(file);
    const handle = await open(target, "r+");
    await log.replay(handle, 0, 2);
    assert.equal(await content(), ".a..");
    await log.replay(handle, 2, 4);
    assert.equal(await content(), ".abb");
    await log.replay(handle, 4, 6);
    assert.equal(await content(), ".\0bc");
    await handle.close();
    await log.close();
  }));

test("what is no log, or one of another kind, is refused", async () => {
  assert.throws(() => parseSuper(Buffer.alloc(SECTOR)), /no log/);
  assert.throws(() => parseSuper(superBlock(0n, 2n)), /version 2/);
  assert.throws(() => parseSuper(superBlock(0n, 1n, 4096)), /4096/);
  await withLog(LOG.subarray(0, 3 * SECTOR), async (file) => {
    await assert.rejects(WriteLog.open(file), /ends before entry 2/);
  });
});
