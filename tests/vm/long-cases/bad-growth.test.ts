/** A device that fails in the middle of a thin pool's growth: what it grows into, or where its metadata is. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { beforeStep, startCountedDaemon, stepsSoFar } from "../guest/crash-points";
import { stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  closeBus,
  dmDevices,
  dmLength,
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
import {
  badTable,
  changeCommand,
  changeDevice,
  createDevice,
  type BadPart,
  type Piece,
} from "./bad-device-support";

const POOL = "outgrown";
const DEVICE = "case-outgrown";
const SECTORS_PER_GIB = 2 * 1024 * 1024;
/** A V2 pool on one device has its thin metadata behind the header and the space kept for LUKS2. */
const THIN_META_SECTOR = 8192 + 34816;
const THIN_META_SECTORS = 8192;
/** So many filesystems need more thin metadata than one block of its space map describes, so that one is added. */
const MANY_FILESYSTEMS = 5000;
const kept = new KeptFile(POOL, "fs");
let pieces: Piece[] = [];

before(async () => {
  for (const serial of ["d0", "d1", "d4", "d5", "big"]) await wipeDisk(await disk(serial));
  await startCountedDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

async function createPool(gibOf: Record<string, number>): Promise<void> {
  pieces = [];
  for (const [serial, gib] of Object.entries(gibOf))
    pieces.push({ path: await disk(serial), size: gib * SECTORS_PER_GIB });
  await createDevice(DEVICE, badTable(pieces));
  await stratis("pool", "create", POOL, `/dev/mapper/${DEVICE}`);
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  await kept.write(8);
  // Nothing is to be written before the pool grows.
  await unmountAll();
}

const fail = (part: BadPart): Promise<void> => changeDevice(DEVICE, badTable(pieces, part));
const availability = async (): Promise<unknown> => (await poolProperties(POOL))["AvailableActions"];

/** That the pool permits less can be seen, and why no change is made; nothing of it is suspended. */
async function requireRestricted(): Promise<void> {
  await until("the pool permits less", async () => (await availability()) !== "fully_operational");
  assert.match(await stratis("pool", "list"), /EM00[12]/);
  assert.match(
    await stratisFails("filesystem", "create", POOL, "another", "--size", "600MiB"),
    /NoRequests|NoPoolChanges/,
  );
  const { stdout } = await mustRun("dmsetup", ["info", "-c", "--noheadings", "-o", "suspended,name"]);
  assert.doesNotMatch(stdout, /^Suspended.*stratis/m);
}

/** With the device as good as new, and a new start, all is as it should be. */
async function heal(): Promise<void> {
  await changeDevice(DEVICE, badTable(pieces));
  await until(
    "the pool can be stopped",
    async () => (await stratisCommand("pool", "stop", "--name", POOL)).status === 0,
  );
  await stratis("pool", "start", "--name", POOL);
  assert.equal(await availability(), "fully_operational");
  await kept.mountAndCompare();
  await unmountAll();
  await stratis("filesystem", "create", POOL, "another", "--size", "600MiB");
}

async function destroyAll(): Promise<void> {
  await stratis("filesystem", "destroy", POOL, "fs", "another");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
  await mustRun("dmsetup", ["remove", "--retry", DEVICE]);
}

interface Metadata {
  backstore: { data_tier: { blockdev: { allocs: { start: number; length: number }[][] } } };
}

/** The first sector of the device that the pool has not allocated. */
async function firstFree(): Promise<number> {
  const text = await stratis("pool", "debug", "get-metadata", "--name", POOL);
  const { backstore } = JSON.parse(text) as Metadata;
  return Math.max(...backstore.data_tier.blockdev.allocs.flat().map(({ start, length }) => start + length));
}

test("what thin metadata grows into can't be written: the pool shows it, and has grown when it is started with the device back", async () => {
  await createPool({ big: 40, d4: 12, d5: 12 });
  const before = await dmLength(/flex-thinmeta/);
  await fail({ at: await firstFree(), sectors: SECTORS_PER_GIB });
  const { status, stderr } = await stratisCommand("pool", "set-fs-limit", POOL, String(MANY_FILESYSTEMS));
  await requireRestricted();
  await heal();
  if (status !== 0) {
    assert.notEqual(stderr, "");
    await stratis("pool", "set-fs-limit", POOL, String(MANY_FILESYSTEMS));
  }
  assert.equal((await poolProperties(POOL))["FsLimit"], BigInt(MANY_FILESYSTEMS));
  assert.ok((await dmLength(/flex-thinmeta/)) > before);
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
  await kept.mountAndCompare();
  await unmountAll();
  const check = await run("xfs_repair", ["-n", `/dev/stratis/${POOL}/fs`]);
  assert.equal(check.status, 0, check.stdout + check.stderr);
  await destroyAll();
});

test("thin metadata fails while thin data grows: the pool shows it, and grows when it is started with the device back", async (context) => {
  await createPool({ d0: 3 });
  await until("all space is allocated", async () => (await poolProperties(POOL))["NoAllocSpace"] === true);
  const before = await dmLength(/flex-thindata/);
  const bad = badTable(pieces, { at: THIN_META_SECTOR, sectors: THIN_META_SECTORS });
  beforeStep(/^load .*flex-thindata/, changeCommand(DEVICE, bad));
  const added = await stratisCommand("pool", "add-data", POOL, await disk("d1"));
  context.diagnostic(`add-data ended with ${String(added.status)}: ${added.stderr}`);
  // By the next check, which extends the pool.
  await requireRestricted();
  const steps = stepsSoFar();
  assert.ok(
    steps.some((step) => /^load .*flex-thindata/.test(step)),
    steps.join("; "),
  );
  await heal();
  await until("thin data has grown", async () => (await dmLength(/flex-thindata/)) > before);
  assert.equal(await dmLength(/thinpool-pool/), await dmLength(/flex-thindata/));
  const { stdout } = await mustRun("dmsetup", ["status", "--target", "thin-pool"]);
  assert.match(stdout, / rw /, stdout);
  await destroyAll();
});
