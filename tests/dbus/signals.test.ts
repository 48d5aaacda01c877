/** Which signals a call causes, in which order, and that its reply comes after them (dbus-api.md §11). */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Variant } from "dbus-next";
import { BASE_PATH, BUS_NAME } from "../../src/dbus/names";
import { EngineError } from "../../src/engine/errors";
import { simpleUuid } from "../../src/uuid";
import { bytes } from "../../src/units";
import { plain, type CallOptions } from "./support/client";
import { allRevisions, changedOn, startWorld, summary, type World } from "./support/world";
import { secretOf } from "../support/secrets";

const at = (number: number): string => `${BASE_PATH}/${number}`;
const added = (number: number, kind: string): string => `added ${at(number)} ${allRevisions(kind)}`;
const removed = (number: number, kind: string): string => `removed ${at(number)} ${allRevisions(kind)}`;

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world.end());

/** The reply's body, and everything that was received from the call up to and with it. */
async function traced(member: string, options: CallOptions): Promise<{ body: unknown[]; trace: string[] }> {
  world.client.take();
  const body = await world.client.call(member, options);
  return { body: plain(body) as unknown[], trace: world.client.take().map(summary) };
}

const manager = (revision: number, signature: string, ...body: unknown[]): CallOptions => ({
  interface: `${BUS_NAME}.Manager.r${revision}`,
  signature,
  body,
});
const on = (kind: string, number: number, revision: number, signature: string, ...body: unknown[]) => ({
  path: at(number),
  interface: `${BUS_NAME}.${kind}.r${revision}`,
  signature,
  body,
});

const CREATE_R9 = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
const createPool = (name: string, devices: string[], keys: unknown[] = [], clevis: unknown[] = []) =>
  traced(
    "CreatePool",
    manager(9, CREATE_R9, name, devices, keys, clevis, [false, 0n], [false, ""], [false, false]),
  );
const createFilesystem = (pool: number, name: string) =>
  traced(
    "CreateFilesystems",
    on("pool", pool, 9, "a(s(bs)(bs))", [[name, [true, "1073741824"], [false, ""]]]),
  );

test("CreatePool: pool, then devices, then the reply; again: identity", async () => {
  const first = await createPool("p", ["/dev/a", "/dev/b"]);
  assert.deepEqual(first.trace, [added(0, "pool"), added(1, "blockdev"), added(2, "blockdev"), "reply"]);
  assert.deepEqual(first.body, [[true, [at(0), [at(1), at(2)]]], 0, "Ok"]);
  const again = await createPool("p", ["/dev/b", "/dev/a"]);
  assert.deepEqual(again.trace, ["reply"]);
  assert.deepEqual(again.body, [[false, ["/", []]], 0, "Ok"]);
  const other = await createPool("p", ["/dev/c"]);
  assert.deepEqual(other.body, [[false, ["/", []]], 1, "Pool p exists with other devices"]);
});

test("CreatePool through the older revisions takes their arguments", async () => {
  world.engine.keys.set("k", secretOf("x"));
  const oldest = await traced(
    "CreatePool",
    manager(
      0,
      "s(bq)as(bs)(b(ss))",
      "a",
      [true, 1],
      ["/dev/a"],
      [true, "k"],
      [true, ["tang", '{ "url": "u", "a": 1.50 }']],
    ),
  );
  assert.deepEqual(oldest.body, [[true, [at(0), [at(1)]]], 0, "Ok"]);
  assert.deepEqual(world.engine.pools()[0]?.encryptionInfo, {
    keys: [{ slot: 1, description: "k" }],
    clevis: [{ slot: 2, pin: "tang", config: '{"a":1.50,"url":"u"}' }],
    freeSlots: 13,
  });
  const dropped = await traced(
    "CreatePool",
    manager(5, "sas(bs)(b(ss))", "b", ["/dev/b"], [false, ""], [false, ["", ""]]),
  );
  assert.deepEqual(dropped.body, [[true, [at(2), [at(3)]]], 0, "Ok"]);
});

