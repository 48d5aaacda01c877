/** What clients' tests find when they run against `stratisd --sim` (dbus-api.md §20, §10; engine.md §25). */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Variant } from "dbus-next";
import { BASE_PATH, OBJECT_MANAGER, PROPERTIES } from "../../src/dbus/names";
import { simpleUuid } from "../../src/uuid";
import { startBus, type PrivateBus } from "./support/bus";
import { plain } from "./support/client";
import { DECLARED } from "./support/declared";
import { nameOf, startSimulated, type Simulated } from "./support/simulated";
import { secretOf } from "../support/secrets";

let bus: PrivateBus;
let world: Simulated;
before(async () => {
  bus = await startBus();
  world = await startSimulated(bus);
  await world.engine.setKey("k", secretOf("secret"));
});
after(async () => {
  await world.end();
  await bus.stop();
});

const TANG = '{ "url" : "http://t", "stratis:tang:trust_url" : true }';
const TANG_SENT = '{"stratis:tang:trust_url":true,"url":"http://t"}';

const call = async (path: string, name: string, member: string, signature: string, ...body: unknown[]) =>
  plain(await world.client.call(member, { path, interface: name, signature, body })) as unknown[];

async function objects(): Promise<Record<string, Record<string, Record<string, unknown>>>> {
  const [managed] = await world.client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
  return plain(managed) as Record<string, Record<string, Record<string, unknown>>>;
}

/** The values of a property in every revision that has it, which must agree; null when none has. */
function valueOf(object: Record<string, Record<string, unknown>>, property: string): unknown {
  const values = Object.entries(object)
    .filter(([name]) => DECLARED[name]?.properties.some((declared) => declared.name === property))
    .map(([, properties]) => properties[property]);
  for (const value of values) assert.deepEqual(value, values[0], property);
  return values[0] ?? null;
}

const POOL = `${BASE_PATH}/0`;

test("an encrypted pool, its devices and its filesystems", async () => {
  const created = await call(
    BASE_PATH,
    nameOf("Manager", 9),
    "CreatePool",
    "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
    "p",
    ["/dev/not there"],
    [[[true, 4], "k"]],
    [[[false, 0], "tang", TANG]],
    [false, 0n],
    [false, ""],
    [false, false],
  );
  assert.deepEqual(created, [[true, [POOL, [`${BASE_PATH}/1`]]], 0, "Ok"]);
  const spec = [["f", [false, ""]]];
  const filesystem = await call(POOL, nameOf("pool", 0), "CreateFilesystems", "a(s(bs))", spec);
  assert.deepEqual(filesystem, [[true, [[`${BASE_PATH}/2`, "f"]]], 0, "Ok"]);
  const all = await objects();
  const pool = all[POOL] ?? {};
  const expected: Record<string, unknown> = {
    Name: "p",
    Encrypted: true,
    AvailableActions: "fully_operational",
    HasCache: false,
    TotalPhysicalSize: "590295810358705651712",
    AllocatedSize: "2684354560",
    TotalPhysicalUsed: [true, "0"],
    NoAllocSpace: false,
    FsLimit: 10n,
    Overprovisioning: true,
    MetadataVersion: 2n,
    VolumeKeyLoaded: false,
    KeyDescription: [true, [true, "k"]],
    KeyDescriptions: [[4, "k"]],
    ClevisInfo: [true, [true, ["tang", TANG_SENT]]],
    ClevisInfos: [[0, ["tang", TANG_SENT]]],
    FreeTokenSlots: [true, 13],
    LastReencryptedTimestamp: [false, ""],
  };
  for (const [property, value] of Object.entries(expected))
    assert.deepEqual(valueOf(pool, property), value, property);
  const device = all[`${BASE_PATH}/1`] ?? {};
  for (const [property, value] of Object.entries({
    Devnode: "/dev/not there",
    PhysicalPath: "/dev/not there",
    HardwareInfo: [false, ""],
    UserInfo: [false, ""],
    Pool: POOL,
    Tier: 0,
    TotalPhysicalSize: "1073741824",
    NewPhysicalSize: [false, ""],
  }))
    assert.deepEqual(valueOf(device, property), value, property);
  const made = all[`${BASE_PATH}/2`] ?? {};
  for (const [property, value] of Object.entries({
    Devnode: "/somepath/p/f",
    Name: "f",
    Pool: POOL,
    Size: "1099511627776",
    Used: [true, "549755813888"],
    SizeLimit: [false, ""],
    Origin: [false, "0".repeat(32)],
    MergeScheduled: false,
  }))
    assert.deepEqual(valueOf(made, property), value, property);
  assert.match(String(valueOf(made, "Created")), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
});

/** Signature and value of every variant of a property of the manager, all levels. */
function shape(value: unknown): unknown {
  if (value instanceof Variant)
    return { [(value as Variant<unknown>).signature]: shape((value as Variant<unknown>).value) };
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, shape(entry)]));
  return value;
}

