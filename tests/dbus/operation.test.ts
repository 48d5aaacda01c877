/** The object of an operation in place: there from its begin to its end, with what is done and what is left. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { BASE_PATH, BUS_NAME, INTROSPECTABLE, OBJECT_MANAGER, PROPERTIES } from "../../src/dbus/names";
import { bytes } from "../../src/units";
import { startBus } from "./support/bus";
import { plain, type Client } from "./support/client";
import { deferred } from "./support/script";
import { nameOf, startSimulated, type Simulated } from "./support/simulated";
import { startWorld } from "./support/world";

const POOL = `${BASE_PATH}/0`;
const OPERATION = `${BASE_PATH}/2`;
const INTERFACE = `${BUS_NAME}.operation`;

type Objects = Record<string, Record<string, Record<string, unknown>>>;

async function objectsOf(client: Client): Promise<Objects> {
  const [found] = await client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
  return plain(found) as Objects;
}

test("an operation in place is an object while it runs", async (t) => {
  const world = await startWorld((engine) => {
    engine.addPool("p", ["/dev/a"]);
  });
  t.after(() => world.end());
  const [pool] = world.engine.pools();
  assert.ok(pool !== undefined);
  const objects = (): Promise<Objects> => objectsOf(world.client);
  const change = (progress: typeof pool.inPlace): void => {
    pool.inPlace = progress;
    world.service.emitChanges([{ change: "pool", uuid: pool.uuid, properties: ["inPlace"] }]);
  };
  const before = await objects();
  assert.deepEqual(Object.keys(before), [POOL, `${BASE_PATH}/1`]);

  change({ kind: "encrypt", done: bytes(0n), total: bytes(0n), remainingSeconds: null });
  const begun = { Pool: POOL, Kind: "encrypt", DoneBytes: 0n, TotalBytes: 0n, RemainingSeconds: [false, 0n] };
  assert.deepEqual((await objects())[OPERATION], { [INTERFACE]: begun });
  change({ kind: "encrypt", done: bytes(5n), total: bytes(8n), remainingSeconds: 3 });
  const [all] = await world.client.call("GetAll", {
    path: OPERATION,
    interface: PROPERTIES,
    signature: "s",
    body: [INTERFACE],
  });
  assert.deepEqual(plain(all), { ...begun, DoneBytes: 5n, TotalBytes: 8n, RemainingSeconds: [true, 3n] });
  const [xml] = await world.client.call("Introspect", { path: OPERATION, interface: INTROSPECTABLE });
  assert.match(String(xml), /<interface name="org\.storage\.stratis3\.operation">/);

  change(null);
  assert.deepEqual(await objects(), before);
  const signals = world.client
    .take()
    .flatMap(({ member, path }) => (member === undefined ? [] : [[member, path]]));
  const expected = [
    "InterfacesAdded",
    "PropertiesChanged",
    "PropertiesChanged",
    "PropertiesChanged",
    "InterfacesRemoved",
  ];
  assert.deepEqual(
    signals.map(([member]) => member),
    expected,
  );
});

/** Conditions of the simulator: operations in place begin when they are let, and take so many seconds. */
async function simulated(
  t: TestContext,
  inPlaceSeconds: number,
): Promise<{ world: Simulated; begun: Promise<void>; go: () => void }> {
  const [arrival, opening] = [deferred(), deferred()];
  const bus = await startBus();
  const begin = async (operation: string): Promise<void> => {
    if (operation !== "EncryptPool") return;
    arrival.resolve();
    await opening.promise;
  };
  const world = await startSimulated(bus, { begin, inPlaceSeconds });
  t.after(async () => {
    opening.resolve();
    await world.end();
    await bus.stop();
  });
  const body = ["p", ["/dev/a"], [], [], [false, 0n], [false, ""], [false, false]];
  const signature = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
  await world.client.call("CreatePool", { interface: nameOf("Manager", 9), signature, body });
  world.client.take();
  return { world, begun: arrival.promise, go: opening.resolve };
}

const encrypt = async (world: Simulated): Promise<unknown[]> =>
  plain(
    await world.client.call("EncryptPool", {
      path: POOL,
      interface: nameOf("pool", 9),
      signature: "a((bu)s)a((bu)ss)",
      body: [[], [[[false, 0], "tang", "{}"]]],
    }),
  ) as unknown[];

/** Signals about the operation, in order. */
const told = ({ client }: Simulated): string[] =>
  client
    .take()
    .filter(({ path, body }) => path === OPERATION || body[0] === OPERATION)
    .map(({ member = "" }) => member);

test("the simulator's operation in place: from its begin to its success", async (t) => {
  const { world, begun, go } = await simulated(t, 0);
  const before = await objectsOf(world.client);
  const reply = encrypt(world);
  await begun;
  assert.deepEqual(Object.keys(await objectsOf(world.client)), Object.keys(before), "not looked at yet");
  await world.check();
  const waits = { Pool: POOL, Kind: "encrypt", DoneBytes: 0n, TotalBytes: 0n, RemainingSeconds: [false, 0n] };
  assert.deepEqual((await objectsOf(world.client))[OPERATION], { [INTERFACE]: waits });
  go();
  assert.deepEqual(await reply, [true, 0, "Ok"]);
  await world.check();
  const after = await objectsOf(world.client);
  assert.deepEqual(Object.keys(after), Object.keys(before));
  assert.equal(after[POOL]?.[nameOf("pool", 9)]?.["Encrypted"], true);
  assert.deepEqual(told(world), ["InterfacesAdded", "InterfacesRemoved"]);
});

test("the simulator's operation in place: its progress, and the daemon's end in the middle of it", async (t) => {
  const { world, begun, go } = await simulated(t, 3600);
  const reply = encrypt(world);
  await begun;
  go();
  await world.check();
  const now = async (): Promise<Record<string, unknown>> =>
    (await objectsOf(world.client))[OPERATION]?.[INTERFACE] ?? {};
  const first = await now();
  await world.check();
  const second = await now();
  assert.equal(first["TotalBytes"], second["TotalBytes"]);
  const [one, two, total] = [first["DoneBytes"], second["DoneBytes"], second["TotalBytes"]] as [
    bigint,
    bigint,
    bigint,
  ];
  assert.ok(0n < one && one < two && two < total, `${one}, ${two} of ${total}`);
  const [known, seconds] = second["RemainingSeconds"] as [boolean, bigint];
  assert.ok(known && 3000n < seconds && seconds <= 3600n, String(seconds));
  await world.engine.shutdown();
  const [changed, code, message] = await reply;
  assert.deepEqual([changed, code], [false, 1]);
  assert.match(String(message), /interrupted: stratisd is exiting; nothing was changed/);
  const after = await objectsOf(world.client);
  assert.equal(after[POOL]?.[nameOf("pool", 9)]?.["Encrypted"], false);
  const changes = Array<string>(3).fill("PropertiesChanged");
  assert.deepEqual(told(world), ["InterfacesAdded", ...changes, "InterfacesRemoved"]);
});