test("CreatePool refuses arguments that it cannot make sense of", async () => {
  const text = ({ body }: { body: unknown[] }) => String(body[2]);
  const slot = [true, 3];
  assert.equal(
    text(await createPool("p", ["/dev/a"], [[slot, "a"]], [[slot, "tang", "{}"]])),
    "Token slot 3 already taken",
  );
  assert.match(text(await createPool("p", ["/dev/a"], [], [[[false, 0], "tang", "{"]])), /^Serde error: /);
  assert.equal(
    text(await createPool("p", ["/dev/a"], [[[false, 0], "a;b"]])),
    "Key description a;b contains a ';'",
  );
  assert.equal(world.engine.script.calls.length, 0);
});

test("filesystems come, are renamed, become origins, and go", async () => {
  await createPool("p", ["/dev/a"]);
  const created = await createFilesystem(0, "a");
  assert.deepEqual(created.trace, [added(2, "filesystem"), "reply"]);
  assert.deepEqual(created.body, [[true, [[at(2), "a"]]], 0, "Ok"]);
  assert.deepEqual((await createFilesystem(0, "a")).body, [[false, []], 0, "Ok"]);
  const snapshot = await traced("SnapshotFilesystem", on("pool", 0, 9, "os", at(2), "s"));
  assert.deepEqual(snapshot.trace, [added(3, "filesystem"), "reply"]);
  assert.deepEqual(snapshot.body, [[true, at(3)], 0, "Ok"]);
  assert.deepEqual((await traced("SnapshotFilesystem", on("pool", 0, 9, "os", at(2), "s"))).body, [
    [false, "/"],
    0,
    "Ok",
  ]);
  const renamed = await traced("SetName", on("filesystem", 2, 4, "s", "b"));
  assert.deepEqual(renamed.trace, [
    ...changedOn(at(2), "filesystem", 0, 9, "Name"),
    ...changedOn(at(2), "filesystem", 0, 9, "!Devnode"),
    "reply",
  ]);
  assert.deepEqual((await traced("SetName", on("filesystem", 2, 9, "s", "b"))).body, [
    [false, "0".repeat(32)],
    0,
    "Ok",
  ]);
  const uuid = world.engine.pools()[0]?.filesystems()[0]?.uuid;
  assert.ok(uuid);
  const destroyed = await traced("DestroyFilesystems", on("pool", 0, 9, "ao", [at(2), at(77), at(1), at(2)]));
  assert.deepEqual(destroyed.trace, [
    removed(2, "filesystem"),
    ...changedOn(at(3), "filesystem", 7, 9, "Origin"),
    "reply",
  ]);
  assert.deepEqual(destroyed.body, [[true, [simpleUuid(uuid)]], 0, "Ok"]);
  assert.deepEqual(await world.client.get(at(3), `${BUS_NAME}.filesystem.r9`, "Origin"), [
    false,
    "0".repeat(32),
  ]);
  assert.deepEqual((await traced("DestroyFilesystems", on("pool", 0, 9, "ao", [at(2)]))).body, [
    [false, []],
    0,
    "Ok",
  ]);
  // Numbers are never used again.
  assert.deepEqual((await createFilesystem(0, "new")).trace, [added(4, "filesystem"), "reply"]);
});

test("CreateFilesystems refuses two at a time, and sizes that are no numbers", async () => {
  await createPool("p", ["/dev/a"]);
  const specs = (...list: unknown[]) => traced("CreateFilesystems", on("pool", 0, 9, "a(s(bs)(bs))", list));
  const none = [false, ""];
  assert.deepEqual((await specs(["a", none, none], ["b", none, none])).body, [
    [false, []],
    1,
    "Currently filesystem creation is limited to one filesystem at a time",
  ]);
  for (const size of ["", " 1", "-1", "1M", "0x10", (2n ** 128n).toString()])
    assert.equal(
      (await specs(["a", [true, size], none])).body[2],
      `Could not parse filesystem size string ${size} to integer value`,
    );
  assert.equal(
    (await specs(["a", none, [true, "big"]])).body[2],
    "Could not parse filesystem size limit string big to integer value",
  );
  assert.deepEqual((await specs(["a", [true, "+536870912"], none])).body[1], 0);
  const old = await traced("CreateFilesystems", on("pool", 0, 0, "a(s(bs))", [["old", [true, "536870912"]]]));
  assert.deepEqual(old.trace, [added(3, "filesystem"), "reply"]);
});

