/** Runs in the guest: measures, reports progress on standard error, and prints the measurements as JSON. */
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { closeBus } from "../../tests/vm/cases/support";
import { SystemBus } from "../../tests/vm/guest/bus";
import { disk } from "../../tests/vm/guest/disks";
import { udevSettled } from "../../tests/vm/guest/udev";
import { median } from "../median";
import { Daemon, FILESYSTEM, POOL } from "./daemon";
import { measureGrowth, type Growth } from "./growth";
import { KEY, withKey } from "./key";
import { residentMB } from "./resident";
import { measureRestart } from "./restart";
import { medianOf, say, seconds } from "./seconds";
import { measureSlowCache } from "./slow-cache";
import { thinPool } from "./thin-pool";

/** Times in seconds. */
export interface Measurements extends Growth, ManyFigures {
  startToName: number;
  startToAnswer: number;
  /** Below which no start of a daemon on Node.js can be. */
  nodeAlone: number;
  createPool: number;
  createFilesystem: number;
  snapshotUnmounted: number;
  snapshotMounted: number;
  rename: number;
  /** On a disk that needs time to write out its cache. */
  renameSlowCache: number;
  renameToSame: number;
  destroyFilesystem: number;
  destroyPool: number;
  createEncryptedPool: number;
  destroyEncryptedPool: number;
  filesystemMiB: number;
  snapshotMiB: number;
  residentIdleMB: number;
}

/** Of a pool with MANY filesystems. */
interface ManyFigures {
  residentWith24MB: number;
  managedObjectsWith24: number;
  stopPoolWith24: number;
  startPoolWith24: number;
  restartToNameWith24: number;
  restartWith24: number;
  destroy18: number;
}

const RUNS = 5;
/** What derives keys takes seconds each. */
const ENCRYPTED_RUNS = 3;
const MANY = 24;
const DESTROYED = 18;
/** What starts MANY filesystems takes seconds each. */
const MANY_RUNS = 3;
const MOUNT = "/run/stratis-bench";
/** For the daemon's garbage and the kernel's accounting to come to rest. */
const REST_MILLISECONDS = 3000;

const run = promisify(execFile);

async function restingMB(): Promise<number> {
  await sleep(REST_MILLISECONDS);
  return await residentMB();
}

async function measureStarts(daemon: Daemon): Promise<[number, number]> {
  const toName: number[] = [];
  const toAnswer: number[] = [];
  for (let index = 0; index < RUNS; index++) {
    const begin = performance.now();
    const answered = await seconds(async () => {
      await daemon.start(() => toName.push((performance.now() - begin) / 1000));
      await daemon.managedObjects();
    });
    toAnswer.push(answered);
    await daemon.stop();
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
    await udevSettled();
    creations.push(await seconds(async () => (pool = await daemon.createPool("bench", [device]))));
    destructions.push(await seconds(() => daemon.destroyPool(pool)));
  }
  return [median(creations), median(destructions)];
}

type EncryptedFigures = Pick<Measurements, "createEncryptedPool" | "destroyEncryptedPool">;

async function measureEncryptedPools(daemon: Daemon, device: string): Promise<EncryptedFigures> {
  const creations: number[] = [];
  const destructions: number[] = [];
  for (let index = 0; index < ENCRYPTED_RUNS; index++) {
    await udevSettled();
    creations.push(await seconds(() => daemon.createPool("sealed", [device], [KEY])));
    const [pool] = await daemon.objects(POOL);
    destructions.push(await seconds(() => daemon.destroyPool(pool ?? "")));
  }
  return {
    createEncryptedPool: median(creations),
    destroyEncryptedPool: median(destructions),
  };
}

type FilesystemFigures = Pick<
  Measurements,
  | "createFilesystem"
  | "snapshotUnmounted"
  | "snapshotMounted"
  | "rename"
  | "renameToSame"
  | "destroyFilesystem"
  | "filesystemMiB"
  | "snapshotMiB"
>;

/** They follow one another, but the first one does not meet what udev still has to do for others. */
async function settledMedianOf(work: (index: number) => Promise<unknown>): Promise<number> {
  await udevSettled();
  return medianOf(RUNS, work);
}

