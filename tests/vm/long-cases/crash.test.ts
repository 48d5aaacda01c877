/**
 * kill -9 before a step of every operation that has several, and then a start: the old state or the new one, nothing of
 * device-mapper that is not accounted for, data intact, and everything can be done again. What a step is, the addon's
 * stand-in knows (guest/crash-native): every call that changes something.
 *
 * STRATIS_CRASH_POINTS: how many points for each operation, or "all" (npm run test:long). Left out: one point for each
 * of a few operations, drawn anew each time. STRATIS_CRASH_OPERATIONS: a regular expression that chooses operations by
 * their names. How many points there were and how long they took is in the report.
 */
import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { countSteps, startCountedDaemon, stepsSoFar } from "../guest/crash-points";
import { killDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  callStratis,
  closeBus,
  createPoolByBus,
  dmDevices,
  managedObjects,
  managerProperty,
  mountPoint,
  mustRun,
  run,
  sha256,
  stratisCommand,
  unmountAll,
  until,
  type Reply,
} from "../cases/support";

const WANTED = process.env["STRATIS_CRASH_POINTS"];
const CHOSEN = new RegExp(process.env["STRATIS_CRASH_OPERATIONS"] ?? ".");
const DRAWN_OPERATIONS = 4;
const LIMIT_MILLISECONDS = 3 * 3600_000;
const MANAGER = "org.storage.stratis3.Manager.r9";
const POOL = "org.storage.stratis3.pool.r9";
const FILESYSTEM = "org.storage.stratis3.filesystem.r9";
const BLOCKDEV = "org.storage.stratis3.blockdev.r9";
const TOP = "/org/storage/stratis3";
const POOL_DEVICES = 6;
const CACHE_DEVICES = 2;
const DEVICE = "case-crash";
const ROOMY = "case-roomy";
const SECTORS_PER_GIB = 2 * 1024 * 1024;
/** The disk below has room for a hundred of it. */
const GROWTH_GIB = 1 / 16;
/** In GiB. */
let sizeOfDevice = 4;
let devices: string[] = [];
let more = "";
let evenMore = "";
let hash = "";
let limit = 100n;
/** What DEVICE is cut from. */
let diskOfDevice = "";

before(async () => {
  for (const serial of ["d0", "d1", "d2", "d3"]) await wipeDisk(await disk(serial));
  diskOfDevice = await disk("d0");
  await mustRun("dmsetup", ["create", DEVICE, "--table", tableOf(sizeOfDevice)]);
  await mustRun("udevadm", ["settle", "--timeout=60"]);
  devices = [`/dev/mapper/${DEVICE}`, await disk("d1")];
  more = await disk("d2");
  evenMore = await disk("d3");
  await startCountedDaemon();
});
after(async () => {
  await unmountAll();
  await stopDaemon();
  await closeBus();
  for (const name of await dmDevices()) await mustRun("dmsetup", ["remove", "--deferred", name]);
  for (const name of [DEVICE, ...(devices[0] === roomy ? [ROOMY] : [])])
    await mustRun("dmsetup", ["remove", "--deferred", name]);
});

const tableOf = (gib: number): string => `0 ${gib * SECTORS_PER_GIB} linear ${diskOfDevice} 0`;

type Found = Map<string, { path: string; properties: Record<string, unknown> }>;

/** Objects by name (block devices: by device node) of what has the interface. */
async function objects(iface: string): Promise<Found> {
  const found: Found = new Map();
  for (const [path, interfaces] of Object.entries(await managedObjects())) {
    const properties = interfaces[iface];
    const name = properties?.["Name"] ?? properties?.["Devnode"];
    if (properties !== undefined && typeof name === "string") found.set(name, { path, properties });
  }
  return found;
}

async function pathOf(iface: string, name: string): Promise<string> {
  const found = (await objects(iface)).get(name);
  assert.ok(found !== undefined, `no ${iface} named ${name}`);
  return found.path;
}

const has = async (iface: string, name: string): Promise<boolean> => (await objects(iface)).has(name);

/** What a call that must succeed answered. */
async function done(reply: Promise<Reply>): Promise<void> {
  const { code, message } = await reply;
  assert.equal(code, 0, message);
}

/** The pool has the name "crash", or "other" while it is being renamed. */
async function poolName(): Promise<string | undefined> {
  return [...(await objects(POOL)).keys()][0];
}
const onPool = async (member: string, signature: string, body: unknown[]): Promise<Reply> =>
  callStratis(await pathOf(POOL, (await poolName()) ?? "crash"), POOL, member, signature, body);