test("devices, cache, growth", async () => {
  await createPool("p", ["/dev/a"]);
  const data = await traced("AddDataDevs", on("pool", 0, 9, "as", ["/dev/b", "/dev/a"]));
  assert.deepEqual(data.trace, [
    ...changedOn(at(0), "pool", 0, 9, "TotalPhysicalSize"),
    ...changedOn(at(0), "pool", 1, 9, "NoAllocSpace"),
    added(2, "blockdev"),
    "reply",
  ]);
  assert.deepEqual(data.body, [[true, [at(2)]], 0, "Ok"]);
  const noCache = await traced("AddCacheDevs", on("pool", 0, 9, "as", ["/dev/d"]));
  assert.equal(noCache.body[1], 1);
  const cache = await traced("InitCache", on("pool", 0, 9, "as", ["/dev/c"]));
  assert.deepEqual(cache.trace, [
    ...changedOn(at(0), "pool", 0, 9, "HasCache"),
    added(3, "blockdev"),
    "reply",
  ]);
  assert.equal(await world.client.get(at(3), `${BUS_NAME}.blockdev.r0`, "Tier"), 1);
  const more = await traced("AddCacheDevs", on("pool", 0, 9, "as", ["/dev/d"]));
  assert.deepEqual(more.trace, [added(4, "blockdev"), "reply"]);
  const device = world.engine.pools()[0]?.blockDevs()[0];
  assert.ok(device);
  const grow = () => traced("GrowPhysicalDevice", on("pool", 0, 3, "s", simpleUuid(device.uuid)));
  assert.deepEqual(await grow(), { body: [false, 0, "Ok"], trace: ["reply"] });
  device.newSize = bytes(2n << 30n);
  assert.deepEqual(await grow(), {
    body: [true, 0, "Ok"],
    trace: [
      ...changedOn(at(0), "pool", 0, 9, "TotalPhysicalSize"),
      ...changedOn(at(1), "blockdev", 0, 9, "TotalPhysicalSize"),
      ...changedOn(at(1), "blockdev", 3, 9, "NewPhysicalSize"),
      "reply",
    ],
  });
  const bad = await traced("GrowPhysicalDevice", on("pool", 0, 9, "s", "no-uuid"));
  assert.match(String(bad.body[2]), /^Uuid error: /);
});

test("a cache on an encrypted pool is refused up to r4", async () => {
  world.engine.keys.set("k", secretOf("x"));
  await createPool("p", ["/dev/a"], [[[false, 0], "k"]]);
  const old = await traced("InitCache", on("pool", 0, 4, "as", ["/dev/c"]));
  assert.deepEqual(old.body, [[false, []], 1, "Use of a cache is not supported with an encrypted pool"]);
  assert.equal((await traced("InitCache", on("pool", 0, 5, "as", ["/dev/c"]))).body[1], 0);
});

test("a pool's new name changes the links of its filesystems", async () => {
  await createPool("p", ["/dev/a"]);
  await createFilesystem(0, "f");
  const renamed = await traced("SetName", on("pool", 0, 9, "s", "q"));
  assert.deepEqual(renamed.trace, [
    ...changedOn(at(0), "pool", 0, 9, "Name"),
    ...changedOn(at(2), "filesystem", 0, 9, "!Devnode"),
    "reply",
  ]);
  const uuid = world.engine.pools()[0]?.uuid;
  assert.ok(uuid);
  assert.deepEqual(renamed.body, [[true, simpleUuid(uuid)], 0, "Ok"]);
  assert.deepEqual((await traced("SetName", on("pool", 0, 9, "s", "q"))).body, [[false, ""], 0, "Ok"]);
});

