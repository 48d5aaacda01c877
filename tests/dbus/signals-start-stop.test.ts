/** Signals of starts and stops of pools, and what their older revisions take (dbus-api.md §11). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BASE_PATH } from "../../src/dbus/names";
import { EngineError } from "../../src/engine/errors";
import { simpleUuid } from "../../src/uuid";
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

test("StopPool, StartPool, DestroyPool", async () => {
  await createPool("p", ["/dev/a"]);
  await createFilesystem(0, "f");
  const uuid = world.engine.pools()[0]?.uuid;
  assert.ok(uuid);
  const busy = await traced("DestroyPool", manager(9, "o", at(0)));
  assert.deepEqual(busy, { body: [[false, ""], 1, "filesystems remaining on pool"], trace: ["reply"] });
  const stopped = await traced("StopPool", manager(9, "ss", "p", "name"));
  assert.deepEqual(stopped.trace, [
    ...removed(2, "filesystem"),
    ...removed(1, "blockdev"),
    ...removed(0, "pool"),
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
    ...added(3, "pool"),
    ...added(4, "filesystem"),
    ...added(5, "blockdev"),
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
  assert.deepEqual(destroyed.trace, [...removed(5, "blockdev"), ...removed(3, "pool"), "reply"]);
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
  const told = [
    ...removed(1, "blockdev"),
    ...removed(0, "pool"),
    `changed ${BASE_PATH} Manager.r2 StoppedPools`,
  ];
  assert.deepEqual(stopped.trace.slice(0, told.length), told);
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
  assert.deepEqual(trace, [
    ...added(8, "pool"),
    ...added(9, "blockdev"),
    ...changedOn(BASE_PATH, "Manager", 0, 1, "LockedPools"),
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
    "reply",
  ]);
  const type = await traced("StopPool", manager(9, "ss", "p", "label"));
  assert.deepEqual(type.body, [[false, ""], 1, "ID type label not recognized"]);
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
    ...added(2, "pool"),
    ...added(3, "blockdev"),
    ...changedOn(BASE_PATH, "Manager", 2, 9, "StoppedPools"),
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
