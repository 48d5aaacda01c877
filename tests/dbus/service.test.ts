/** The life of the service: connecting, publishing, answering many at once, losing the bus. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { BASE_PATH, BUS_NAME, OBJECT_MANAGER, PEER, PROPERTIES, VERSION } from "../../src/dbus/names";
import { DbusService } from "../../src/dbus/service";
import { startBus, type PrivateBus } from "./support/bus";
import { Client, plain, type CallOptions } from "./support/client";
import { MemoryEngine } from "./support/engine";
import { collectingLogger, startWorld, summary, type LogLine, type World } from "./support/world";
import { secretOf } from "../support/secrets";

const POOL = `${BASE_PATH}/0`;
const POOL_R9 = `${BUS_NAME}.pool.r9`;
const managedObjects = async (client: Client): Promise<Record<string, Record<string, unknown>>> => {
  const [objects] = await client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
  return plain(objects) as Record<string, Record<string, unknown>>;
};
const rename = (name: string): CallOptions => ({
  path: POOL,
  interface: POOL_R9,
  signature: "s",
  body: [name],
});
const quiet = () => collectingLogger([]);

/** These end with the test that they were made for, however it goes. */
async function worldFor(t: TestContext, prepare?: (engine: MemoryEngine) => void): Promise<World> {
  const world = await startWorld(prepare);
  t.after(() => world.end());
  return world;
}
async function busFor(t: TestContext, policy?: string): Promise<PrivateBus> {
  const bus = await startBus(policy);
  t.after(() => bus.stop());
  return bus;
}
async function clientFor(t: TestContext, address: string): Promise<Client> {
  const client = await Client.connect(address);
  t.after(() => client.close());
  return client;
}
async function serviceFor(
  t: TestContext,
  address: string,
  engine = new MemoryEngine(),
): Promise<DbusService> {
  const service = await DbusService.connect({ address, engine, log: quiet() });
  t.after(() => service.close());
  return service;
}

test("who calls the moment the name is owned finds everything there", async (t) => {
  const bus = await busFor(t);
  const engine = new MemoryEngine();
  for (let pool = 0; pool < 5; pool++) {
    const made = engine.addPool(`p${pool}`, [`/dev/${pool}a`, `/dev/${pool}b`]);
    for (let filesystem = 0; filesystem < 5; filesystem++) made.addFilesystem(`f${filesystem}`);
  }
  const client = await clientFor(t, bus.address);
  const early = new Promise<Record<string, unknown>>((resolve, reject) => {
    client.onSignal = (message) => {
      if (message.member !== "NameOwnerChanged" || message.body[0] !== BUS_NAME) return;
      managedObjects(client).then(resolve, reject);
    };
  });
  await client.callBus("AddMatch", "s", ["type='signal',member='NameOwnerChanged'"]);
  const service = await serviceFor(t, bus.address, engine);
  assert.deepEqual(await client.callBus("NameHasOwner", "s", [BUS_NAME]), [false]);
  await service.publish();
  const objects = await early;
  assert.deepEqual(
    Object.keys(objects),
    Array.from({ length: 40 }, (_, number) => `${BASE_PATH}/${number}`),
  );
});

test("who calls the connection before that is answered when everything is there", async (t) => {
  const bus = await busFor(t);
  const client = await clientFor(t, bus.address);
  const others = (await client.callBus("ListNames")) as [string[]];
  const engine = new MemoryEngine();
  const service = await serviceFor(t, bus.address, engine);
  const [names] = (await client.callBus("ListNames")) as [string[]];
  const [destination] = names.filter((name) => !others[0].includes(name));
  assert.ok(destination !== undefined);
  const early = client.call("GetManagedObjects", { destination, interface: OBJECT_MANAGER });
  // It has been received when a later call of the same connection to the bus has been answered, and waits.
  await client.callBus("GetId");
  engine.addPool("p", ["/dev/a"]);
  await service.publish();
  const [objects] = await early;
  assert.deepEqual(Object.keys(plain(objects) as object), [POOL, `${BASE_PATH}/1`]);
});

