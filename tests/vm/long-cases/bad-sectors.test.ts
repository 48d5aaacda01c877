/** Devices of which a part can't be read or written: in the metadata area, in thin metadata, in what a pool grows into. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevLooksAt, udevSettled } from "../guest/udev";
import {
  closeBus,
  dmDevices,
  mustRun,
  poolProperties,
  run,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
  until,
} from "../cases/support";
import { badTable, changeDevice, createDevice, type BadPart } from "./bad-device-support";
import { KeptFile } from "../cases/kept-file";

const POOL = "scarred";
const DEVICE = "case-scarred";
const SECOND = "case-scarred-too";
const SECTORS_PER_GIB = 2 * 1024 * 1024;
/** A V2 pool on one device has its thin metadata behind the header and the space kept for LUKS2. */
const THIN_META_SECTOR = 8192 + 34816;
/** Of the first region of the metadata area. */
const REGION_SECTOR = 16;
const REGIONS_SECTORS = 2032;
/** Of one copy of the header. */
const COPY_SECTORS = 8;
const kept = new KeptFile(POOL, "fs");

before(async () => {
  for (const serial of ["d0", "d1"]) await wipeDisk(await disk(serial));
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

/** A table of that many GiB of a disk, with a part that fails. */
const tableOf = async (serial: string, gib: number, bad?: BadPart): Promise<string[]> =>
  badTable([{ path: await disk(serial), size: gib * SECTORS_PER_GIB }], bad);

/** A disk that couldn't read a sector puts another in its place when it is written to. */
async function remapCopy(copy: 0 | 1): Promise<void> {
  await changeDevice(DEVICE, await tableOf("d0", 3));
  await mustRun("dd", [
    ...["if=/dev/zero", `of=/dev/mapper/${DEVICE}`, "bs=4096", `seek=${copy}`, "count=1"],
    ...["oflag=direct", "conv=notrunc", "status=none"],
  ]);
  await udevSettled();
}

/** As at a boot: nothing is known of the devices. */
async function findAnew(): Promise<void> {
  await stopDaemon();
  await mustRun("blockdev", ["--flushbufs", `/dev/mapper/${DEVICE}`]);
  // Flushing keeps what somebody was just reading.
  await writeFile("/proc/sys/vm/drop_caches", "1");
  await udevLooksAt(`/dev/mapper/${DEVICE}`, "add");
  await startDaemon();
}

const journal = async (): Promise<string> =>
  (await mustRun("journalctl", ["-q", "-o", "cat", "-u", "stratisd"])).stdout;

async function verifyKept(): Promise<void> {
  await kept.mountAndCompare();
  await unmountAll();
}

test("a pool with a bad sector in a region of its metadata area starts, and can be changed", async () => {
  await createDevice(DEVICE, await tableOf("d0", 3));
  await stratis("pool", "create", POOL, `/dev/mapper/${DEVICE}`);
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  await kept.write(8);
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await changeDevice(DEVICE, await tableOf("d0", 3, { at: REGION_SECTOR, sectors: 8 }));
  await stratis("pool", "start", "--name", POOL);
  assert.equal((await poolProperties(POOL))["AvailableActions"], "fully_operational");
  // Each pair of regions is written to at least once.
  for (const name of ["other", "another", POOL]) {
    const old = name === "other" ? POOL : name === "another" ? "other" : "another";
    await stratis("pool", "rename", old, name);
  }
  assert.match(await journal(), /has one copy less on \S+: MDA region 0 can't be written/);
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
  await verifyKept();
});

test("a pool whose record can't be saved permits no changes, until it can be saved again", async () => {
  await changeDevice(DEVICE, await tableOf("d0", 3, { at: REGION_SECTOR, sectors: REGIONS_SECTORS }));
  assert.match(
    await stratisFails("pool", "rename", POOL, "other"),
    /Failed to save the metadata of pool "other" on any device/,
  );
  assert.match(await stratis("pool", "list"), /EM001/);
  assert.match(await stratisFails("filesystem", "create", POOL, "another"), /NoRequests/);
  await changeDevice(DEVICE, await tableOf("d0", 3));
  await until(
    "the pool permits changes",
    async () => (await poolProperties(POOL))["AvailableActions"] === "fully_operational",
  );
  await stratis("pool", "rename", POOL, "other");
  await stratis("pool", "rename", "other", POOL);
  await verifyKept();
});

for (const [copy, name] of [
  [1, "second"],
  [0, "first"],
] as const)
  test(`the ${name} copy of the header can't be read, so that udev names nothing: the pool starts by the other, and it is mended later`, async () => {
    await stratis("pool", "stop", "--name", POOL);
    await changeDevice(DEVICE, await tableOf("d0", 3, { at: copy * COPY_SECTORS, sectors: COPY_SECTORS }));
    await findAnew();
    assert.equal((await run("blkid", ["-p", `/dev/mapper/${DEVICE}`])).stdout, "");
    assert.match(await stratis("pool", "list", "--stopped"), new RegExp(POOL));
    await stratis("pool", "start", "--name", POOL);
    await verifyKept();
    const number = copy + 1;
    assert.match(await journal(), new RegExp(`Copy ${number} of the Stratis header .* could not be mended`));
    await stratis("pool", "stop", "--name", POOL);
    await remapCopy(copy);
    await findAnew();
    assert.match(await journal(), new RegExp(`Mended copy ${number} of the Stratis header`));
    await stratis("pool", "start", "--name", POOL);
    await verifyKept();
  });

test("thin metadata that can't be written stops changes, which shows; with the device back a start heals it", async () => {
  await changeDevice(DEVICE, await tableOf("d0", 3, { at: THIN_META_SECTOR, sectors: 8192 }));
  assert.match(await stratisFails("filesystem", "create", POOL, "more", "--size", "600MiB"), /./);
  await until(
    "the pool permits less",
    async () => (await poolProperties(POOL))["AvailableActions"] !== "fully_operational",
  );
  assert.match(await stratis("pool", "list"), /EM00[12]/);
  await changeDevice(DEVICE, await tableOf("d0", 3));
  await until(
    "the pool can be stopped",
    async () => (await stratisCommand("pool", "stop", "--name", POOL)).status === 0,
  );
  await stratis("pool", "start", "--name", POOL);
  assert.equal((await poolProperties(POOL))["AvailableActions"], "fully_operational");
  await verifyKept();
  await stratis("filesystem", "create", POOL, "more", "--size", "600MiB");
});

test("a device that can't be read where its metadata would be is not added, and named in the error", async () => {
  await createDevice(SECOND, await tableOf("d1", 2, { at: REGION_SECTOR, sectors: REGIONS_SECTORS }));
  assert.match(
    await stratisFails("pool", "add-data", POOL, `/dev/mapper/${SECOND}`),
    /unsuitable for initialization; .*\/dev\/dm-\d+ failed: EIO \(Input\/output error\)/,
  );
});

test("it is destroyed with all its devices", async () => {
  await stratis("filesystem", "destroy", POOL, "fs", "more");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
  await mustRun("dmsetup", ["remove", "--retry", DEVICE, SECOND]);
});