async function measureFilesystems(daemon: Daemon, pool: string): Promise<FilesystemFigures> {
  const made: string[] = [];
  const filesystemMiB = await spaceOf(async () => made.push(await daemon.createFilesystem(pool, "space")));
  const origin = made[0] ?? "";
  const snapshotMiB = await spaceOf(async () =>
    made.push(await daemon.snapshot(pool, origin, "space-snapshot")),
  );
  const createFilesystem = await settledMedianOf(async (index) =>
    made.push(await daemon.createFilesystem(pool, `fs${index}`)),
  );
  const snapshotUnmounted = await settledMedianOf(async (index) =>
    made.push(await daemon.snapshot(pool, origin, `unmounted${index}`)),
  );
  await run("mount", ["/dev/stratis/bench/space", MOUNT]);
  const snapshotMounted = await settledMedianOf(async (index) =>
    made.push(await daemon.snapshot(pool, origin, `mounted${index}`)),
  );
  await run("umount", [MOUNT]);
  const rename = await settledMedianOf((index) => daemon.rename(origin, `renamed${index}`));
  const renameToSame = await settledMedianOf(() => daemon.rename(origin, `renamed${RUNS - 1}`));
  const destroyFilesystem = await settledMedianOf(async () => {
    const last = made.pop();
    if (last !== undefined) await daemon.destroyFilesystems(pool, [last]);
  });
  await daemon.destroyFilesystems(pool, made);
  return {
    ...{ createFilesystem, snapshotUnmounted, snapshotMounted, rename, renameToSame, destroyFilesystem },
    ...{ filesystemMiB, snapshotMiB },
  };
}

/** Leaves MANY - DESTROYED of them; the paths of all objects are others then. */
async function measureMany(daemon: Daemon, pool: string): Promise<ManyFigures> {
  for (let index = 0; index < MANY; index++) await daemon.createFilesystem(pool, `many${index}`);
  const residentWith24MB = await restingMB();
  const managedObjectsWith24 = await settledMedianOf(() => daemon.managedObjects());
  const restarts = await measureRestart(daemon, MANY_RUNS, MANY);
  const [stops, starts]: [number[], number[]] = [[], []];
  for (let run = 0; run < MANY_RUNS; run++) {
    await udevSettled();
    stops.push(await seconds(() => daemon.stopPool("bench")));
    starts.push(await seconds(() => daemon.startPool("bench")));
  }
  await udevSettled();
  const [started] = await daemon.objects(POOL);
  const filesystems = (await daemon.objects(FILESYSTEM)).slice(0, DESTROYED);
  const destroy18 = await seconds(() => daemon.destroyFilesystems(started ?? "", filesystems));
  return {
    ...{ residentWith24MB, managedObjectsWith24, destroy18 },
    ...{ restartToNameWith24: restarts.toName, restartWith24: restarts.toObjects },
    ...{ stopPoolWith24: median(stops), startPoolWith24: median(starts) },
  };
}

async function main(): Promise<void> {
  const bus = await SystemBus.open();
  const daemon = new Daemon(bus);
  const device = await disk("bench");
  mkdirSync(MOUNT, { recursive: true });
  say("starts of the daemon");
  await daemon.startOnce();
  const [startToName, startToAnswer] = await measureStarts(daemon);
  const nodeAlone = await medianOf(RUNS, () => run(process.execPath, ["--eval", ""]));
  await daemon.start();
  const residentIdleMB = await restingMB();
  say("pools");
  const [createPool, destroyPool] = await measurePools(daemon, device);
  say("encrypted pools");
  const encrypted = await withKey(() => measureEncryptedPools(daemon, device));
  say("filesystems");
  await udevSettled();
  const pool = await daemon.createPool("bench", [device]);
  const filesystems = await measureFilesystems(daemon, pool);
  say(`${MANY} filesystems`);
  const many = await measureMany(daemon, pool);
  const [left] = await daemon.objects(POOL);
  await daemon.destroyFilesystems(left ?? "", await daemon.objects(FILESYSTEM));
  await daemon.destroyPool(left ?? "");
  say("a slow cache of the disk");
  const renameSlowCache = await measureSlowCache(daemon, await disk("second"), RUNS);
  say("growth");
  const growth = await measureGrowth(daemon, await disk("first"), await disk("second"), MOUNT);
  await daemon.stop();
  await closeBus();
  await bus.close();
  const measurements: Measurements = {
    ...{ startToName, startToAnswer, nodeAlone, residentIdleMB, createPool, destroyPool },
    ...{ ...encrypted, ...filesystems, ...many, ...growth, renameSlowCache },
  };
  process.stdout.write(`${JSON.stringify(measurements)}\n`);
}

void main();