const createPool = (): Promise<Reply> => createPoolByBus("crash", devices);
const destroyPool = async (): Promise<Reply> =>
  callStratis(TOP, MANAGER, "DestroyPool", "o", [await pathOf(POOL, (await poolName()) ?? "crash")]);
const createFilesystem = (name: string): Promise<Reply> =>
  onPool("CreateFilesystems", "a(s(bs)(bs))", [[[name, [true, "1073741824"], [false, ""]]]]);
const snapshot = async (origin: string, name: string): Promise<Reply> =>
  onPool("SnapshotFilesystem", "os", [await pathOf(FILESYSTEM, origin), name]);
const destroyFilesystem = async (name: string): Promise<Reply> =>
  onPool("DestroyFilesystems", "ao", [[await pathOf(FILESYSTEM, name)]]);
const renameFilesystem = async (from: string, to: string): Promise<Reply> =>
  callStratis(await pathOf(FILESYSTEM, from), FILESYSTEM, "SetName", "s", [to]);
const stopPool = (): Promise<Reply> => callStratis(TOP, MANAGER, "StopPool", "ss", ["crash", "name"]);
/** By the command line, which can send the descriptor that the method wants. */
async function startPool(removeCache = false): Promise<Reply> {
  const options = removeCache ? ["--remove-cache"] : [];
  const { status, stderr } = await stratisCommand("pool", "start", ...options, "--name", "crash");
  return { code: status ?? 1, message: stderr, result: null };
}
async function set(
  path: string,
  iface: string,
  name: string,
  signature: string,
  value: unknown,
): Promise<Reply> {
  await mustRun("busctl", [
    "set-property",
    "org.storage.stratis3",
    path,
    iface,
    name,
    signature,
    String(value),
  ]);
  return { code: 0, message: "", result: null };
}

/** A pool named "crash", with whatever filesystems it has. */
async function ensureRunning(): Promise<void> {
  if (await has(POOL, "crash")) return;
  if (await has(POOL, "other")) await done(onPool("SetName", "s", ["crash"]));
  else if ((await startPool()).code !== 0) await done(createPool());
}

async function ensurePool(): Promise<void> {
  await ensureRunning();
  if (!(await has(FILESYSTEM, "kept"))) {
    await done(createFilesystem("kept"));
    const at = await mountPoint("kept");
    await mustRun("mount", ["/dev/stratis/crash/kept", at]);
    await mustRun("dd", [
      "if=/dev/urandom",
      `of=${at}/kept`,
      "bs=1M",
      "count=8",
      "conv=fsync",
      "status=none",
    ]);
    hash = await sha256(`${at}/kept`);
    await unmountAll();
  }
}

async function withoutFilesystems(...names: string[]): Promise<void> {
  await ensurePool();
  for (const name of names) if (await has(FILESYSTEM, name)) await done(destroyFilesystem(name));
}

async function withoutCache(): Promise<void> {
  await ensurePool();
  if ((await objects(POOL)).get("crash")?.properties["HasCache"] !== true) return;
  await done(stopPool());
  await done(startPool(true));
}

async function withCache(): Promise<void> {
  await ensurePool();
  if ((await objects(POOL)).get("crash")?.properties["HasCache"] !== true)
    await done(onPool("InitCache", "as", [[more]]));
}

async function withoutAnyFilesystem(): Promise<void> {
  await ensureRunning();
  for (const name of (await objects(FILESYSTEM)).keys()) await done(destroyFilesystem(name));
}

async function destroyAll(): Promise<void> {
  const stopped = (await managerProperty("r9", "StoppedPools")) as object;
  if ((await poolName()) === undefined && Object.keys(stopped).length === 0) return;
  await withoutAnyFilesystem();
  await done(destroyPool());
}

/** Every device is one of a pool or filesystem that the daemon shows, and none is suspended. */
async function requireNothingLeft(): Promise<void> {
  let expected = (await objects(FILESYSTEM)).size;
  for (const { properties } of (await objects(POOL)).values())
    expected += POOL_DEVICES + (properties["HasCache"] === true ? CACHE_DEVICES : 0);
  const live = await dmDevices();
  assert.equal(live.length, expected, live.join(" "));
  const { stdout } = await mustRun("dmsetup", ["info", "-c", "--noheadings", "-o", "suspended,name"]);
  assert.doesNotMatch(stdout, /^Suspended.*stratis/m);
}

