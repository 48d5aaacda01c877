/** The pool of the cases of kill -9: the states from which operations start, and what has to hold after a crash. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import {
  callStratis,
  createPoolByBus,
  dmDevices,
  dmLength,
  managedObjects,
  managerProperty,
  mountPoint,
  mustRun,
  objectsOf,
  PROJECT,
  run,
  setProperty,
  sha256,
  startPoolByBus,
  stopPoolByBus,
  stratis,
  stratisCommand,
  succeeded,
  unmountAll,
  until,
  type FoundObject,
  type Reply,
} from "../cases/support";
import { STRATIS_TOP } from "../guest/bus";
import { diedAtStep, startCountedDaemon } from "../guest/crash-points";
import { daemonLog, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";

export const MANAGER = "org.storage.stratis3.Manager.r9";
export const POOL = "org.storage.stratis3.pool.r9";
export const FILESYSTEM = "org.storage.stratis3.filesystem.r9";
export const BLOCKDEV = "org.storage.stratis3.blockdev.r9";
/** By version of the metadata, beside the devices of encryption. */
const POOL_DEVICES = { 1: 5, 2: 6 };
/** V2 always has the device itself. */
const CACHE_DEVICES = { 1: 3, 2: 2 };
const DEVICE = "case-crash";
const ROOMY = "case-roomy";
const ROOMY_PATH = `/dev/mapper/${ROOMY}`;
const SECTORS_PER_GIB = 2 * 1024 * 1024;
/** The disk below has room for a hundred of it. */
const GROWTH_GIB = 1 / 16;
const KEY = "case-crash";
const SECOND_KEY = "case-crash-second";

export interface CrashPoolKind {
  /** Of the metadata. */
  version: 1 | 2;
  encrypted: boolean;
}

type Found = Map<string, FoundObject>;

/** Objects by name (block devices: by device node) of what has the interface. */
async function objects(iface: string): Promise<Found> {
  const found: Found = new Map();
  for (const object of objectsOf(await managedObjects(), iface)) {
    const name = object.properties["Name"] ?? object.properties["Devnode"];
    if (typeof name === "string") found.set(name, object);
  }
  return found;
}

async function pathOf(iface: string, name: string): Promise<string> {
  const found = (await objects(iface)).get(name);
  assert.ok(found !== undefined, `no ${iface} named ${name}`);
  return found.path;
}

export const has = async (iface: string, name: string): Promise<boolean> => (await objects(iface)).has(name);

/** The pool has the name "crash", or "other" while it is being renamed. */
async function poolName(): Promise<string | undefined> {
  return [...(await objects(POOL)).keys()][0];
}

const pathOfPool = async (): Promise<string> => pathOf(POOL, (await poolName()) ?? "crash");

const poolProperty = async (name: string): Promise<unknown> =>
  (await objects(POOL)).get("crash")?.properties[name];

export const onPool = async (member: string, signature: string, body: unknown[]): Promise<Reply> =>
  callStratis(await pathOfPool(), POOL, member, signature, body);
export const destroyPool = async (): Promise<Reply> =>
  callStratis(STRATIS_TOP, MANAGER, "DestroyPool", "o", [await pathOfPool()]);
export const createFilesystem = (name: string): Promise<Reply> =>
  onPool("CreateFilesystems", "a(s(bs)(bs))", [[[name, [true, "1073741824"], [false, ""]]]]);
export const snapshot = async (origin: string, name: string): Promise<Reply> =>
  onPool("SnapshotFilesystem", "os", [await pathOf(FILESYSTEM, origin), name]);
export const destroyFilesystems = async (...names: string[]): Promise<Reply> =>
  onPool("DestroyFilesystems", "ao", [
    await Promise.all(names.map(async (name) => await pathOf(FILESYSTEM, name))),
  ]);
export const renameFilesystem = async (from: string, to: string): Promise<Reply> =>
  callStratis(await pathOf(FILESYSTEM, from), FILESYSTEM, "SetName", "s", [to]);
export const stopPool = (): Promise<Reply> => stopPoolByBus("crash");

