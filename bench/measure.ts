/** Runs in the guest: measures, reports progress on standard error, and prints the measurements as JSON. */
import { execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { STRATIS_TOP, SystemBus } from "../tests/vm/guest/bus";
import { daemonPid, startDaemon, stopDaemon } from "../tests/vm/guest/daemon";
import { disk } from "../tests/vm/guest/disks";
import { median } from "./median";

/** Times in seconds. */
export interface Measurements {
  startToName: number;
  startToAnswer: number;
  createPool: number;
  createFilesystem: number;
  snapshotUnmounted: number;
  snapshotMounted: number;
  rename: number;
  destroyFilesystem: number;
  destroyPool: number;
  restartWith24: number;
  managedObjectsWith24: number;
  lowWaterToResumed: number;
  filesystemMiB: number;
  snapshotMiB: number;
  residentIdleMB: number;
  residentWith24MB: number;
}

const MANAGER = "org.storage.stratis3.Manager.r9";
const POOL = "org.storage.stratis3.pool.r9";
const FILESYSTEM = "org.storage.stratis3.filesystem.r9";
const RUNS = 5;
const MANY = 24;
const MOUNT = "/run/stratis-bench";
/** Fills the pool of the disk "first" to below its low-water mark. */
const FILL_MIB = 900;
const GROWTH_MILLISECONDS = 60_000;
/** For the daemon's garbage and the kernel's accounting to come to rest. */
const REST_MILLISECONDS = 3000;

const run = promisify(execFile);
const say = (text: string): void => {
  process.stderr.write(`bench: ${text}\n`);
};

async function seconds(work: () => Promise<unknown>): Promise<number> {
  const started = process.hrtime.bigint();
  await work();
  return Number(process.hrtime.bigint() - started) / 1e9;
}

async function medianOf(runs: number, work: (index: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < runs; index++) times.push(await seconds(() => work(index)));
  return median(times);
}

class Daemon {
  constructor(private readonly bus: SystemBus) {}

  async createPool(name: string, devices: string[]): Promise<string> {
    const signature = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
    const result = (await this.bus.mustCall(STRATIS_TOP, MANAGER, "CreatePool", signature, [
      ...[name, devices, [], [], [false, 0n], [false, ""], [false, false]],
    ])) as [boolean, [string, string[]]];
    return result[1][0];
  }

  async destroyPool(pool: string): Promise<void> {
    await this.bus.mustCall(STRATIS_TOP, MANAGER, "DestroyPool", "o", [pool]);
  }

  async addData(pool: string, devices: string[]): Promise<void> {
    await this.bus.mustCall(pool, POOL, "AddDataDevs", "as", [devices]);
  }

  async createFilesystem(pool: string, name: string): Promise<string> {
    const result = (await this.bus.mustCall(pool, POOL, "CreateFilesystems", "a(s(bs)(bs))", [
      [[name, [false, ""], [false, ""]]],
    ])) as [boolean, [string, string][]];
    const made = result[1][0];
    if (made === undefined) throw new Error(`CreateFilesystems made no ${name}`);
    return made[0];
  }

  async snapshot(pool: string, origin: string, name: string): Promise<string> {
    const result = (await this.bus.mustCall(pool, POOL, "SnapshotFilesystem", "os", [origin, name])) as [
      boolean,
      string,
    ];
    return result[1];
  }

  async destroyFilesystems(pool: string, filesystems: string[]): Promise<void> {
    await this.bus.mustCall(pool, POOL, "DestroyFilesystems", "ao", [filesystems]);
  }

  async rename(filesystem: string, name: string): Promise<void> {
    await this.bus.mustCall(filesystem, FILESYSTEM, "SetName", "s", [name]);
  }
}

/** Data blocks (of 1 MiB) of the only thin pool: used and all. */
async function thinPool(): Promise<{ used: number; all: number }> {
  const { stdout } = await run("dmsetup", ["status", "--target", "thin-pool"]);
  const found = / thin-pool \d+ \d+\/\d+ (\d+)\/(\d+) /.exec(stdout);
  if (found === null) throw new Error(`No thin pool in what dmsetup says: ${stdout}`);
  return { used: Number(found[1]), all: Number(found[2]) };
}

async function residentMB(): Promise<number> {
  await sleep(REST_MILLISECONDS);
  const status = readFileSync(`/proc/${await daemonPid()}/status`, "utf8");
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (found === null) throw new Error("The daemon's status has no VmRSS");
  return (Number(found[1]) * 1024) / 1e6;
}

async function measureStarts(bus: SystemBus): Promise<[number, number]> {
  const toName: number[] = [];
  const toAnswer: number[] = [];
  for (let index = 0; index < RUNS; index++) {
    let named = 0;
    const answered = await seconds(async () => {
      named = await seconds(() => startDaemon({ direct: true }));
      await bus.managedObjects();
    });
    toName.push(named);
    toAnswer.push(answered);
    await stopDaemon();
  }
  return [median(toName), median(toAnswer)];
}

interface Space {
  before: number;
  after: number;
}

async function spaceOf(work: () => Promise<unknown>): Promise<number> {
  const space: Space = { before: (await thinPool()).used, after: 0 };
  await work();
  space.after = (await thinPool()).used;
  return space.after - space.before;
}

async function measurePools(daemon: Daemon, device: string): Promise<[number, number]> {
  const creations: number[] = [];
  const destructions: number[] = [];
  for (let index = 0; index < RUNS; index++) {
    let pool = "";
    creations.push(await seconds(async () => (pool = await daemon.createPool("bench", [device]))));
    destructions.push(await seconds(() => daemon.destroyPool(pool)));
  }
  return [median(creations), median(destructions)];
}

type FilesystemFigures = Pick<
  Measurements,
  | "createFilesystem"
  | "snapshotUnmounted"
  | "snapshotMounted"
  | "rename"
  | "destroyFilesystem"
  | "filesystemMiB"
  | "snapshotMiB"
>;

async function measureFilesystems(daemon: Daemon, pool: string): Promise<FilesystemFigures> {
  const made: string[] = [];
  const filesystemMiB = await spaceOf(async () => made.push(await daemon.createFilesystem(pool, "space")));
  const origin = made[0] ?? "";
  const snapshotMiB = await spaceOf(async () =>
    made.push(await daemon.snapshot(pool, origin, "space-snapshot")),
  );
  const createFilesystem = await medianOf(RUNS, async (index) =>
    made.push(await daemon.createFilesystem(pool, `fs${index}`)),
  );
  const snapshotUnmounted = await medianOf(RUNS, async (index) =>
    made.push(await daemon.snapshot(pool, origin, `unmounted${index}`)),
  );
  mkdirSync(MOUNT, { recursive: true });
  await run("mount", ["/dev/stratis/bench/space", MOUNT]);
  const snapshotMounted = await medianOf(RUNS, async (index) =>
    made.push(await daemon.snapshot(pool, origin, `mounted${index}`)),
  );
  await run("umount", [MOUNT]);
  const rename = await medianOf(RUNS, (index) => daemon.rename(origin, `renamed${index}`));
  const destroyFilesystem = await medianOf(RUNS, async () => {
    const last = made.pop();
    if (last !== undefined) await daemon.destroyFilesystems(pool, [last]);
  });
  await daemon.destroyFilesystems(pool, made);
  return {
    ...{ createFilesystem, snapshotUnmounted, snapshotMounted, rename, destroyFilesystem },
    ...{ filesystemMiB, snapshotMiB },
  };
}

/** Until the daemon has announced every one of the filesystems. */
async function measureRestart(bus: SystemBus): Promise<number> {
  await stopDaemon();
  return await seconds(async () => {
    await startDaemon({ direct: true });
    const isThere = (interfaces: Record<string, unknown>): boolean => FILESYSTEM in interfaces;
    while (Object.values(await bus.managedObjects()).filter(isThere).length < MANY) await sleep(50);
  });
}

/**
 * From the moment that the kernel reports the event (to a `dmsetup wait` of ours, as it does to the daemon) until the
 * pool shows its new size, which it does once its larger table is resumed.
 */
async function measureLowWater(daemon: Daemon, first: string, second: string): Promise<number> {
  const pool = await daemon.createPool("low", [first]);
  const filesystem = await daemon.createFilesystem(pool, "fill");
  await daemon.addData(pool, [second]);
  const { stdout } = await run("dmsetup", ["ls", "--target", "thin-pool"]);
  const name = stdout.split(/\s/)[0] ?? "";
  const { all } = await thinPool();
  await run("mount", ["/dev/stratis/low/fill", MOUNT]);
  const events = (await run("dmsetup", ["info", "-c", "--noheadings", "-o", "events", name])).stdout.trim();
  const event = run("dmsetup", ["wait", name, events], { timeout: 10 * GROWTH_MILLISECONDS });
  const writer = spawn(
    "dd",
    ["if=/dev/zero", `of=${MOUNT}/fill`, "bs=1M", `count=${FILL_MIB}`, "conv=fsync"],
    {
      stdio: "ignore",
    },
  );
  const written = new Promise((resolve) => writer.on("close", resolve));
  await event;
  const latency = await seconds(async () => {
    const end = Date.now() + GROWTH_MILLISECONDS;
    while ((await thinPool()).all === all)
      if (Date.now() > end)
        throw new Error(`The pool had not grown ${GROWTH_MILLISECONDS} ms after the event`);
  });
  await written;
  await run("umount", [MOUNT]);
  await daemon.destroyFilesystems(pool, [filesystem]);
  await daemon.destroyPool(pool);
  return latency;
}

async function main(): Promise<void> {
  const bus = await SystemBus.open();
  const daemon = new Daemon(bus);
  const device = await disk("bench");
  say("starts of the daemon");
  const [startToName, startToAnswer] = await measureStarts(bus);
  await startDaemon({ direct: true });
  const residentIdleMB = await residentMB();
  say("pools");
  const [createPool, destroyPool] = await measurePools(daemon, device);
  say("filesystems");
  const pool = await daemon.createPool("bench", [device]);
  const filesystems = await measureFilesystems(daemon, pool);
  say(`${MANY} filesystems`);
  for (let index = 0; index < MANY; index++) await daemon.createFilesystem(pool, `many${index}`);
  const residentWith24MB = await residentMB();
  const managedObjectsWith24 = await medianOf(RUNS, () => bus.managedObjects());
  const restartWith24 = await measureRestart(bus);
  const left = Object.entries(await bus.managedObjects());
  const objects = (name: string): string[] =>
    left.filter(([, interfaces]) => name in interfaces).map(([path]) => path);
  await daemon.destroyFilesystems(objects(POOL)[0] ?? "", objects(FILESYSTEM));
  await daemon.destroyPool(objects(POOL)[0] ?? "");
  say("low water");
  const lowWaterToResumed = await measureLowWater(daemon, await disk("first"), await disk("second"));
  await stopDaemon();
  await bus.close();
  const measurements: Measurements = {
    ...{ startToName, startToAnswer, createPool, destroyPool, ...filesystems },
    ...{ restartWith24, managedObjectsWith24, lowWaterToResumed, residentIdleMB, residentWith24MB },
  };
  process.stdout.write(`${JSON.stringify(measurements)}\n`);
}

void main();