/** Filesystems are sound, and what was written is there. */
async function verifyData(): Promise<void> {
  const pool = await poolName();
  if (pool === undefined) return;
  for (const name of (await objects(FILESYSTEM)).keys()) {
    if (!/^(kept|snap)$/.test(name)) {
      const check = await run("xfs_repair", ["-n", `/dev/stratis/${pool}/${name}`]);
      assert.equal(check.status, 0, `${name}: ${check.stdout}${check.stderr}`);
      continue;
    }
    const at = await mountPoint("verified");
    await mustRun("mount", ["-o", "nouuid", `/dev/stratis/${pool}/${name}`, at]);
    assert.equal(await sha256(`${at}/kept`), hash, name);
    await mustRun("umount", [at]);
  }
}

interface Operation {
  /** Brings the state about from which the operation starts; called after each crash too. */
  prepare: () => Promise<void>;
  perform: () => Promise<Reply>;
}

const OPERATIONS: Record<string, Operation> = {
  "creation of a filesystem": {
    prepare: () => withoutFilesystems("new"),
    perform: () => createFilesystem("new"),
  },
  "snapshot of a filesystem": {
    prepare: () => withoutFilesystems("snap"),
    perform: () => snapshot("kept", "snap"),
  },
  "renaming a filesystem": {
    prepare: async () => {
      await ensurePool();
      if (await has(FILESYSTEM, "after")) await done(destroyFilesystem("after"));
      if (!(await has(FILESYSTEM, "before"))) await done(createFilesystem("before"));
    },
    perform: () => renameFilesystem("before", "after"),
  },
  "destruction of a filesystem": {
    prepare: async () => {
      await ensurePool();
      if (!(await has(FILESYSTEM, "doomed"))) await done(createFilesystem("doomed"));
    },
    perform: () => destroyFilesystem("doomed"),
  },
  "renaming the pool": {
    prepare: ensurePool,
    perform: () => onPool("SetName", "s", ["other"]),
  },
  "a revert, at the start of the pool": {
    prepare: async () => {
      await withoutFilesystems("after", "before", "new", "doomed");
      if ((await poolName()) === undefined) await done(startPool());
      if (!(await has(FILESYSTEM, "snap"))) await done(snapshot("kept", "snap"));
      const snap = await pathOf(FILESYSTEM, "snap");
      if ((await objects(FILESYSTEM)).get("snap")?.properties["MergeScheduled"] !== true)
        await done(set(snap, FILESYSTEM, "MergeScheduled", "b", true));
      await done(stopPool());
    },
    perform: () => startPool(),
  },
  "putting in a cache": {
    prepare: withoutCache,
    perform: () => onPool("InitCache", "as", [[more]]),
  },
  "adding a device to the cache": {
    prepare: async () => {
      await withCache();
      if (!(await objects(BLOCKDEV)).has(evenMore)) return;
      await withoutCache();
      await withCache();
    },
    perform: () => onPool("AddCacheDevs", "as", [[evenMore]]),
  },
  "a start without the cache": {
    prepare: async () => {
      await withCache();
      await done(stopPool());
    },
    perform: () => startPool(true),
  },
  "stopping the pool": {
    prepare: ensurePool,
    perform: stopPool,
  },
  "starting the pool": {
    prepare: async () => {
      await ensurePool();
      await done(stopPool());
    },
    perform: () => startPool(),
  },
  "adding a data device to a full pool, whose thin data grows into it": {
    prepare: async () => {
      await withoutCache();
      if ((await objects(BLOCKDEV)).has(more)) await destroyAll();
      await ensurePool();
      await until("all space is allocated", async () => {
        return (await objects(POOL)).get("crash")?.properties["NoAllocSpace"] === true;
      });
    },
    perform: () => onPool("AddDataDevs", "as", [[more]]),
  },
  "growing a data device": {
    prepare: async () => {
      await ensurePool();
      await resizeTo((sizeOfDevice += GROWTH_GIB));
    },
    perform: async () => {
      const [first] = [...(await objects(BLOCKDEV)).values()].filter(
        ({ properties }) => ![devices[1], more, evenMore].includes(String(properties["PhysicalPath"])),
      );
      return onPool("GrowPhysicalDevice", "s", [String(first?.properties["Uuid"])]);
    },
  },
  "creation of a pool": {
    prepare: destroyAll,
    perform: createPool,
  },
  "destruction of a pool": {
    prepare: withoutAnyFilesystem,
    perform: destroyPool,
  },
  // The last one, because it leaves the pool on another device.
  "a higher filesystem limit, for which thin metadata grows": {
    prepare: async () => {
      if (devices[0] !== roomy) await moveToRoomyDevice();
      await ensurePool();
    },
    perform: async () => {
      limit += 100n;
      return set(await pathOf(POOL, "crash"), POOL, "FsLimit", "t", limit);
    },
  },
};

