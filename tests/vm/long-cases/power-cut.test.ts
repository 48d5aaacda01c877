/**
 * Power cuts: the life of a pool is recorded by the log-writes target, and what its devices durably held after each
 * flush is set up again. It must be the pool as it was before or after the operation that was under way, with all that
 * had been acknowledged; or nothing, before the pool's creation and after its destruction.
 *
 * STRATIS_CRASH_CUTS: at how many moments, spread evenly, beside the one after each operation; left out: at all.
 */
import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { after, before, test, type TestContext } from "node:test";
import { inspect } from "node:util";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { STRATIS_TOP } from "../guest/bus";
import { WriteLog } from "../guest/log-writes";
import { udevSettled } from "../guest/udev";
import {
  callStratis,
  closeBus,
  dmDevices,
  managedObjects,
  managerProperty,
  mountPoint,
  mustRun,
  poolProperties,
  sha256,
  startPoolByBus,
  stopPoolByBus,
  stratis,
  succeeded,
  unmountAll,
  until,
} from "../cases/support";

const POOL = "cut";
const POOL_INTERFACE = "org.storage.stratis3.pool.r9";
const MANAGER = "org.storage.stratis3.Manager.r9";
const LIMIT_MILLISECONDS = 4 * 3600_000;
/** The moments are tried in so many shares, each with a report of its own. */
const SHARES = 5;
const SECTORS_PER_GIB = 2 * 1024 * 1024;
/** The pool's devices are cut from one below, so that one log has the writes of all in their order. */
const PARTS = { a: 3, b: 2, c: 1 };
/** Where the first one begins: what is below must not carry a signature itself. */
const FIRST_SECTOR = 2048;
const SIZE = FIRST_SECTOR + Object.values(PARTS).reduce((sum, gib) => sum + gib * SECTORS_PER_GIB, 0);
const LOGGED = "case-cut-logged";
const REPLAYED = "case-cut-replayed";
const part = (name: string): string => `/dev/mapper/case-cut-${name}`;

/** What is compared: of a pool that can't be seen, nothing. */
type Seen = Record<string, unknown>;
const acknowledged: { name: string; seen: Seen }[] = [];

