/**
 * kill -9 in the middle of operations, at points spread over their duration, and then a start: the old state or the
 * new one, nothing of device-mapper that is not accounted for, and everything can be done again.
 *
 * STRATIS_CRASH_POINTS sets how many points there are for each operation (default 2).
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  callStratis,
  closeBus,
  createPoolByBus,
  dmDevices,
  managedObjects,
  mountPoint,
  mustRun,
  run,
  sha256,
  unmountAll,
  type Reply,
} from "./support";

const POINTS = Number(process.env["STRATIS_CRASH_POINTS"] ?? 2);
const MANAGER = "org.storage.stratis3.Manager.r9";
const POOL = "org.storage.stratis3.pool.r9";
const FILESYSTEM = "org.storage.stratis3.filesystem.r9";
const TOP = "/org/storage/stratis3";
const POOL_DEVICES = 6;
let devices: string[] = [];

before(async () => {
  devices = [await disk("d0"), await disk("d1")];
  for (const device of devices) await wipeDisk(device);
  await startDaemon({ direct: true });
});
after(async () => {
  await unmountAll();
  await stopDaemon();
  await closeBus();
});

/** Object paths by name of what has the interface. */
async function objectsByName(iface: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [path, interfaces] of Object.entries(await managedObjects())) {
    const name = interfaces[iface]?.["Name"];
    if (typeof name === "string") found.set(name, path);
  }
  return found;
}

async function pathOf(iface: string, name: string): Promise<string> {
  const path = (await objectsByName(iface)).get(name);
  assert.ok(path !== undefined, `no ${iface} named ${name}`);
  return path;
}

/** What a call that must succeed answered. */
async function done(reply: Promise<Reply>): Promise<void> {
  const { code, message } = await reply;
  assert.equal(code, 0, message);
}

const createPool = (): Promise<Reply> => createPoolByBus("crash", devices);
const destroyPool = async (): Promise<Reply> =>
  callStratis(TOP, MANAGER, "DestroyPool", "o", [await pathOf(POOL, "crash")]);
const createFilesystem = async (name: string): Promise<Reply> =>
  callStratis(await pathOf(POOL, "crash"), POOL, "CreateFilesystems", "a(s(bs)(bs))", [
    [[name, [true, "1073741824"], [false, ""]]],
  ]);
const snapshot = async (origin: string, name: string): Promise<Reply> =>
  callStratis(await pathOf(POOL, "crash"), POOL, "SnapshotFilesystem", "os", [
    await pathOf(FILESYSTEM, origin),
    name,
  ]);
const destroyFilesystem = async (name: string): Promise<Reply> =>
  callStratis(await pathOf(POOL, "crash"), POOL, "DestroyFilesystems", "ao", [
    [await pathOf(FILESYSTEM, name)],
  ]);

/** Every device is one of a pool or filesystem that the daemon shows, and none is suspended. */
async function requireNothingLeft(): Promise<void> {
  const pools = (await objectsByName(POOL)).size;
  const filesystems = (await objectsByName(FILESYSTEM)).size;
  const live = await dmDevices();
  assert.equal(live.length, pools * POOL_DEVICES + filesystems, live.join(" "));
  const { stdout } = await mustRun("dmsetup", ["info", "-c", "--noheadings", "-o", "suspended,name"]);
  assert.doesNotMatch(stdout, /^Suspended.*stratis/m);
}

interface Operation {
  perform: () => Promise<Reply>;
  /** Brings the state about from which the operation starts; called after each crash too. */
  prepare: () => Promise<void>;
  /** Looks at what is there after a crash. */
  verify: () => Promise<void>;
}

async function crashThroughout({ perform, prepare, verify }: Operation): Promise<void> {
  await prepare();
  const started = performance.now();
  await done(perform());
  const duration = performance.now() - started;
  await verify();
  for (let point = 0; point < POINTS; point += 1) {
    await prepare();
    const reply = perform().catch(() => null);
    await sleep((duration * (point + Math.random())) / POINTS);
    await killDaemon();
    await reply;
    await startDaemon({ direct: true });
    await requireNothingLeft();
    await verify();
  }
}

async function requireSound(name: string): Promise<void> {
  const check = await run("xfs_repair", ["-n", `/dev/stratis/crash/${name}`]);
  // 2: its log is dirty, as that of a filesystem that was just mounted may be.
  assert.ok(check.status === 0 || check.status === 2, check.stdout + check.stderr);
}

test("creation of a pool", { timeout: 600_000 }, async () => {
  await crashThroughout({
    prepare: async () => {
      if ((await objectsByName(POOL)).has("crash")) await done(destroyPool());
    },
    perform: createPool,
    verify: () => Promise.resolve(),
  });
  if (!(await objectsByName(POOL)).has("crash")) await done(createPool());
});

test("creation of a filesystem", { timeout: 600_000 }, async () => {
  await crashThroughout({
    prepare: async () => {
      if ((await objectsByName(FILESYSTEM)).has("new")) await done(destroyFilesystem("new"));
    },
    perform: () => createFilesystem("new"),
    verify: async () => {
      if ((await objectsByName(FILESYSTEM)).has("new")) await requireSound("new");
    },
  });
});

test("snapshot of a filesystem that is mounted and being written to", { timeout: 600_000 }, async () => {
  await done(createFilesystem("origin"));
  const at = await mountPoint("origin");
  await mustRun("mount", ["/dev/stratis/crash/origin", at]);
  await mustRun("dd", ["if=/dev/urandom", `of=${at}/kept`, "bs=1M", "count=20", "conv=fsync", "status=none"]);
  const hash = await sha256(`${at}/kept`);
  await crashThroughout({
    prepare: async () => {
      if ((await objectsByName(FILESYSTEM)).has("snap")) await done(destroyFilesystem("snap"));
    },
    perform: () => snapshot("origin", "snap"),
    verify: async () => {
      await mustRun("sh", ["-c", `date > ${at}/alive && sync -f ${at}/alive`]);
      assert.equal(await sha256(`${at}/kept`), hash);
      if ((await objectsByName(FILESYSTEM)).has("snap")) await requireSound("snap");
    },
  });
});

test("destruction of a filesystem", { timeout: 600_000 }, async () => {
  await crashThroughout({
    prepare: async () => {
      if (!(await objectsByName(FILESYSTEM)).has("doomed")) await done(createFilesystem("doomed"));
    },
    perform: () => destroyFilesystem("doomed"),
    verify: async () => {
      if ((await objectsByName(FILESYSTEM)).has("doomed")) await requireSound("doomed");
    },
  });
});

test("destruction of a pool", { timeout: 600_000 }, async () => {
  await unmountAll();
  for (const name of (await objectsByName(FILESYSTEM)).keys()) await done(destroyFilesystem(name));
  await crashThroughout({
    prepare: async () => {
      if (!(await objectsByName(POOL)).has("crash")) await done(createPool());
    },
    perform: destroyPool,
    verify: () => Promise.resolve(),
  });
});
