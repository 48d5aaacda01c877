import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync } from "node:zlib";
import { native, packageRoot, type BlkidResult } from "../../src/native";
import { callUntyped, failsWith, temporaryFolder } from "./support";

const DISK_BYTES = 16 << 20;
const NOTHING: BlkidResult = {
  type: null,
  usage: null,
  uuid: null,
  partitionTable: null,
  partitions: 0,
  ambivalent: false,
};

function disk(context: TestContext, ...pieces: [offset: number, data: Uint8Array][]): string {
  const file = path.join(temporaryFolder(context), "disk.img");
  const image = Buffer.alloc(DISK_BYTES);
  for (const [offset, data] of pieces) image.set(data, offset);
  fs.writeFileSync(file, image);
  return file;
}

/** A swap area of version 1 with 4 KiB pages: the least that the library accepts. */
function swapHeader(uuid: Uint8Array): Buffer {
  const page = Buffer.alloc(4096);
  page.writeUInt32LE(1, 1024);
  page.writeUInt32LE(DISK_BYTES / 4096 - 1, 1028);
  page.set(uuid, 1024 + 12);
  page.write("SWAPSPACE2", 4096 - 10, "ascii");
  return page;
}

function dosTable(partitions: { start: number; sectors: number }[]): Buffer {
  const sector = Buffer.alloc(512);
  for (const [i, { start, sectors }] of partitions.entries()) {
    const at = 446 + 16 * i;
    sector[at + 4] = 0x83;
    sector.writeUInt32LE(start, at + 8);
    sector.writeUInt32LE(sectors, at + 12);
  }
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

function stratisHeader(): Buffer {
  const file = path.join(packageRoot, "tests", "fixtures", "bda", "v1_plain-disk1.bin.gz");
  return gunzipSync(fs.readFileSync(file)).subarray(0, 8192);
}

const ROMFS_MAGIC = Buffer.from("-rom1fs-");
const UUID = Buffer.from("0123456789abcdef0123456789abcdef", "hex");
const UUID_TEXT = "01234567-89ab-cdef-0123-456789abcdef";

test("an empty disk has nothing", async (context) => {
  assert.deepEqual(await native().blkidProbe(disk(context)), NOTHING);
});

test("a superblock gives type, usage and uuid", async (context) => {
  assert.deepEqual(await native().blkidProbe(disk(context, [0, swapHeader(UUID)])), {
    ...NOTHING,
    type: "swap",
    usage: "other",
    uuid: UUID_TEXT,
  });
});

test("a Stratis device is one", async (context) => {
  const result = await native().blkidProbe(disk(context, [0, stratisHeader()]));
  assert.equal(result.type, "stratis");
  assert.equal(result.ambivalent, false);
  assert.match(String(result.uuid), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

test("a signature with a wrong checksum does not count", async (context) => {
  const header = stratisHeader();
  for (const at of [512, 512 + 4096]) header[at + 100] = (header[at + 100] ?? 0) ^ 1;
  for (const at of [512, 512 + 4096]) header[at] = (header[at] ?? 0) ^ 1;
  assert.deepEqual(await native().blkidProbe(disk(context, [0, header])), NOTHING);
});

test("a partition table and its partitions", async (context) => {
  const table = dosTable([
    { start: 2048, sectors: 4096 },
    { start: 8192, sectors: 2048 },
  ]);
  assert.deepEqual(await native().blkidProbe(disk(context, [0, table])), {
    ...NOTHING,
    partitionTable: "dos",
    partitions: 2,
  });
  assert.deepEqual(await native().blkidProbe(disk(context, [0, dosTable([])])), {
    ...NOTHING,
    partitionTable: "dos",
  });
});

test("two superblocks contradict each other", async (context) => {
  const result = await native().blkidProbe(disk(context, [0, swapHeader(UUID)], [0, ROMFS_MAGIC]));
  assert.deepEqual(result, { ...NOTHING, ambivalent: true });
});

test("a file without bytes has nothing", async (context) => {
  const file = path.join(temporaryFolder(context), "empty");
  fs.writeFileSync(file, "");
  assert.deepEqual(await native().blkidProbe(file), NOTHING);
});

test("what can't be probed is refused with its path", async (context) => {
  const folder = temporaryFolder(context);
  const missing = path.join(folder, "missing");
  await assert.rejects(
    native().blkidProbe(missing),
    failsWith({ code: "ENOENT", syscall: "open", target: missing }),
  );
  await assert.rejects(native().blkidProbe(folder), failsWith({ code: "ENOTBLK", target: folder }));
  await assert.rejects(native().blkidProbe("/dev/null"), failsWith({ code: "ENOTBLK" }));
  await assert.rejects(native().blkidProbe("a\0b"), failsWith({ code: "EINVAL", syscall: "blkidProbe" }));
  await assert.rejects(callUntyped(native(), "blkidProbe"), failsWith({ code: "EINVAL" }));
});