test("StopPool, StartPool, DestroyPool", async () => {
  await createPool("p", ["/dev/a"]);
  await createFilesystem(0, "f");
  const uuid = world.engine.pools()[0]?.uuid;
  assert.ok(uuid);
  const busy = await traced("DestroyPool", manager(9, "o", at(0)));
  assert.deepEqual(busy, { body: [[false, ""], 1, "filesystems remaining on pool"], trace: ["reply"] });
  const stopped = await traced("StopPool", manager(9, "ss", "p", "name"));
  assert.deepEqual(stopped.trace, [
    removed(2, "filesystem"),
    removed(1, "blockdev"),
    removed(0, "pool"),
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    "reply",
  ]);
  assert.deepEqual(stopped.body, [[true, simpleUuid(uuid)], 0, "Ok"]);
  assert.deepEqual((await traced("StopPool", manager(6, "ss", uuid, "uuid"))).body, [[false, ""], 0, "Ok"]);
  assert.deepEqual((await traced("StopPool", manager(5, "o", at(0)))).body, [
    [false, ""],
    1,
    `No pool found in engine associated with object path ${at(0)}`,
  ]);
  const started = await traced("StartPool", manager(2, "s(bs)", simpleUuid(uuid).toUpperCase(), [false, ""]));
  assert.deepEqual(started.trace, [
    added(3, "pool"),
    added(4, "filesystem"),
    added(5, "blockdev"),
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    "reply",
  ]);
  assert.deepEqual(started.body, [[true, [at(3), [at(5)], [at(4)]]], 0, "Ok"]);
  assert.deepEqual((await traced("StartPool", manager(4, "ss(bs)", "p", "name", [false, "any"]))).body, [
    [false, ["/", [], []]],
    0,
    "Ok",
  ]);
  await traced("DestroyFilesystems", on("pool", 3, 9, "ao", [at(4)]));
  const destroyed = await traced("DestroyPool", manager(9, "o", at(3)));
  assert.deepEqual(destroyed.trace, [removed(5, "blockdev"), removed(3, "pool"), "reply"]);
  assert.deepEqual(destroyed.body, [[true, uuid], 0, "Ok"]);
  assert.deepEqual((await traced("DestroyPool", manager(9, "o", at(3)))).body, [
    [false, ""],
    1,
    `Object path ${at(3)} not associated with pool`,
  ]);
});

test("a pool that leaves devices behind is stopped, and the call says so", async () => {
  await createPool("p", ["/dev/a"]);
  const [pool] = world.engine.pools();
  assert.ok(pool);
  pool.leavesDevices = true;
  const stopped = await traced("StopPool", manager(5, "o", at(0)));
  assert.deepEqual(stopped.body, [
    [false, ""],
    1,
    "Pool was stopped, but some component devices were not torn down",
  ]);
  assert.deepEqual(stopped.trace.slice(0, 3), [
    removed(1, "blockdev"),
    removed(0, "pool"),
    `changed ${BASE_PATH} Manager.r2 StoppedPools`,
  ]);
});

