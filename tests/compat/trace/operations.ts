/**
 * The 42 operations of the recorded trace, in its order and with its names. Object paths are those that the replies
 * name, so that a daemon that answers something else fails where it does.
 */
import { Variant } from "dbus-next";
import { closeDescriptor } from "../../../src/bus/descriptors";
import { interfaceName, type Kind, type Revision } from "../../../src/dbus/names";
import { native } from "../../../src/native";
import { manager, method, property, type Call, type Tracer } from "./tracer";

const MIB = 1n << 20n;
const NO_STRING = [false, ""];
/** Of the pool, added to it, and its cache; the simulator takes any. */
export type Devices = readonly [data: string, added: string, cache: string];

export interface Setting {
  devices: Devices;
  /** The device that got user info when the trace was recorded, which was drawn by chance. */
  noted: "added" | "cache";
}
const SIMULATED: Setting = { devices: ["/dev/a", "/dev/b", "/dev/c"], noted: "cache" };
const NO_KEYS: unknown[] = [];

/** Pool "p" with its filesystems "a", "bb", "d", and "s", a snapshot of a. */
interface Made {
  readonly pool: string;
  readonly a: string;
  readonly b: string;
  readonly snapshot: string;
}

/** An object path within a reply, found by its place. */
function pathAt(reply: unknown, ...place: number[]): string {
  const value = place.reduce<unknown>(
    (part, index) => (Array.isArray(part) ? part[index] : undefined),
    reply,
  );
  if (typeof value === "string" && value !== "/") return value;
  throw new Error(`There is no object path at ${place.join(".")} of the reply ${JSON.stringify(reply)}`);
}

const createPool = (device: string): Call =>
  manager(
    "CreatePool",
    "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
    "p",
    [device],
    NO_KEYS,
    NO_KEYS,
    [false, 0n],
    NO_STRING,
    [false, false],
  );

const createFilesystems = (pool: string, mebibytes: bigint, ...names: string[]): Call =>
  method(
    "pool",
    pool,
    "CreateFilesystems",
    "a(s(bs)(bs))",
    names.map((name) => [name, [true, (mebibytes * MIB).toString()], NO_STRING]),
  );

const set = (
  path: string,
  kind: Kind,
  revision: Revision,
  name: string,
  signature: string,
  value: unknown,
): Call =>
  property(path, "Set", "ssv", interfaceName(kind, revision), name, new Variant<unknown>(signature, value));

async function creations(tracer: Tracer, [data, other]: Devices): Promise<Made> {
  const created = await tracer.record("Manager.r9.CreatePool p", createPool(data));
  const pool = pathAt(created, 0, 1, 0);
  await tracer.record("Manager.r9.CreatePool p again (identity)", createPool(data));
  await tracer.record("Manager.r9.CreatePool p with other devices (error)", createPool(other));
  const a = await tracer.record("pool.r9.CreateFilesystems a", createFilesystems(pool, 1024n, "a"));
  await tracer.record(
    "pool.r9.CreateFilesystems b c (two: refused)",
    createFilesystems(pool, 600n, "b", "c"),
  );
  const b = await tracer.record("pool.r9.CreateFilesystems b", createFilesystems(pool, 600n, "b"));
  await tracer.record("pool.r9.CreateFilesystems a again (identity)", createFilesystems(pool, 1024n, "a"));
  await tracer.record("pool.r0.CreateFilesystems d (r0)", {
    ...method("pool", pool, "CreateFilesystems", "a(s(bs))", [["d", [true, (600n * MIB).toString()]]]),
    interface: interfaceName("pool", 0),
  });
  const made = { pool, a: pathAt(a, 0, 1, 0, 0), b: pathAt(b, 0, 1, 0, 0) };
  const snapshot = await tracer.record(
    "pool.r9.SnapshotFilesystem a as s",
    method("pool", pool, "SnapshotFilesystem", "os", made.a, "s"),
  );
  const rename = method("filesystem", made.b, "SetName", "s", "bb");
  await tracer.record("filesystem.r9.SetName b to bb", rename);
  await tracer.record("filesystem.r9.SetName bb to bb (identity)", rename);
  return { ...made, snapshot: pathAt(snapshot, 0, 1) };
}