const managerProperty = async (revision: number, property: string): Promise<unknown> => {
  const [value] = await world.client.call("Get", {
    interface: PROPERTIES,
    signature: "ss",
    body: [nameOf("Manager", revision), property],
  });
  return shape(value);
};

test("a stopped pool, in the shape of every revision, and told on every revision", async () => {
  const [pool] = world.engine.pools();
  const [device] = pool?.blockDevs() ?? [];
  assert.ok(pool && device);
  world.client.take();
  const stopped = await call(BASE_PATH, nameOf("Manager", 6), "StopPool", "ss", pool.uuid, "uuid");
  assert.deepEqual(stopped, [[true, simpleUuid(pool.uuid)], 0, "Ok"]);
  const old = {
    name: { s: "p" },
    devs: { "aa{ss}": [{ devnode: "/dev/not there", uuid: simpleUuid(device.uuid) }] },
    // Unlike what the real engine tells of a V2 pool.
    key_description: { "(bv)": [true, { "(bs)": [true, "k"] }] },
    clevis_info: { "(bv)": [true, { "(b(ss))": [true, ["tang", TANG_SENT]] }] },
  };
  const recent = {
    ...old,
    metadata_version: { "(bt)": [true, 2n] },
    features: {
      "(ba{sb})": [true, { encryption: true, key_description_present: true, clevis_present: true }],
    },
  };
  const expected = (revision: number): unknown => ({
    "a{sa{sv}}": { [simpleUuid(pool.uuid)]: revision < 8 ? old : recent },
  });
  for (const revision of [0, 1])
    assert.deepEqual(await managerProperty(revision, "LockedPools"), { "a{sa{sv}}": {} });
  const revisions = [2, 3, 4, 5, 6, 7, 8, 9];
  for (const revision of revisions)
    assert.deepEqual(await managerProperty(revision, "StoppedPools"), expected(revision), `r${revision}`);
  const told = world.client
    .take()
    .filter(({ member, path }) => member === "PropertiesChanged" && path === BASE_PATH)
    .map(({ body }) => shape(body));
  assert.deepEqual(
    told,
    revisions.map((revision) => [nameOf("Manager", revision), { StoppedPools: expected(revision) }, []]),
  );
  const report = await call(BASE_PATH, nameOf("Report", 0), "GetReport", "s", "stopped_pools");
  const parsed = JSON.parse(String(report[0])) as { stopped_pools: Record<string, unknown>[] };
  assert.deepEqual(Object.keys(parsed), ["stopped_pools"]);
  assert.deepEqual(Object.keys(parsed.stopped_pools[0] ?? {}), [
    "available_actions",
    "blockdevs",
    "filesystems",
    "fs_limit",
    "name",
    "pool_uuid",
  ]);
});

test("an encrypted pool starts with any unlock method, and not without; then everything is there again", async () => {
  const start = (revision: number, ...unlock: unknown[]) =>
    call(BASE_PATH, nameOf("Manager", revision), "StartPool", "ss(bs)", "p", "name", unlock);
  const refused = await start(4, false, "");
  assert.deepEqual(refused.slice(0, 2), [[false, ["/", [], []]], 1]);
  assert.match(String(refused[2]), /is encrypted but no unlock method was provided/);
  const unknown = await start(7, true, "keyrings");
  assert.deepEqual(unknown.slice(1), [1, "keyrings is an invalid unlock method"]);
  const started = await start(5, true, "clevis");
  // Pool, block devices, filesystems, where their numbers were taken in the order pool, filesystems, block devices.
  const [pool, filesystem, device] = [3, 4, 5].map((number) => `${BASE_PATH}/${number}`);
  assert.deepEqual(started, [[true, [pool, [device], [filesystem]]], 0, "Ok"]);
  assert.deepEqual(await managerProperty(9, "StoppedPools"), { "a{sa{sv}}": {} });
  assert.deepEqual(await start(7, true, "any"), [[false, ["/", [], []]], 0, "Ok"]);
  assert.equal(Object.keys(await objects()).length, 3);
});