test("StartPool: words of the old revisions, slots of the new ones, descriptors only where wanted", async () => {
  world.engine.keys.set("k", secretOf("x"));
  await createPool("p", ["/dev/a"], [[[false, 0], "k"]]);
  await traced("StopPool", manager(9, "ss", "p", "name"));
  const word = async (text: string) =>
    (await traced("StartPool", manager(4, "ss(bs)", "p", "name", [true, text]))).body;
  assert.deepEqual(await word("nonsense"), [
    [false, ["/", [], []]],
    1,
    "nonsense is an invalid unlock method",
  ]);
  assert.equal((await word("keyring"))[1], 0);
  for (const other of ["Clevis", "ANY"]) {
    await traced("StopPool", manager(9, "ss", "p", "name"));
    assert.equal((await word(other))[1], 0);
  }
  await traced("StopPool", manager(9, "ss", "p", "name"));
  const indices = (unlock: unknown, fd: unknown) =>
    world.client.callWithIndices("StartPool", {
      ...manager(9, "ss(b(bu))(bh)b", "p", "name", unlock, fd, false),
      signature: "ss(b(bu))(bh)b",
    });
  const wanted = await indices([true, [false, 0]], [true, 0]);
  assert.deepEqual(wanted.body[1], 1);
  assert.match(String(wanted.body[2]), /^Could not read the key from file descriptor 0 of the message: /);
  world.client.take();
  const unwanted = await indices([true, [true, 0]], [false, 4294967295]);
  assert.deepEqual(unwanted.body.slice(1), [0, "Ok"]);
  const trace = world.client.take().map(summary);
  assert.deepEqual(trace.slice(2), [
    ...changedOn(BASE_PATH, "Manager", 0, 1, "LockedPools"),
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    "reply",
  ]);
  const type = await traced("StopPool", manager(9, "ss", "p", "label"));
  assert.deepEqual(type.body, [[false, ""], 1, "ID type label not recognized"]);
});

test("SetKey without a descriptor says so", async () => {
  const reply = await world.client.callWithIndices("SetKey", {
    ...manager(0, "sh", "k", 7),
    signature: "sh",
  });
  assert.deepEqual(reply.body, [
    [false, false],
    1,
    "Could not read the key from file descriptor 7 of the message: no file descriptor came with it",
  ]);
});

test("UnlockPool starts a pool, registers it and says so", async () => {
  await createPool("p", ["/dev/a"]);
  const uuid = world.engine.pools()[0]?.uuid;
  assert.ok(uuid);
  const unlock = (word: string) => traced("UnlockPool", manager(1, "ss", uuid, word));
  assert.equal((await unlock("any")).body[1], 1);
  await traced("StopPool", manager(9, "ss", "p", "name"));
  const started = await unlock("any");
  assert.deepEqual(started.body, [[true, []], 0, "Ok"]);
  assert.deepEqual(started.trace, [
    added(2, "pool"),
    added(3, "blockdev"),
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    "reply",
  ]);
});

test("bindings: both halves, and the count of free slots", async () => {
  world.engine.keys.set("k", secretOf("x"));
  await createPool("p", ["/dev/a"], [[[false, 0], "k"]]);
  const keyHalf = changedOn(at(0), "pool", 0, 7, "KeyDescription");
  const keysHalf = changedOn(at(0), "pool", 8, 9, "KeyDescriptions");
  const clevisHalf = changedOn(at(0), "pool", 0, 7, "ClevisInfo");
  const clevisesHalf = changedOn(at(0), "pool", 8, 9, "ClevisInfos");
  const free = changedOn(at(0), "pool", 8, 9, "FreeTokenSlots");
  const first = await traced("BindClevis", on("pool", 0, 7, "ss", "tang", "{}"));
  assert.deepEqual(first, {
    body: [true, 0, "Ok"],
    trace: [...clevisHalf, ...clevisesHalf, ...free, "reply"],
  });
  // Not the lowest slot: the single binding of r0 to r7 stays what it was.
  const second = await traced("BindClevis", on("pool", 0, 9, "ss(bu)", "tang", "{}", [false, 0]));
  assert.deepEqual(second, { body: [true, 0, "Ok"], trace: [...clevisesHalf, ...free, "reply"] });
  const same = await traced("BindKeyring", on("pool", 0, 8, "s(bu)", "k", [false, 0]));
  assert.deepEqual(same, { body: [false, 0, "Ok"], trace: ["reply"] });
  const rebound = await traced("RebindKeyring", on("pool", 0, 8, "s(bu)", "k2", [true, 0]));
  assert.deepEqual(rebound, { body: [true, 0, "Ok"], trace: [...keyHalf, ...keysHalf, "reply"] });
  const again = await traced("RebindClevis", on("pool", 0, 0, ""));
  assert.deepEqual(again, { body: [true, 0, "Ok"], trace: [...clevisHalf, ...clevisesHalf, "reply"] });
  const unbound = await traced("UnbindKeyring", on("pool", 0, 9, "(bu)", [false, 0]));
  assert.deepEqual(unbound, { body: [true, 0, "Ok"], trace: [...keyHalf, ...keysHalf, ...free, "reply"] });
  const none = await traced("UnbindKeyring", on("pool", 0, 2, ""));
  assert.deepEqual(none, { body: [false, 0, "Ok"], trace: ["reply"] });
  const nothing = await traced("RebindKeyring", on("pool", 0, 2, "s", "k3"));
  assert.match(String(nothing.body[2]), /is not currently bound to a keyring passphrase$/);
});