async function properties(tracer: Tracer, { pool, a, snapshot }: Made): Promise<void> {
  const settings: [string, Call][] = [
    ["filesystem.r9 MergeScheduled true", set(snapshot, "filesystem", 9, "MergeScheduled", "b", true)],
    ["filesystem.r8 MergeScheduled false", set(snapshot, "filesystem", 8, "MergeScheduled", "b", false)],
    [
      "filesystem.r9 SizeLimit",
      set(a, "filesystem", 9, "SizeLimit", "(bs)", [true, (2048n * MIB).toString()]),
    ],
    [
      "filesystem.r9 SizeLimit below size (refused)",
      set(a, "filesystem", 9, "SizeLimit", "(bs)", [true, MIB.toString()]),
    ],
    ["pool.r9 Name (read-only)", set(pool, "pool", 9, "Name", "s", "x")],
    ["pool.r9 Overprovisioning wrong type", set(pool, "pool", 9, "Overprovisioning", "u", 1)],
    ["pool.r9 Overprovisioning false", set(pool, "pool", 9, "Overprovisioning", "b", false)],
    ["pool.r1 Overprovisioning true", set(pool, "pool", 1, "Overprovisioning", "b", true)],
  ];
  for (const [name, call] of settings) await tracer.record(`Properties.Set ${name}`, call);
}

async function refusals(tracer: Tracer, { pool }: Made): Promise<void> {
  const [known, unknown] = [interfaceName("pool", 9), interfaceName("pool", 9).replace(/9$/, "99")];
  const calls: [string, Call][] = [
    ["Properties.Get unknown property", property(pool, "Get", "ss", known, "Nope")],
    ["Properties.Get unknown interface", property(pool, "Get", "ss", unknown, "Name")],
    ["Properties.GetAll unknown interface", property(pool, "GetAll", "s", unknown)],
    ["unknown method", method("pool", pool, "Nope", "")],
    ["unknown object", method("pool", "/org/storage/stratis3/999", "SetName", "s", "x")],
    ["wrong signature", method("pool", pool, "SetName", "u", 3)],
    ["extra argument", manager("ListKeys", "b", true)],
  ];
  for (const [name, call] of calls) await tracer.record(name, call);
}

async function changes(
  tracer: Tracer,
  { pool, snapshot }: Made,
  { devices: [, added, cacheDevice], noted }: Setting,
): Promise<void> {
  await tracer.record("pool.r9.SetName p to q", method("pool", pool, "SetName", "s", "q"));
  const data = await tracer.record("pool.r9.AddDataDevs", method("pool", pool, "AddDataDevs", "as", [added]));
  const cache = await tracer.record(
    "pool.r9.InitCache",
    method("pool", pool, "InitCache", "as", [cacheDevice]),
  );
  const device = pathAt(noted === "cache" ? cache : data, 0, 1, 0);
  await tracer.record(
    "Properties.Set blockdev.r9 UserInfo",
    set(device, "blockdev", 9, "UserInfo", "(bs)", [true, "note"]),
  );
  await tracer.record("blockdev.r0.SetUserInfo", {
    ...method("blockdev", device, "SetUserInfo", "(bs)", [true, "note2"]),
    interface: interfaceName("blockdev", 0),
  });
  const destroy = method("pool", pool, "DestroyFilesystems", "ao", [snapshot]);
  await tracer.record("pool.r9.DestroyFilesystems s", destroy);
  await tracer.record("pool.r9.DestroyFilesystems s again (identity)", destroy);
}

/** `descriptor` stands where a descriptor has to be and is not looked at. */
async function ends(tracer: Tracer, { pool }: Made, descriptor: number): Promise<void> {
  await tracer.record("Manager.r9.DestroyPool with filesystems (error)", manager("DestroyPool", "o", pool));
  const stop = manager("StopPool", "ss", "q", "name");
  await tracer.record("Manager.r9.StopPool q", stop);
  await tracer.record("Manager.r9.StopPool q again (identity)", stop);
  await tracer.record("Manager.r9.RefreshState", manager("RefreshState", ""));
  const noUnlocking = [
    [false, [false, 0]],
    [false, descriptor],
  ];
  const started = await tracer.record(
    "Manager.r9.StartPool q",
    manager("StartPool", "ss(b(bu))(bh)b", "q", "name", ...noUnlocking, false),
  );
  const again = pathAt(started, 0, 1, 0);
  const filesystems = [0, 1, 2].map((index) => pathAt(started, 0, 1, 2, index));
  await tracer.record(
    "pool.r9.DestroyFilesystems all",
    method("pool", again, "DestroyFilesystems", "ao", filesystems),
  );
  await tracer.record("Manager.r9.DestroyPool", manager("DestroyPool", "o", again));
}

export async function runOperations(tracer: Tracer, setting: Setting = SIMULATED): Promise<void> {
  const made = await creations(tracer, setting.devices);
  await properties(tracer, made);
  await refusals(tracer, made);
  await changes(tracer, made, setting);
  const { readEnd, writeEnd } = native().pipeWith(Buffer.from("x".repeat(32)));
  try {
    await ends(tracer, made, writeEnd);
    await tracer.record("Manager.r9.SetKey", manager("SetKey", "sh", "k1", readEnd));
  } finally {
    closeDescriptor(readEnd);
    closeDescriptor(writeEnd);
  }
  await tracer.record("Manager.r9.UnsetKey", manager("UnsetKey", "s", "k1"));
}