async function set(
  path: string,
  iface: string,
  name: string,
  signature: string,
  value: unknown,
): Promise<Reply> {
  await setProperty(path, iface, name, signature, value);
  return { code: 0, message: "", result: null };
}

export class CrashPool {
  /** In GiB. */
  #sizeOfDevice = 4;
  /** What DEVICE is cut from. */
  #diskOfDevice = "";
  #devices: string[] = [];
  /** Disks that are not the pool's from the beginning. */
  more = "";
  evenMore = "";
  #hash = "";
  #limit = 100n;

  constructor(readonly kind: CrashPoolKind) {}

  async setUp(): Promise<void> {
    for (const serial of ["d0", "d1", "d2", "d3"]) await wipeDisk(await disk(serial));
    this.#diskOfDevice = await disk("d0");
    await mustRun("dmsetup", ["create", DEVICE, "--table", this.#tableOfDevice()]);
    await udevSettled();
    this.#devices = [`/dev/mapper/${DEVICE}`, await disk("d1")];
    this.more = await disk("d2");
    this.evenMore = await disk("d3");
    await startCountedDaemon();
    if (!this.kind.encrypted) return;
    for (const key of [KEY, SECOND_KEY]) {
      await writeFile("/run/case-key", `the key ${key}`);
      await stratis("key", "set", "--keyfile-path", "/run/case-key", key);
    }
  }

  async tearDown(): Promise<void> {
    await unmountAll();
    if (this.kind.encrypted) for (const key of [KEY, SECOND_KEY]) await stratisCommand("key", "unset", key);
    await stopDaemon();
    // Those of one pool stand on each other: each ends with its last user.
    for (const name of await dmDevices()) await mustRun("dmsetup", ["remove", "--deferred", name]);
    for (const name of [DEVICE, ...(this.#devices[0] === ROOMY_PATH ? [ROOMY] : [])])
      await mustRun("dmsetup", ["remove", "--deferred", name]);
  }

  /** Without the cache by the command line, which can send the descriptor that the method wants. */
  async startPool(removeCache = false): Promise<Reply> {
    const { encrypted } = this.kind;
    if (!removeCache) return startPoolByBus({ name: "crash" }, { unlock: encrypted });
    const unlock = encrypted ? ["--unlock-method", "any"] : [];
    const options = ["--remove-cache", ...unlock, "--name", "crash"];
    const { status, stderr } = await stratisCommand("pool", "start", ...options);
    // Of a daemon that died no reply would have come.
    if (status !== 0 && diedAtStep()) throw new Error(stderr);
    return { code: status ?? 1, message: stderr, result: null };
  }

  async create(): Promise<Reply> {
    if (this.kind.version === 2)
      return createPoolByBus("crash", this.#devices, this.kind.encrypted ? [KEY] : []);
    const tool = `${process.execPath} ${PROJECT}/dist/bin/stratis-legacy-pool.js`;
    const key = this.kind.encrypted ? `--key-desc ${KEY}` : "";
    await mustRun("sh", ["-c", `echo Yes | ${tool} crash ${this.#devices.join(" ")} ${key}`]);
    // An encrypted one is found locked.
    await until("the daemon finds the pool", async () => {
      const stopped = (await managerProperty("r9", "StoppedPools")) as object;
      return Object.keys(stopped).length > 0 || (await has(POOL, "crash"));
    });
    if (!(await has(POOL, "crash"))) await this.startPool();
    await until("the pool runs", () => has(POOL, "crash"));
    return { code: 0, message: "", result: null };
  }

  /** A pool named "crash", with whatever filesystems it has. */
  async ensureRunning(): Promise<void> {
    if (await has(POOL, "crash")) return;
    if (await has(POOL, "other")) await succeeded(onPool("SetName", "s", ["crash"]));
    else if ((await this.startPool()).code !== 0) await succeeded(this.create());
  }

  async ensurePool(): Promise<void> {
    await this.ensureRunning();
    if (await has(FILESYSTEM, "kept")) return;
    await succeeded(createFilesystem("kept"));
    const at = await mountPoint("kept");
    await mustRun("mount", ["/dev/stratis/crash/kept", at]);
    const options = ["bs=1M", "count=8", "conv=fsync", "status=none"];
    await mustRun("dd", ["if=/dev/urandom", `of=${at}/kept`, ...options]);
    this.#hash = await sha256(`${at}/kept`);
    await unmountAll();
  }

  async withoutFilesystems(...names: string[]): Promise<void> {
    await this.ensurePool();
    for (const name of names) if (await has(FILESYSTEM, name)) await succeeded(destroyFilesystems(name));
  }

  /** "first", its snapshot "second", and a snapshot of that, "third". */
  async withChain(): Promise<void> {
    await this.withoutFilesystems("third", "second", "first");
    await succeeded(createFilesystem("first"));
    await succeeded(snapshot("first", "second"));
    await succeeded(snapshot("second", "third"));
  }

  async withoutAnyFilesystem(): Promise<void> {
    await this.ensureRunning();
    for (const name of (await objects(FILESYSTEM)).keys()) await succeeded(destroyFilesystems(name));
  }

  async withCache(): Promise<void> {
    await this.ensurePool();
    if ((await poolProperty("HasCache")) !== true) await succeeded(onPool("InitCache", "as", [[this.more]]));
  }

  async withoutCache(): Promise<void> {
    await this.ensurePool();
    if ((await poolProperty("HasCache")) !== true) return;
    await succeeded(stopPool());
    await succeeded(this.startPool(true));
  }

  /** With a snapshot that takes its origin's place at the next start, and stopped. */
  async stoppedWithMerge(): Promise<void> {
    await this.withoutFilesystems("after", "before", "new", "doomed");
    if (!(await has(FILESYSTEM, "snap"))) await succeeded(snapshot("kept", "snap"));
    const snap = (await objects(FILESYSTEM)).get("snap");
    if (snap?.properties["MergeScheduled"] !== true)
      await succeeded(set(snap?.path ?? "", FILESYSTEM, "MergeScheduled", "b", true));
    await succeeded(stopPool());
  }

  /** All space of its devices that is taken beforehand is in use, and `more` is not one of them. */
  async full(): Promise<void> {
    await this.withoutCache();
    if (await this.hasDevice(this.more)) await this.destroyAll();
    await this.ensurePool();
    // With metadata of version 1 thin data grow with what is written, from little on.
    if (this.kind.version === 1) return;
    await until("all space is allocated", async () => (await poolProperty("NoAllocSpace")) === true);
  }

  /** Returns when the pool, which is full(), has got more thin data from the device. */
  async addToFull(): Promise<Reply> {
    const before = await dmLength(/thinpool-pool/);
    const reply = await onPool("AddDataDevs", "as", [[this.more]]);
    if (reply.code !== 0 || this.kind.version === 1) return reply;
    // Not short of space, it is extended by the next check.
    await until("the thin pool has grown", async () => {
      if (diedAtStep()) throw new Error("The daemon died on the way");
      return (await dmLength(/thinpool-pool/)) > before;
    });
    return reply;
  }

  async destroyAll(): Promise<void> {
    const stopped = (await managerProperty("r9", "StoppedPools")) as object;
    if ((await poolName()) === undefined && Object.keys(stopped).length === 0) return;
    await this.withoutAnyFilesystem();
    await succeeded(destroyPool());
  }

  async growDevice(): Promise<void> {
    this.#sizeOfDevice += GROWTH_GIB;
    await mustRun("dmsetup", ["load", DEVICE, "--table", this.#tableOfDevice()]);
    await mustRun("dmsetup", ["resume", DEVICE]);
    await udevSettled();
  }

  async growPhysicalDevice(): Promise<Reply> {
    const others = [this.#devices[1], this.more, this.evenMore];
    const [first] = [...(await objects(BLOCKDEV)).values()].filter(
      ({ properties }) => !others.includes(String(properties["PhysicalPath"])),
    );
    return onPool("GrowPhysicalDevice", "s", [String(first?.properties["Uuid"])]);
  }

  async hasDevice(path: string): Promise<boolean> {
    return [...(await objects(BLOCKDEV)).values()].some(
      ({ properties }) => properties["PhysicalPath"] === path,
    );
  }

  /** The slots of keys, of a pool of version 2. */
  async #slots(): Promise<[number, string][]> {
    return (await poolProperty("KeyDescriptions")) as [number, string][];
  }

  async ensureBoundTwice(wanted: boolean): Promise<void> {
    await this.ensurePool();
    if ((await this.#slots()).length === (wanted ? 2 : 1)) return;
    await succeeded(wanted ? this.bind() : this.unbind());
  }

  /** The other of the two keys, in the next slot. */
  async bind(): Promise<Reply> {
    return onPool("BindKeyring", "s(bu)", [await this.#otherKey(), [false, 0]]);
  }

  async unbind(): Promise<Reply> {
    return onPool("UnbindKeyring", "(bu)", [[true, (await this.#slots()).at(-1)?.[0] ?? 0]]);
  }

  /** The other of the two keys, in place of the one. */
  async rebind(): Promise<Reply> {
    return onPool("RebindKeyring", "s(bu)", [await this.#otherKey(), [false, 0]]);
  }

  async #otherKey(): Promise<string> {
    return JSON.stringify(await poolProperty("KeyDescriptions")).includes(`"${KEY}"`) ? SECOND_KEY : KEY;
  }

  async raiseLimit(): Promise<Reply> {
    this.#limit += 100n;
    return set(await pathOf(POOL, "crash"), POOL, "FsLimit", "t", this.#limit);
  }

  /** A new pool takes up to 50 GiB for thin data at once: only a larger one has something left. */
  async ensureRoomy(): Promise<void> {
    if (this.#devices[0] === ROOMY_PATH) return this.ensurePool();
    await this.destroyAll();
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
    await udevSettled();
    this.#devices = [ROOMY_PATH];
    this.#limit = 100n;
    await this.ensurePool();
  }

  /** After an interrupted destruction: a pool that is locked, and has devices all the same, is stopped. */
  async settleDestruction(): Promise<void> {
    assert.doesNotMatch(await daemonLog(), /Could not wipe the LUKS2 header/);
    if ((await poolName()) === undefined && (await dmDevices()).length > 0) await succeeded(stopPool());
  }

  /**
   * Every device is one of a pool or filesystem that the daemon shows, and none stays suspended. No snapshot has an origin
   * that is gone.
   */
  async requireNothingLeft(): Promise<void> {
    const filesystems = [...(await objects(FILESYSTEM)).values()].map(({ properties }) => properties);
    const uuids = filesystems.map((properties) => properties["Uuid"]);
    for (const { Name, Origin } of filesystems) {
      const [isSnapshot, origin] = Origin as [boolean, string];
      assert.ok(!isSnapshot || uuids.includes(origin), `${String(Name)} has an origin that is gone`);
    }
    let expected = filesystems.length;
    for (const { properties } of (await objects(POOL)).values()) {
      const { version, encrypted } = this.kind;
      expected += POOL_DEVICES[version] + (properties["HasCache"] === true ? CACHE_DEVICES[version] : 0);
      if (encrypted) expected += version === 2 ? 1 : (await objects(BLOCKDEV)).size;
    }
    const live = await dmDevices();
    assert.equal(live.length, expected, live.join(" "));
    // A daemon that has just begun may be extending the thin pool.
    await until("no device stays suspended", async () => {
      const options = ["info", "-c", "--noheadings", "-o", "suspended,name"];
      return !/^Suspended.*stratis/m.test((await mustRun("dmsetup", options)).stdout);
    });
  }

  /** Filesystems are sound, and what was written is there. */
  async verifyData(): Promise<void> {
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
      assert.equal(await sha256(`${at}/kept`), this.#hash, name);
      await mustRun("umount", [at]);
    }
  }

  #tableOfDevice(): string {
    return `0 ${this.#sizeOfDevice * SECTORS_PER_GIB} linear ${this.#diskOfDevice} 0`;
  }
}