test("a name that is taken, and one that the policy refuses", async (t) => {
  const world = await worldFor(t);
  const second = await serviceFor(t, world.bus.address);
  await assert.rejects(second.publish(), {
    message: new RegExp(
      `^Could not take the bus name ${BUS_NAME}: process ${process.pid} \\(:1\\.\\d+\\) owns it$`,
    ),
  });
  // It does not wait in the queue for the name either.
  assert.deepEqual(
    (await world.client.callBus("ListQueuedOwners", "s", [BUS_NAME])).map((owners) => (owners as []).length),
    [1],
  );

  const bus = await busFor(
    t,
    '<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/></policy>',
  );
  const service = await serviceFor(t, bus.address);
  await assert.rejects(service.publish(), /the message bus's policy does not allow it/);
});

test("no bus at the address, and an address that is none", async () => {
  const engine = new MemoryEngine();
  await assert.rejects(
    DbusService.connect({ address: "unix:path=/nonexistent/socket", engine, log: quiet() }),
    /^Error: Could not connect to the message bus at unix:path=\/nonexistent\/socket: .*ENOENT/,
  );
  await assert.rejects(
    DbusService.connect({ address: "tcp:host=localhost", engine, log: quiet() }),
    /is not a Unix socket's/,
  );
});

test("the second address of a list is used when the first does not answer", async (t) => {
  const bus = await busFor(t);
  const service = await serviceFor(t, `unix:path=/nonexistent/socket;${bus.address}`);
  await service.publish();
});

test("the bus going away settles closed with a reason, closing does so as expected", async (t) => {
  const lost = await worldFor(t);
  await lost.bus.stop();
  const { expected, reason } = await lost.service.closed;
  assert.equal(expected, false);
  assert.match(reason, /^the message bus closed the connection/);
  // Changes that nobody can be told of do no harm.
  lost.service.emitChanges([{ change: "poolAdded", pool: lost.engine.addPool("p", ["/dev/a"]) }]);
  await lost.service.close();

  const world = await worldFor(t);
  await world.service.close();
  assert.deepEqual(await world.service.closed, { expected: true, reason: "the connection was closed" });
  assert.deepEqual(await world.client.callBus("NameHasOwner", "s", [BUS_NAME]), [false]);
});

test("calls that wait do not make others wait", async (t) => {
  const world = await worldFor(t, (engine) => engine.addPool("p", ["/dev/a"]));
  const { client, engine } = world;
  const gate = engine.script.gate("renamePool");
  const pending = client.call("SetName", rename("q"));
  await gate.entered;
  const objects = await managedObjects(client);
  assert.equal((objects[POOL]?.[POOL_R9] as { Name: string }).Name, "p");
  assert.equal(await client.get(POOL, POOL_R9, "Name"), "p");
  // Another client, another operation on the same pool, and one that adds objects.
  const other = await clientFor(t, world.bus.address);
  const [created, code] = await other.call("CreateFilesystems", {
    path: POOL,
    interface: POOL_R9,
    signature: "a(s(bs)(bs))",
    body: [[["f", [false, ""], [false, ""]]]],
  });
  assert.deepEqual([created, code], [[true, [[`${BASE_PATH}/2`, "f"]]], 0]);
  client.take();
  gate.release();
  const [, renamedCode] = await pending;
  assert.equal(renamedCode, 0);
  assert.equal(summary(client.take().at(-1) ?? assert.fail()), "reply");
});

test("many calls at once, each answered once and for itself", async (t) => {
  const world = await worldFor(t, (engine) => engine.addPool("p", ["/dev/a"]));
  world.engine.getPool(world.engine.pools()[0]?.uuid ?? assert.fail());
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, index) =>
      index % 2 === 0
        ? world.client.get(POOL, POOL_R9, "Name")
        : world.client
            .call("Metadata", { path: POOL, interface: POOL_R9, signature: "b", body: [true] })
            .then(([text]) => text),
    ),
  );
  replies.forEach((reply, index) => {
    assert.equal(reply, index % 2 === 0 ? "p" : '{"name":"p"}');
  });
  const answered = world.client.received.flatMap(({ replySerial }) => replySerial ?? []);
  assert.equal(new Set(answered).size, answered.length);
});