before(async () => {
  for (const serial of ["d0", "d1", "d2", "d3"]) await wipeDisk(await disk(serial));
  await mustRun("modprobe", ["-a", "dm-log-writes", "dm-snapshot"]);
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

async function createParts(parent: string): Promise<void> {
  let at = FIRST_SECTOR;
  for (const [name, gib] of Object.entries(PARTS)) {
    const length = gib * SECTORS_PER_GIB;
    await mustRun("dmsetup", ["create", `case-cut-${name}`, "--table", `0 ${length} linear ${parent} ${at}`]);
    at += length;
  }
  await udevSettled();
}

async function removeWithParts(parent: string): Promise<void> {
  const names = [...Object.keys(PARTS).map((name) => `case-cut-${name}`), parent];
  await mustRun("dmsetup", ["remove", "--retry", ...names]);
  await udevSettled();
}

/** The pool's name, devices and limit, its filesystems, and what is in them. */
async function look(): Promise<Seen> {
  const seen: Seen = {};
  const objects = Object.values(await managedObjects());
  const pool = objects.map((interfaces) => interfaces[POOL_INTERFACE]).find((found) => found !== undefined);
  if (pool === undefined) return seen;
  const name = String(pool["Name"]);
  seen["pool"] = name;
  for (const property of ["HasCache", "FsLimit", "AvailableActions"]) seen[property] = pool[property];
  seen["devices"] = objects.filter((found) => found["org.storage.stratis3.blockdev.r9"] !== undefined).length;
  const names: string[] = [];
  for (const interfaces of objects) {
    const filesystem = interfaces["org.storage.stratis3.filesystem.r9"];
    if (filesystem === undefined) continue;
    const own = String(filesystem["Name"]);
    names.push(own);
    seen[`size limit of ${own}`] = filesystem["SizeLimit"];
    const at = await mountPoint("looked-at");
    await mustRun("mount", ["-o", "nouuid", `/dev/stratis/${name}/${own}`, at]);
    seen[`content of ${own}`] = await sha256(`${at}/kept`).catch(() => "none");
    await mustRun("umount", [at]);
  }
  seen["filesystems"] = names.sort().join(" ");
  return seen;
}

/** Puts a new file in the place of the old one, at once and durably. */
async function writeKept(filesystem: string): Promise<void> {
  const at = await mountPoint("written");
  await mustRun("mount", [`/dev/stratis/${POOL}/${filesystem}`, at]);
  const options = ["bs=1M", "count=1", "conv=fsync", "status=none"];
  await mustRun("dd", ["if=/dev/urandom", `of=${at}/new`, ...options]);
  await mustRun("mv", [`${at}/new`, `${at}/kept`]);
  await mustRun("sync", [at]);
  await mustRun("umount", [at]);
}

async function restart(...options: string[]): Promise<void> {
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", ...options, "--name", POOL);
}

const OPERATIONS: Record<string, () => Promise<unknown>> = {
  "creation of a pool": () => stratis("pool", "create", POOL, part("a")),
  "creation of a filesystem": () => stratis("filesystem", "create", POOL, "fs", "--size", "600MiB"),
  "writing to it": () => writeKept("fs"),
  "a snapshot": () => stratis("filesystem", "snapshot", POOL, "fs", "snap"),
  "writing to the origin": () => writeKept("fs"),
  "a size limit": () => stratis("filesystem", "set-size-limit", POOL, "fs", "1GiB"),
  "another device, into which thin data grows": async () => {
    await until("all space is allocated", async () => (await poolProperties(POOL))["NoAllocSpace"] === true);
    await stratis("pool", "add-data", POOL, part("b"));
  },
  "a cache": () => stratis("pool", "init-cache", POOL, part("c")),
  "a revert": async () => {
    await stratis("filesystem", "schedule-revert", POOL, "snap");
    await restart();
  },
  "a start without the cache": () => restart("--remove-cache"),
  "another name for a filesystem": () => stratis("filesystem", "rename", POOL, "fs", "renamed"),
  "destruction of a filesystem": () => stratis("filesystem", "destroy", POOL, "renamed"),
  "another name for the pool": () => stratis("pool", "rename", POOL, "other"),
  "destruction of the pool": () => stratis("pool", "destroy", "other"),
};

test("a pool's life is recorded", async (context) => {
  await mustRun("dmsetup", [
    ...["create", LOGGED, "--table"],
    `0 ${SIZE} log-writes ${await disk("d0")} ${await disk("d1")}`,
  ]);
  await createParts(`/dev/mapper/${LOGGED}`);
  for (const [name, perform] of Object.entries(OPERATIONS)) {
    await perform();
    await mustRun("dmsetup", ["message", LOGGED, "0", "mark", name.replaceAll(" ", "-")]);
    acknowledged.push({ name, seen: await look() });
    context.diagnostic(`${name}: ${inspect(acknowledged.at(-1)?.seen, { breakLength: Infinity })}`);
  }
  await removeWithParts(LOGGED);
});

/** What differs between what is seen and what both of the acknowledged states have. */
function differences(seen: Seen, states: readonly Seen[]): string[] {
  const keys = new Set([seen, ...states].flatMap((state) => Object.keys(state)));
  return [...keys].flatMap((key) => {
    const [found = "", ...allowed] = [seen, ...states].map((state) => inspect(state[key]));
    return allowed.includes(found) ? [] : [`${key} is ${found}, not ${allowed.join(" or ")}`];
  });
}

const stoppedPools = async (): Promise<string[]> =>
  Object.keys((await managerProperty("r9", "StoppedPools")) as object);

/** Lets the daemon find what is there, and starts a pool that was stopped. */
async function setUp(): Promise<Seen> {
  const refreshed = await callStratis(STRATIS_TOP, MANAGER, "RefreshState", "", []);
  assert.equal(refreshed.code, 0, refreshed.message);
  for (const uuid of await stoppedPools()) await succeeded(startPoolByBus({ uuid }));
  const seen = await look();
  if (seen["pool"] === undefined) assert.deepEqual(await dmDevices(), [], "devices of no pool");
  return seen;
}

async function takeDown(): Promise<void> {
  await unmountAll();
  for (const interfaces of Object.values(await managedObjects())) {
    const name = interfaces[POOL_INTERFACE]?.["Name"];
    if (typeof name === "string") await succeeded(stopPoolByBus(name));
  }
}

/** The moments at which to cut. */
function cutsOf(log: WriteLog): number[] {
  const all = log.moments();
  const wanted = process.env["STRATIS_CRASH_CUTS"];
  if (wanted === undefined || wanted === "all") return all;
  const step = Math.max(1, all.length / Number(wanted));
  const spread = new Set(Array.from({ length: Number(wanted) }, (_, index) => all[Math.floor(index * step)]));
  return all.filter(
    (cut, index) => spread.has(cut) || log.marksBefore(cut) > log.marksBefore(all[index - 1] ?? 0),
  );
}

/** Tries `cuts`, which are in the order of their moments. */
async function tryCuts(context: TestContext, log: WriteLog, cuts: readonly number[]): Promise<void> {
  const started = Date.now();
  await wipeDisk(await disk("d2"));
  const target = await open(await disk("d2"), "r+");
  const failures: string[] = [];
  let replayed = 0;
  for (const cut of cuts) {
    await log.replay(target, replayed, cut);
    replayed = cut;
    const done = log.marksBefore(cut);
    const states = [acknowledged[done - 1]?.seen ?? {}, acknowledged[done]?.seen ?? {}];
    await mustRun("dmsetup", [
      ...["create", REPLAYED, "--table"],
      `0 ${SIZE} snapshot ${await disk("d2")} ${await disk("d3")} N 16`,
    ]);
    await createParts(`/dev/mapper/${REPLAYED}`);
    const where = `after entry ${cut} of ${log.entries.length}, with ${done} operations done`;
    try {
      const found = differences(await setUp(), states);
      if (found.length > 0) failures.push(`${where}: ${found.join("; ")}`);
    } catch (error) {
      failures.push(`${where}: ${String(error)}`);
    }
    await takeDown();
    await removeWithParts(REPLAYED);
  }
  await target.close();
  const seconds = Math.round((Date.now() - started) / 1000);
  context.diagnostic(
    `${cuts.length} of ${log.moments().length} moments, ${failures.length} failed, ${log.entries.length} entries, ${seconds} s`,
  );
  assert.equal(failures.length, 0, failures.join("\n"));
}

// Each share goes through all of the recording.
for (let share = 0; share < SHARES; share += 1)
  test(
    `after each flush it is whole, with all that was acknowledged: share ${share + 1} of ${SHARES}`,
    { timeout: LIMIT_MILLISECONDS },
    async (context) => {
      assert.equal(acknowledged.length, Object.keys(OPERATIONS).length, "the recording is not complete");
      const log = await WriteLog.open(await disk("d1"));
      await tryCuts(
        context,
        log,
        cutsOf(log).filter((_, index) => index % SHARES === share),
      );
      await log.close();
    },
  );