test("EncryptPool, ReencryptPool, DecryptPool", async () => {
  await createPool("p", ["/dev/a"]);
  const r9 = (signature: string, ...body: unknown[]) => on("pool", 0, 9, signature, ...body);
  const none = await traced("EncryptPool", r9("a((bu)s)a((bu)ss)", [], []));
  assert.deepEqual(none.body, [false, 1, "No unlock methods provided"]);
  const bindings = [
    ...changedOn(at(0), "pool", 0, 7, "KeyDescription"),
    ...changedOn(at(0), "pool", 8, 9, "KeyDescriptions"),
    ...changedOn(at(0), "pool", 0, 7, "ClevisInfo"),
    ...changedOn(at(0), "pool", 8, 9, "ClevisInfos"),
    ...changedOn(at(0), "pool", 9, 9, "Encrypted"),
    ...changedOn(at(0), "pool", 8, 9, "FreeTokenSlots"),
  ];
  const time = changedOn(at(0), "pool", 9, 9, "LastReencryptedTimestamp");
  const encrypt = () => traced("EncryptPool", r9("a((bu)s)a((bu)ss)", [[[false, 0], "k"]], []));
  assert.deepEqual(await encrypt(), { body: [true, 0, "Ok"], trace: [...bindings, "reply"] });
  assert.deepEqual(await encrypt(), { body: [false, 0, "Ok"], trace: ["reply"] });
  assert.deepEqual(await traced("ReencryptPool", r9("")), {
    body: [true, 0, "Ok"],
    trace: [...time, "reply"],
  });
  assert.deepEqual(await world.client.get(at(0), `${BUS_NAME}.pool.r9`, "LastReencryptedTimestamp"), [
    true,
    "2026-02-01T00:00:00Z",
  ]);
  assert.deepEqual(await traced("DecryptPool", r9("")), {
    body: [true, 0, "Ok"],
    trace: [...bindings, ...time, "reply"],
  });
});