test("a caller that has gone does not disturb the operation", async (t) => {
  const world = await worldFor(t, (engine) => engine.addPool("p", ["/dev/a"]));
  const gate = world.engine.script.gate("renamePool");
  const caller = await clientFor(t, world.bus.address);
  caller.send("SetName", rename("q"));
  await gate.entered;
  await caller.close();
  gate.release();
  while ((await world.client.get(POOL, POOL_R9, "Name")) !== "q")
    await world.client.call("Ping", { interface: PEER });
});

test("GetManagedObjects equals GetAll of every interface; the manager is not in it", async (t) => {
  const world = await worldFor(t, (engine) => engine.addPool("p", ["/dev/a"]).addFilesystem("f"));
  const objects = await managedObjects(world.client);
  assert.deepEqual(Object.keys(objects), [POOL, `${BASE_PATH}/1`, `${BASE_PATH}/2`]);
  for (const [path, interfaces] of Object.entries(objects)) {
    assert.equal(Object.keys(interfaces).length, 10);
    for (const [name, values] of Object.entries(interfaces)) {
      const reply = await world.client.call("GetAll", {
        path,
        interface: PROPERTIES,
        signature: "s",
        body: [name],
      });
      assert.deepEqual(plain(reply), [values]);
    }
  }
});

test("reports, version, keys, metadata", async (t) => {
  const world = await worldFor(t, (engine) => {
    engine.addPool("p", ["/dev/a"]).addFilesystem("f");
    engine.keys.set("k", secretOf("x"));
  });
  const { client, engine } = world;
  const manager = (revision: number) => `${BUS_NAME}.Manager.r${revision}`;
  assert.equal(await client.get(BASE_PATH, manager(0), "Version"), VERSION);
  const [pool] = engine.pools();
  assert.ok(pool);
  pool.fsLimit = 2n ** 60n + 1n;
  assert.deepEqual(await client.call("EngineStateReport", { interface: manager(9) }), [
    `{"pools":[{"fs_limit":${2n ** 60n + 1n},"name":"p","uuid":"${pool.uuid}"}],"stopped_pools":[]}`,
    0,
    "Ok",
  ]);
  const report = (name: string) =>
    client.call("GetReport", { interface: `${BUS_NAME}.Report.r9`, signature: "s", body: [name] });
  assert.deepEqual(await report("stopped_pools"), ['{"stopped_pools":[]}', 0, "Ok"]);
  assert.deepEqual(await report("x"), ["", 1, "Report name x not understood"]);
  assert.deepEqual(await client.call("ListKeys", { interface: manager(0) }), [["k"], 0, "Ok"]);
  const unset = { interface: manager(9), signature: "s", body: ["k"] };
  assert.deepEqual(await client.call("UnsetKey", unset), [true, 0, "Ok"]);
  assert.deepEqual(await client.call("UnsetKey", unset), [false, 0, "Ok"]);
  assert.deepEqual(
    await client.call("FilesystemMetadata", {
      path: POOL,
      interface: POOL_R9,
      signature: "(bs)b",
      body: [[true, "nothing"], true],
    }),
    ["{}", 0, "Ok"],
  );
});

test("what was done is logged, and so is what failed", async (t) => {
  const world = await worldFor(t, (engine) => engine.addPool("p", ["/dev/a"]));
  await world.client.call("SetName", rename("q"));
  await world.client.call("StopPool", {
    interface: `${BUS_NAME}.Manager.r9`,
    signature: "ss",
    body: ["x", "name"],
  });
  const has = (level: string, pattern: RegExp) =>
    world.log.some((line: LogLine) => line.level === level && pattern.test(line.message));
  assert.ok(has("info", /^D-Bus API is available$/));
  assert.ok(has("info", /^SetName: renamed pool p \(.*\) to q$/));
  assert.ok(has("warn", /Manager\.r9\.StopPool on .* failed: Pool was not found/));
});