const roomy = `/dev/mapper/${ROOMY}`;

/** A new pool takes up to 50 GiB for thin data at once: only a larger one has something left. */
async function moveToRoomyDevice(): Promise<void> {
  await destroyAll();
  let at = 0n;
  const lines: string[] = [];
  for (const serial of ["big", "d4", "d5", "d6"]) {
    const path = await disk(serial);
    await wipeDisk(path);
    const length = BigInt((await mustRun("blockdev", ["--getsz", path])).stdout.trim());
    lines.push(`${at} ${length} linear ${path} 0`);
    at += length;
  }
  await mustRun("dmsetup", ["create", "--concise", `${ROOMY},,,rw,${lines.join(",")}`]);
  await mustRun("udevadm", ["settle", "--timeout=60"]);
  devices = [roomy];
}

async function resizeTo(gib: number): Promise<void> {
  await mustRun("dmsetup", ["load", DEVICE, "--table", tableOf(gib)]);
  await mustRun("dmsetup", ["resume", DEVICE]);
  await mustRun("udevadm", ["settle", "--timeout=60"]);
}

/** The steps to die at, of `count`. */
function pointsOf(count: number): number[] {
  if (WANTED === "all") return Array.from({ length: count }, (_, index) => index + 1);
  const points = Number(WANTED ?? 1);
  return Array.from(
    { length: points },
    (_, index) => 1 + Math.floor((count * (index + Math.random())) / points),
  );
}

async function crashThroughout(context: TestContext, { prepare, perform }: Operation): Promise<void> {
  const started = Date.now();
  await prepare();
  countSteps(0);
  await done(perform());
  const steps = stepsSoFar();
  assert.ok(steps.length > 0, "the operation has no step");
  await requireNothingLeft();
  await verifyData();
  const points = pointsOf(steps.length);
  const spent = { prepare: 0, perform: 0, restart: 0, verify: 0 };
  const timed = async <T>(what: keyof typeof spent, work: Promise<T>): Promise<T> => {
    const begin = Date.now();
    const result = await work;
    spent[what] += Date.now() - begin;
    return result;
  };
  for (const point of points) {
    await timed("prepare", prepare());
    countSteps(point);
    const answered = await timed(
      "perform",
      perform().catch(() => null),
    );
    const died = stepsSoFar().at(-1) ?? "the first";
    await killDaemon();
    await timed("restart", startCountedDaemon());
    try {
      await timed("verify", requireNothingLeft());
      await timed("verify", verifyData());
    } catch (error) {
      throw new Error(
        `after dying at step ${point} of ${steps.length}, behind "${died}" (answered: ${JSON.stringify(answered)})`,
        { cause: error },
      );
    }
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  const names = steps.map((step) => step.replace(/stratis-1-private-[0-9a-f]{32}-/g, ""));
  context.diagnostic(`${points.length} of ${steps.length} points in ${seconds} s ${JSON.stringify(spent)}`);
  context.diagnostic(names.join("; "));
}

/** The operations to run; which is part of the report, so that a failure can be repeated. */
function drawn(): string[] {
  const names = Object.keys(OPERATIONS).filter((name) => CHOSEN.test(name));
  if (WANTED !== undefined) return names;
  const first = Math.floor(Math.random() * names.length);
  const count = Math.min(DRAWN_OPERATIONS, names.length);
  const step = Math.floor(names.length / count);
  return Array.from({ length: count }, (_, index) => names[(first + index * step) % names.length] ?? "");
}

for (const name of drawn())
  test(`killed during: ${name}`, { timeout: LIMIT_MILLISECONDS }, async (context) => {
    const operation = OPERATIONS[name];
    assert.ok(operation !== undefined);
    await crashThroughout(context, operation);
  });