test("Set: announced everywhere on change, on the addressed interface otherwise", async () => {
  await createPool("p", ["/dev/a"]);
  await createFilesystem(0, "f");
  await traced("SnapshotFilesystem", on("pool", 0, 9, "os", at(2), "s"));
  const set = async (number: number, name: string, property: string, signature: string, value: unknown) => {
    world.client.take();
    await world.client.set(
      at(number),
      `${BUS_NAME}.${name}`,
      property,
      new Variant<unknown>(signature, value),
    );
    return world.client.take().map(summary);
  };
  const limit = [...changedOn(at(2), "filesystem", 6, 9, "SizeLimit"), "reply"];
  assert.deepEqual(await set(2, "filesystem.r9", "SizeLimit", "(bs)", [true, "2147483648"]), limit);
  assert.deepEqual(await set(2, "filesystem.r7", "SizeLimit", "(bs)", [true, "2147483648"]), [
    `changed ${at(2)} filesystem.r7 SizeLimit`,
    "reply",
  ]);
  assert.deepEqual(await set(2, "filesystem.r6", "SizeLimit", "(bs)", [false, ""]), limit);
  assert.deepEqual(await set(3, "filesystem.r8", "MergeScheduled", "b", true), [
    ...changedOn(at(3), "filesystem", 7, 9, "MergeScheduled"),
    "reply",
  ]);
  const over = [...changedOn(at(0), "pool", 1, 9, "Overprovisioning"), "reply"];
  assert.deepEqual(await set(0, "pool.r1", "Overprovisioning", "b", false), over);
  assert.deepEqual(await set(0, "pool.r9", "Overprovisioning", "b", false), over);
  assert.deepEqual(await set(0, "pool.r5", "FsLimit", "t", 2n ** 64n - 1n), [
    ...changedOn(at(0), "pool", 1, 9, "FsLimit"),
    "reply",
  ]);
  assert.equal(world.engine.pools()[0]?.fsLimit, 2n ** 64n - 1n);
  assert.deepEqual(await set(1, "blockdev.r3", "UserInfo", "(bs)", [true, "note"]), [
    ...changedOn(at(1), "blockdev", 3, 9, "UserInfo"),
    "reply",
  ]);
  assert.deepEqual(await set(1, "blockdev.r9", "UserInfo", "(bs)", [true, "note"]), [
    `changed ${at(1)} blockdev.r9 UserInfo`,
    "reply",
  ]);
  const method = await traced("SetUserInfo", on("blockdev", 1, 0, "(bs)", [false, ""]));
  assert.deepEqual(method.trace, ["reply"]);
  assert.equal((method.body[0] as unknown[])[0], true);
  assert.deepEqual((await traced("SetUserInfo", on("blockdev", 1, 0, "(bs)", [false, ""]))).body, [
    [false, "0".repeat(32)],
    0,
    "Ok",
  ]);
});

test("what an operation left of a pool's abilities is announced before its reply, once", async () => {
  await createPool("p", ["/dev/a"]);
  const [pool] = world.engine.pools();
  assert.ok(pool);
  const begin = pool.script.begin.bind(pool.script);
  pool.script.begin = async (operation) => {
    await begin(operation);
    pool.availableActions = "no_ipc_requests";
    throw new EngineError("lowered");
  };
  const lowered = [...changedOn(at(0), "pool", 0, 9, "AvailableActions"), "reply"];
  const create = await createFilesystem(0, "f");
  assert.deepEqual(create, { body: [[false, []], 1, "lowered"], trace: lowered });
  const refused = await createFilesystem(0, "f");
  assert.deepEqual(refused.trace, ["reply"]);
  assert.match(String(refused.body[2]), /^Pool is in state NoRequests /);
  pool.availableActions = "fully_operational";
  world.client.take();
  world.service.emitChanges([{ change: "pool", uuid: pool.uuid, properties: ["availableActions"] }]);
  assert.deepEqual((await traced("Metadata", on("pool", 0, 9, "b", true))).body[1], 1);
});

test("an operation that fails midway leaves no objects of what is gone, and tells what else it has changed", async () => {
  await createPool("p", ["/dev/a"]);
  await createFilesystem(0, "a");
  await createFilesystem(0, "b");
  const [pool] = world.engine.pools();
  const first = pool?.filesystems()[0];
  assert.ok(pool && first);
  assert.equal((await traced("SnapshotFilesystem", on("pool", 0, 9, "os", at(2), "s"))).body[1], 0);
  pool.script.begin = () => {
    pool.removeFilesystem(first.uuid);
    return Promise.reject(new EngineError("second is busy"));
  };
  const destroyed = await traced("DestroyFilesystems", on("pool", 0, 9, "ao", [at(2), at(3)]));
  assert.deepEqual(destroyed.body, [[false, []], 1, "second is busy"]);
  assert.deepEqual(destroyed.trace, [
    removed(2, "filesystem"),
    ...changedOn(at(4), "filesystem", 7, 9, "Origin"),
    "reply",
  ]);
});

