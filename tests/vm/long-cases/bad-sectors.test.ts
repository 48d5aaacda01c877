/** Devices of which a part can't be read or written: in the metadata area, in thin metadata, in what a pool grows into. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  closeBus,
  dmDevices,
  mustRun,
  poolProperties,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
  until,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POOL = "scarred";
const DEVICE = "case-scarred";
const SECOND = "case-scarred-too";
const SECTORS_PER_GIB = 2 * 1024 * 1024;
/** A V2 pool on one device has its thin metadata behind the header and the space kept for LUKS2. */
const THIN_META_SECTOR = 8192 + 34816;
/** Of the first region of the metadata area. */
const REGION_SECTOR = 16;
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

interface Bad {
  at: number;
  sectors: number;
}

/** A table of that many GiB of a disk, with a part that fails. */
async function tableOf(serial: string, gib: number, bad?: Bad): Promise<string[]> {
  const path = await disk(serial);
  const size = gib * SECTORS_PER_GIB;
  if (bad === undefined) return [`0 ${size} linear ${path} 0`];
  const end = bad.at + bad.sectors;
  return [
    `0 ${bad.at} linear ${path} 0`,
    `${bad.at} ${bad.sectors} error`,
    `${end} ${size - end} linear ${path} ${end}`,
  ];
}

async function create(name: string, table: string[]): Promise<void> {
  await mustRun("dmsetup", ["create", "--concise", `${name},,,rw,${table.join(",")}`]);
  await mustRun("udevadm", ["settle", "--timeout=60"]);
}

/** What is being written meanwhile is not waited for. */
async function change(name: string, table: string[]): Promise<void> {
  await mustRun("dmsetup", ["suspend", "--noflush", "--nolockfs", name]);
  await mustRun("sh", ["-c", `printf '%s\\n' "$@" | dmsetup load ${name}`, "sh", ...table]);
  await mustRun("dmsetup", ["resume", name]);
  await mustRun("udevadm", ["settle", "--timeout=60"]);
}

async function verifyKept(): Promise<void> {
  await kept.mountAndCompare();
  await unmountAll();
}

test("a pool with a bad sector in a region of its metadata area starts, and can be changed", async () => {
  await create(DEVICE, await tableOf("d0", 3));
  await stratis("pool", "create", POOL, `/dev/mapper/${DEVICE}`);
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  await kept.write(8);
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await change(DEVICE, await tableOf("d0", 3, { at: REGION_SECTOR, sectors: 8 }));
  await stratis("pool", "start", "--name", POOL);
  assert.equal((await poolProperties(POOL))["AvailableActions"], "fully_operational");
  // Each pair of regions is written to at least once.
  for (const name of ["other", "another", POOL]) {
    const old = name === "other" ? POOL : name === "another" ? "other" : "another";
    await stratis("pool", "rename", old, name);
  }
  const log = (await mustRun("journalctl", ["-q", "-o", "cat", "-u", "stratisd"])).stdout;
  assert.match(log, /has one copy less on \S+: MDA region 0 can't be written/);
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
  await verifyKept();
});

test("thin metadata that can't be written stops changes, which shows; with the device back a start heals it", async () => {
  await change(DEVICE, await tableOf("d0", 3, { at: THIN_META_SECTOR, sectors: 8192 }));
  assert.match(await stratisFails("filesystem", "create", POOL, "more", "--size", "600MiB"), /./);
  await until(
    "the pool permits less",
    async () => (await poolProperties(POOL))["AvailableActions"] !== "fully_operational",
  );
  assert.match(await stratis("pool", "list"), /EM00[12]/);
  await change(DEVICE, await tableOf("d0", 3));
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
  await create(SECOND, await tableOf("d1", 2, { at: REGION_SECTOR, sectors: 2032 }));
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
