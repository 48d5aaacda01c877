/** Devices and metadata that fail: each ends in a state that can be read, with a way forward that works. */
import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import {
  closeBus,
  mustRun,
  poolProperties,
  run,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
  until,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POOL = "faulty";
const DEVICE = "case-faulty";
const SECTORS = 3 * 2 * 1024 * 1024;
/** A V2 pool on one device has its thin metadata behind the header and the space kept for LUKS2. */
const THIN_META_BYTES = (8192 + 34816) * 512;
/** Where the superblock of thin metadata says at which block the bitmap of data blocks begins. */
const BITMAP_ROOT_AT = 80;
const META_BLOCK_BYTES = 4096;

before(async () => {
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

async function setTable(target: "linear" | "error", creates = false): Promise<void> {
  const table = target === "error" ? `0 ${SECTORS} error` : `0 ${SECTORS} linear ${await disk("d0")} 0`;
  if (creates) await mustRun("dmsetup", ["create", DEVICE, "--table", table]);
  else {
    await mustRun("dmsetup", ["suspend", "--noflush", "--nolockfs", DEVICE]);
    await mustRun("dmsetup", ["load", DEVICE, "--table", table]);
    await mustRun("dmsetup", ["resume", DEVICE]);
  }
  await udevSettled();
}

async function readMetaBlock(block: bigint): Promise<Buffer> {
  const file = await open(await disk("d0"), "r");
  try {
    const buffer = Buffer.alloc(META_BLOCK_BYTES);
    await file.read(buffer, 0, META_BLOCK_BYTES, THIN_META_BYTES + Number(block) * META_BLOCK_BYTES);
    return buffer;
  } finally {
    await file.close();
  }
}

async function overwrite(block: bigint, blocks: number): Promise<void> {
  const at = THIN_META_BYTES / META_BLOCK_BYTES + Number(block);
  await mustRun("dd", [
    ...["if=/dev/zero", `of=/dev/mapper/${DEVICE}`, `bs=${META_BLOCK_BYTES}`, `seek=${at}`],
    ...[`count=${blocks}`, "oflag=direct", "conv=notrunc", "status=none"],
  ]);
}

const kept = new KeptFile(POOL, "fs");

test("a full pool fails its writer, and goes on when it gets a disk, without a restart", async () => {
  const [first, second] = [await disk("d0"), await disk("big")];
  for (const path of [first, second]) await wipeDisk(path);
  await setTable("linear", true);
  await stratis("pool", "create", POOL, `/dev/mapper/${DEVICE}`);
  await stratis("filesystem", "create", POOL, "fs", "--size", "8GiB");
  const at = await kept.write(20);
  await until(
    "no space is left to allocate",
    async () => (await poolProperties(POOL))["NoAllocSpace"] === true,
  );
  assert.match(await stratis("pool", "list"), /WS001/);
  const writer = await run("dd", [
    "if=/dev/zero",
    `of=${at}/fills`,
    "bs=4M",
    "count=1200",
    "conv=fsync",
    "status=none",
  ]);
  assert.notEqual(writer.status, 0, "more than there is can't be written");
  await stratis("pool", "add-data", POOL, second);
  assert.equal((await poolProperties(POOL))["NoAllocSpace"], false);
  const { stdout } = await mustRun("dmsetup", ["status", "--target", "thin-pool"]);
  assert.match(stdout, / rw /, stdout);
  await mustRun("dd", ["if=/dev/zero", `of=${at}/more`, "bs=1M", "count=50", "conv=fsync", "status=none"]);
  await kept.compare();
  await unmountAll();
  await stratis("filesystem", "destroy", POOL, "fs");
  await stratis("pool", "destroy", POOL);
});

test("a device that fails under a pool shows in what the pool permits; with the device back a new start heals it", async () => {
  await wipeDisk(await disk("d0"));
  await stratis("pool", "create", POOL, `/dev/mapper/${DEVICE}`);
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  const at = await kept.write(20);
  await setTable("error");
  await run("dd", ["if=/dev/zero", `of=${at}/lost`, "bs=1M", "count=20", "conv=fsync", "status=none"]);
  await until(
    "the pool permits less",
    async () => (await poolProperties(POOL))["AvailableActions"] !== "fully_operational",
  );
  assert.match(await stratis("pool", "list"), /EM00[12]/);
  assert.match(await stratisFails("filesystem", "create", POOL, "another"), /NoRequests|NoPoolChanges/);
  await mustRun("umount", ["--lazy", at]);
  await setTable("linear");
  await until(
    "the pool can be stopped",
    async () => (await stratisCommand("pool", "stop", "--name", POOL)).status === 0,
  );
  await stratis("pool", "start", "--name", POOL);
  assert.equal((await poolProperties(POOL))["AvailableActions"], "fully_operational");
  await kept.mountAndCompare();
  await unmountAll();
});

test("damaged thin-pool metadata is repaired into the spare at the start", async () => {
  await stratis("pool", "stop", "--name", POOL);
  const superblock = await readMetaBlock(0n);
  await overwrite(superblock.readBigUInt64LE(BITMAP_ROOT_AT), 1);
  await stratis("pool", "start", "--name", POOL);
  await kept.mountAndCompare();
  await unmountAll();
  const log = (await mustRun("journalctl", ["-q", "-o", "cat", "-u", "stratisd"])).stdout;
  assert.match(log, /repairing it into the spare/);
  const metadata = JSON.parse(
    await stratis("pool", "debug", "get-metadata", "--written", "--name", POOL),
  ) as {
    flex_devs: { thin_meta_dev: [number, number][]; thin_meta_dev_spare: [number, number][] };
  };
  const [now, spare] = [metadata.flex_devs.thin_meta_dev[0], metadata.flex_devs.thin_meta_dev_spare[0]];
  assert.ok(
    now !== undefined && spare !== undefined && now[0] > spare[0],
    "the two have changed places on disk",
  );
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
});

test("metadata beyond repair keeps the pool stopped, says so, and leaves the data where it is", async () => {
  await stratis("pool", "stop", "--name", POOL);
  // Both copies: what was the spare is the second.
  const saved = await mustRun("sh", [
    "-c",
    `dd if=/dev/mapper/${DEVICE} of=/run/case-meta bs=${META_BLOCK_BYTES} skip=${THIN_META_BYTES / META_BLOCK_BYTES} count=4096 status=none`,
  ]);
  assert.equal(saved.status, 0);
  await overwrite(0n, 4096);
  assert.match(await stratisFails("pool", "start", "--name", POOL), /could not be repaired/);
  assert.match(await stratis("pool", "list", "--stopped"), new RegExp(POOL));
  assert.equal((await run("dmsetup", ["ls"])).stdout.includes("thinpool-pool"), false);
  // With the metadata back, it is as it was.
  await mustRun("dd", [
    ...[
      `of=/dev/mapper/${DEVICE}`,
      "if=/run/case-meta",
      `bs=${META_BLOCK_BYTES}`,
      "conv=notrunc",
      "oflag=direct",
    ],
    ...[`seek=${THIN_META_BYTES / META_BLOCK_BYTES}`, "status=none"],
  ]);
  await stratis("pool", "start", "--name", POOL);
  await kept.mountAndCompare();
  await unmountAll();
  await stratis("filesystem", "destroy", POOL, "fs");
  await stratis("pool", "destroy", POOL);
  await mustRun("dmsetup", ["remove", "--retry", DEVICE]);
});