test("a start that fails tells when there are other stopped pools afterwards, and only then", async () => {
  await createPool("p", ["/dev/a"]);
  await traced("StopPool", manager(9, "ss", "p", "name"));
  const start = () => traced("StartPool", manager(4, "ss(bs)", "p", "name", [false, "any"]));
  world.engine.script.begin = () => Promise.reject(new EngineError("a device is missing"));
  assert.deepEqual((await start()).trace, ["reply"]);
  world.engine.script.begin = () => {
    world.engine.stopped.clear();
    return Promise.reject(new EngineError("it was interrupted while being made, and is gone"));
  };
  assert.deepEqual((await start()).trace, [
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    ...changedOn(BASE_PATH, "Manager", 0, 1, "LockedPools"),
    "reply",
  ]);
});

test("changes in the background become objects and signals", async () => {
  await createPool("p", ["/dev/a"]);
  await createFilesystem(0, "f");
  const [pool] = world.engine.pools();
  const filesystem = pool?.filesystems()[0];
  const device = pool?.blockDevs()[0];
  assert.ok(pool && filesystem && device);
  const other = world.engine.addPool("other", ["/dev/x"]);
  world.client.take();
  world.service.emitChanges([
    { change: "pool", uuid: pool.uuid, properties: ["allocatedSize", "totalPhysicalUsed", "noAllocSpace"] },
    { change: "filesystem", pool: pool.uuid, uuid: filesystem.uuid, properties: ["size", "used"] },
    { change: "blockDev", pool: pool.uuid, uuid: device.uuid, properties: ["newPhysicalSize"] },
    { change: "stoppedPools" },
    { change: "poolAdded", pool: other },
    { change: "poolAdded", pool: other },
    { change: "filesystemRemoved", pool: pool.uuid, uuid: filesystem.uuid },
    { change: "filesystemRemoved", pool: pool.uuid, uuid: filesystem.uuid },
    { change: "poolRemoved", uuid: pool.uuid },
    { change: "poolRemoved", uuid: pool.uuid },
  ]);
  const { trace } = await traced0();
  assert.deepEqual(trace, [
    ...changedOn(at(0), "pool", 0, 9, "AllocatedSize"),
    ...changedOn(at(0), "pool", 0, 9, "TotalPhysicalUsed"),
    ...changedOn(at(0), "pool", 1, 9, "NoAllocSpace"),
    ...changedOn(at(2), "filesystem", 0, 9, "Size"),
    ...changedOn(at(2), "filesystem", 0, 9, "Used"),
    ...changedOn(at(1), "blockdev", 3, 9, "NewPhysicalSize"),
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    ...changedOn(BASE_PATH, "Manager", 0, 1, "LockedPools"),
    added(3, "pool"),
    added(4, "blockdev"),
    removed(2, "filesystem"),
    removed(1, "blockdev"),
    removed(0, "pool"),
    "reply",
  ]);
});

/** What was received until the service has answered a Ping. */
async function traced0(): Promise<{ trace: string[] }> {
  await world.client.call("Ping", { interface: "org.freedesktop.DBus.Peer" });
  return { trace: world.client.take().map(summary) };
}

test("RefreshState: objects follow what was found, whether or not it was told", async () => {
  await createPool("p", ["/dev/a"]);
  const [pool] = world.engine.pools();
  assert.ok(pool);
  world.engine.running.delete(pool.uuid);
  world.engine.addPool("found", ["/dev/x"]);
  world.engine.refreshChanges = [{ change: "stoppedPools" }];
  const refreshed = await traced("RefreshState", manager(2, ""));
  assert.deepEqual(refreshed.body, [0, "Ok"]);
  assert.deepEqual(refreshed.trace, [
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    ...changedOn(BASE_PATH, "Manager", 0, 1, "LockedPools"),
    removed(1, "blockdev"),
    removed(0, "pool"),
    added(2, "pool"),
    added(3, "blockdev"),
    "reply",
  ]);
});
