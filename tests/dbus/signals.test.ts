/** Which signals a call causes, in which order, and that its reply comes after them (dbus-api.md §11). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next";
import { BASE_PATH, BUS_NAME } from "../../src/dbus/names";
import { EngineError } from "../../src/engine/errors";
import { simpleUuid } from "../../src/uuid";
import { bytes } from "../../src/units";
import { changedOn, summary } from "./support/world";
import { secretOf } from "../support/secrets";
import {
  at,
  added,
  removed,
  world,
  traced,
  manager,
  on,
  createPool,
  createFilesystem,
  useWorlds,
} from "./support/traced";

useWorlds();

test("CreatePool: pool, then devices, then the reply; again: identity", async () => {
  const first = await createPool("p", ["/dev/a", "/dev/b"]);
  assert.deepEqual(first.trace, [
    ...added(0, "pool"),
    ...added(1, "blockdev"),
    ...added(2, "blockdev"),
    "reply",
  ]);
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
  assert.deepEqual(created.trace, [...added(2, "filesystem"), "reply"]);
  assert.deepEqual(created.body, [[true, [[at(2), "a"]]], 0, "Ok"]);
  assert.deepEqual((await createFilesystem(0, "a")).body, [[false, []], 0, "Ok"]);
  const snapshot = await traced("SnapshotFilesystem", on("pool", 0, 9, "os", at(2), "s"));
  assert.deepEqual(snapshot.trace, [...added(3, "filesystem"), "reply"]);
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
    ...removed(2, "filesystem"),
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
  assert.deepEqual((await createFilesystem(0, "new")).trace, [...added(4, "filesystem"), "reply"]);
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
  assert.deepEqual(old.trace, [...added(3, "filesystem"), "reply"]);
});

test("devices, cache, growth", async () => {
  await createPool("p", ["/dev/a"]);
  const data = await traced("AddDataDevs", on("pool", 0, 9, "as", ["/dev/b", "/dev/a"]));
  assert.deepEqual(data.trace, [
    ...changedOn(at(0), "pool", 0, 9, "TotalPhysicalSize"),
    ...changedOn(at(0), "pool", 1, 9, "NoAllocSpace"),
    ...added(2, "blockdev"),
    "reply",
  ]);
  assert.deepEqual(data.body, [[true, [at(2)]], 0, "Ok"]);
  const noCache = await traced("AddCacheDevs", on("pool", 0, 9, "as", ["/dev/d"]));
  assert.equal(noCache.body[1], 1);
  const cache = await traced("InitCache", on("pool", 0, 9, "as", ["/dev/c"]));
  assert.deepEqual(cache.trace, [
    ...changedOn(at(0), "pool", 0, 9, "HasCache"),
    ...added(3, "blockdev"),
    "reply",
  ]);
  assert.equal(await world.client.get(at(3), `${BUS_NAME}.blockdev.r0`, "Tier"), 1);
  const more = await traced("AddCacheDevs", on("pool", 0, 9, "as", ["/dev/d"]));
  assert.deepEqual(more.trace, [...added(4, "blockdev"), "reply"]);
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
    ...removed(2, "filesystem"),
    ...changedOn(at(4), "filesystem", 7, 9, "Origin"),
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
    ...added(3, "pool"),
    ...added(4, "blockdev"),
    ...removed(2, "filesystem"),
    ...removed(1, "blockdev"),
    ...removed(0, "pool"),
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
    ...removed(1, "blockdev"),
    ...removed(0, "pool"),
    ...added(2, "pool"),
    ...added(3, "blockdev"),
    "reply",
  ]);
});
