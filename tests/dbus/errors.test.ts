/** D-Bus errors, one by one (dbus-api.md §4.3), and what is not an error. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Variant } from "dbus-next";
import { BASE_PATH, BUS_NAME, OBJECT_MANAGER, PEER, PROPERTIES } from "../../src/dbus/names";
import { EngineError, RollbackError } from "../../src/engine/errors";
import { RemoteError, type CallOptions } from "./support/client";
import { startWorld, type World } from "./support/world";
import type { MemoryPool } from "./support/pool";

const POOL = `${BASE_PATH}/0`;
const FILESYSTEM = `${BASE_PATH}/1`;
const POOL_R9 = `${BUS_NAME}.pool.r9`;

let world: World;
let pool: MemoryPool;
before(async () => {
  world = await startWorld((engine) => {
    pool = engine.addPool("p", ["/dev/a"]);
    pool.addFilesystem("f");
  });
});
after(() => world.end());

async function fails(
  member: string,
  options: CallOptions,
  name: string,
  text?: string | RegExp,
): Promise<void> {
  await assert.rejects(world.client.call(member, options), (error) => {
    assert.ok(error instanceof RemoteError);
    assert.equal(error.errorName, name);
    if (typeof text === "string") assert.equal(error.message, text);
    else if (text !== undefined) assert.match(error.message, text);
    assert.doesNotMatch(error.message, /\n\s+at /);
    return true;
  });
}

const get = (path: string, name: string, property: string): CallOptions => ({
  path,
  interface: PROPERTIES,
  signature: "ss",
  body: [name, property],
});
const set = (path: string, name: string, property: string, value: Variant<unknown>): CallOptions => ({
  path,
  interface: PROPERTIES,
  signature: "ssv",
  body: [name, property, value],
});

test("unknown objects, interfaces, methods", async () => {
  const path = `${BASE_PATH}/999`;
  const args = { interface: POOL_R9, signature: "s", body: ["x"] };
  await fails(
    "SetName",
    { ...args, path },
    "org.freedesktop.DBus.Error.UnknownObject",
    `Unknown object '${path}'`,
  );
  await fails(
    "SetName",
    { ...args, path: "/org" },
    "org.freedesktop.DBus.Error.UnknownInterface",
    `Unknown interface '${POOL_R9}'`,
  );
  await fails(
    "SetName",
    { ...args, path: FILESYSTEM },
    "org.freedesktop.DBus.Error.UnknownInterface",
    `Unknown interface '${POOL_R9}'`,
  );
  await fails(
    "SetName",
    { ...args, path: POOL, interface: `${BUS_NAME}.pool.r10` },
    "org.freedesktop.DBus.Error.UnknownInterface",
  );
  await fails(
    "Nope",
    { ...args, path: POOL },
    "org.freedesktop.DBus.Error.UnknownMethod",
    "Unknown method 'Nope'",
  );
  // Known, but not in this revision.
  await fails(
    "Metadata",
    { path: POOL, interface: `${BUS_NAME}.pool.r6`, signature: "b", body: [true] },
    "org.freedesktop.DBus.Error.UnknownMethod",
  );
  for (const name of [PROPERTIES, PEER, OBJECT_MANAGER, "org.freedesktop.DBus.Introspectable"])
    await fails("Nope", { interface: name }, "org.freedesktop.DBus.Error.UnknownMethod");
  await fails(
    "GetManagedObjects",
    { path: POOL, interface: OBJECT_MANAGER },
    "org.freedesktop.DBus.Error.UnknownInterface",
  );
});

test("a call without interface", async () => {
  await fails(
    "SetName",
    { path: POOL, signature: "s", body: ["x"] },
    "org.freedesktop.DBus.Error.Failed",
    "Missing interface",
  );
});

test("arguments of the wrong signature, and too many of them", async () => {
  await fails(
    "SetName",
    { path: POOL, interface: POOL_R9, signature: "u", body: [3] },
    "org.freedesktop.zbus.Error",
    "Signature mismatch: got `u`, expected `s`",
  );
  await fails("SetName", { path: POOL, interface: POOL_R9 }, "org.freedesktop.zbus.Error");
  await fails("Get", { interface: PROPERTIES, signature: "s", body: ["x"] }, "org.freedesktop.zbus.Error");
  const keys = await world.client.call("ListKeys", {
    interface: `${BUS_NAME}.Manager.r9`,
    signature: "b",
    body: [true],
  });
  assert.deepEqual(keys, [[], 0, "Ok"]);
});

test("unknown properties and interfaces of properties", async () => {
  const unknown = "org.freedesktop.DBus.Error.UnknownProperty";
  await fails("Get", get(POOL, POOL_R9, "Nope"), unknown, "Unknown property 'Nope'");
  await fails("Get", get(POOL, POOL_R9, "KeyDescription"), unknown);
  await fails("Get", get(POOL, PROPERTIES, "Name"), unknown);
  const interfaces = "org.freedesktop.DBus.Error.UnknownInterface";
  await fails(
    "Get",
    get(POOL, `${BUS_NAME}.pool.r99`, "Name"),
    interfaces,
    `Unknown interface '${BUS_NAME}.pool.r99'`,
  );
  await fails(
    "GetAll",
    { path: POOL, interface: PROPERTIES, signature: "s", body: [`${BUS_NAME}.pool.r99`] },
    interfaces,
  );
  await fails("GetAll", { path: "/", interface: PROPERTIES, signature: "s", body: [POOL_R9] }, interfaces);
  await fails(
    "Set",
    set(POOL, `${BUS_NAME}.pool.r99`, "FsLimit", new Variant<unknown>("t", 11n)),
    interfaces,
  );
});

test("a read-only property is unknown to Set, and stays as it is", async () => {
  await fails(
    "Set",
    set(POOL, POOL_R9, "Name", new Variant<unknown>("s", "x")),
    "org.freedesktop.DBus.Error.UnknownProperty",
    "Unknown property 'Name'",
  );
  assert.equal(pool.name, "p");
  // Not in r0 at all.
  await fails(
    "Set",
    set(POOL, `${BUS_NAME}.pool.r0`, "FsLimit", new Variant<unknown>("t", 11n)),
    "org.freedesktop.DBus.Error.UnknownProperty",
  );
});

test("Set with a value of another type, and Set that the engine refuses", async () => {
  await fails(
    "Set",
    set(POOL, POOL_R9, "Overprovisioning", new Variant<unknown>("u", 1)),
    "org.freedesktop.zbus.Error",
    /incorrect type/,
  );
  assert.equal(pool.overprovisioning, true);
  await fails(
    "Set",
    set(POOL, POOL_R9, "FsLimit", new Variant<unknown>("t", 10n)),
    "org.freedesktop.zbus.Error",
    "New filesystem limit must be greater than the current limit",
  );
  await fails(
    "Set",
    set(FILESYSTEM, `${BUS_NAME}.filesystem.r6`, "SizeLimit", new Variant<unknown>("(bs)", [true, "x1"])),
    "org.freedesktop.zbus.Error",
    /^Failed to parse x1 as unsigned integer: /,
  );
});

test("properties of what the engine no longer has", async () => {
  const gone = world.engine.addPool("gone", ["/dev/z"]);
  const filesystem = gone.addFilesystem("f");
  world.service.emitChanges([{ change: "poolAdded", pool: gone }]);
  const path = String(
    (await world.client.call("GetManagedObjects", { interface: OBJECT_MANAGER })).flatMap((objects) =>
      Object.keys(objects as object).filter((key) => Number(key.slice(BASE_PATH.length + 1)) > 2),
    )[0],
  );
  const filesystemPath = `${BASE_PATH}/${Number(path.slice(BASE_PATH.length + 1)) + 1}`;
  gone.removeFilesystem(filesystem.uuid);
  await fails(
    "Get",
    get(filesystemPath, `${BUS_NAME}.filesystem.r9`, "Name"),
    "org.freedesktop.DBus.Error.Failed",
    `No filesystem associated with UUID ${filesystem.uuid}`,
  );
  world.engine.running.delete(gone.uuid);
  await fails(
    "Get",
    get(path, POOL_R9, "Name"),
    "org.freedesktop.DBus.Error.Failed",
    `No pool associated with UUID ${gone.uuid}`,
  );
  const [values] = await world.client.call("GetAll", {
    path,
    interface: PROPERTIES,
    signature: "s",
    body: [POOL_R9],
  });
  assert.deepEqual(values, {});
  const reply = await world.client.call("SetName", {
    path,
    interface: POOL_R9,
    signature: "s",
    body: ["x"],
  });
  assert.deepEqual(reply, [[false, ""], 1, `No pool associated with uuid ${gone.uuid}`]);
  world.service.emitChanges([{ change: "poolRemoved", uuid: gone.uuid }]);
  await fails("Get", get(path, POOL_R9, "Name"), "org.freedesktop.DBus.Error.UnknownObject");
});

test("engine errors are successful replies with code 1, the default result and the bare text", async () => {
  const failures = [
    new EngineError("plain reason"),
    new RollbackError(new Error("a"), new Error("b"), "no_ipc_requests"),
    new TypeError("not even an engine error"),
  ];
  for (const failure of failures) {
    world.engine.script.failNext("renamePool", failure);
    const reply = await world.client.call("SetName", {
      path: POOL,
      interface: POOL_R9,
      signature: "s",
      body: ["q"],
    });
    assert.deepEqual(reply, [[false, ""], 1, failure.message]);
  }
  world.engine.script.failNext("renameFilesystem", new EngineError("with \0 and \ud800 in it"));
  const reply = await world.client.call("SetName", {
    path: FILESYSTEM,
    interface: `${BUS_NAME}.filesystem.r9`,
    signature: "s",
    body: ["q"],
  });
  assert.deepEqual(reply, [[false, "0".repeat(32)], 1, "with \ufffd and \ufffd in it"]);
});

test("a property that cannot be obtained is left out of GetAll, and Get says why", async () => {
  const filesystem = pool.filesystems()[0];
  assert.ok(filesystem);
  filesystem.created = new Date(NaN);
  try {
    await fails(
      "Get",
      get(FILESYSTEM, `${BUS_NAME}.filesystem.r9`, "Created"),
      "org.freedesktop.DBus.Error.Failed",
      /^Could not obtain property Created: /,
    );
    const [values] = await world.client.call("GetAll", {
      path: FILESYSTEM,
      interface: PROPERTIES,
      signature: "s",
      body: [`${BUS_NAME}.filesystem.r9`],
    });
    assert.equal(Object.keys(values as object).length, 9);
    assert.ok(!("Created" in (values as object)));
  } finally {
    filesystem.created = new Date(0);
  }
});

test("Peer answers on every path, and standard interfaces have no properties", async () => {
  for (const path of ["/", "/org", BASE_PATH, POOL, "/nowhere"]) {
    assert.deepEqual(await world.client.call("Ping", { path, interface: PEER }), []);
    const [id] = await world.client
      .call("GetMachineId", { path, interface: PEER })
      .catch((error: unknown) => [(error as Error).message]);
    assert.match(String(id), /^([0-9a-f]{32}|Could not read the machine ID: .*)$/);
  }
  for (const path of ["/", POOL])
    assert.deepEqual(
      await world.client.call("GetAll", { path, interface: PROPERTIES, signature: "s", body: [PEER] }),
      [{}],
    );
});

test("a call that expects no reply is carried out and not answered", async () => {
  world.client.take();
  const serial = world.client.send("SetName", {
    path: POOL,
    interface: POOL_R9,
    signature: "s",
    body: ["silent"],
    flags: 1,
  });
  const failing = world.client.send("Nope", { path: POOL, interface: POOL_R9, flags: 1 });
  while (pool.name !== "silent") await world.client.call("Ping", { interface: PEER });
  await world.client.call("Ping", { interface: PEER });
  const answered = world.client.received.map(({ replySerial }) => replySerial);
  assert.ok(!answered.includes(serial));
  assert.ok(!answered.includes(failing));
  pool.name = "p";
});
