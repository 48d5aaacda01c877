/** Operations that take their time: what goes on beside them, and what has to wait (engine.md §24). */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { Variant } from "dbus-next";
import { BASE_PATH, OBJECT_MANAGER, PROPERTIES } from "../../src/dbus/names";
import type { Conditions } from "../../src/engine/sim/conditions";
import { startBus, type PrivateBus } from "./support/bus";
import { plain } from "./support/client";
import { deferred } from "./support/script";
import { DECLARED } from "./support/declared";
import { nameOf, startSimulated, type Simulated } from "./support/simulated";

/** Operations named here wait when they begin; all others go on. */
class Gates implements Conditions {
  readonly #closed = new Map<string, { arrived: () => void; open: Promise<void> }>();

  close(operation: string): { arrived: Promise<void>; open: () => void } {
    const [arrival, opening] = [deferred(), deferred()];
    this.#closed.set(operation, { arrived: arrival.resolve, open: opening.promise });
    return { arrived: arrival.promise, open: opening.resolve };
  }

  async begin(operation: string): Promise<void> {
    const gate = this.#closed.get(operation);
    this.#closed.delete(operation);
    gate?.arrived();
    await gate?.open;
  }
}

let bus: PrivateBus;
let gates: Gates;
let world: Simulated;
before(async () => {
  bus = await startBus();
});
after(() => bus.stop());
beforeEach(async () => {
  gates = new Gates();
  world = await startSimulated(bus, gates);
});
afterEach(() => world.end());

const manager = async (member: string, signature: string, ...body: unknown[]): Promise<unknown[]> =>
  plain(await world.client.call(member, { interface: nameOf("Manager", 9), signature, body })) as unknown[];
const create = (name: string, device = `/dev/${name}`): Promise<unknown[]> =>
  manager(
    "CreatePool",
    "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
    name,
    [device],
    [],
    [],
    [false, 0n],
    [false, ""],
    [false, false],
  );
/** Through r7, which takes no descriptor. */
const start = async (name: string): Promise<unknown[]> =>
  plain(
    await world.client.call("StartPool", {
      interface: nameOf("Manager", 7),
      signature: "ss(bs)",
      body: [name, "name", [false, ""]],
    }),
  ) as unknown[];
const onPool = async (
  path: string,
  member: string,
  signature: string,
  ...body: unknown[]
): Promise<unknown[]> =>
  plain(
    await world.client.call(member, { path, interface: nameOf("pool", 9), signature, body }),
  ) as unknown[];
const createFilesystem = (path: string, name: string): Promise<unknown[]> =>
  onPool(path, "CreateFilesystems", "a(s(bs)(bs))", [[name, [false, ""], [false, ""]]]);
const pathOf = (reply: unknown[]): string => (reply as [[boolean, [string]]])[0][1][0];

const TANG = [[[false, 0], "tang", "{}"]];

/** Resolves to "waits" when nothing came of it by the time that a later call has been answered. */
async function stateOf(work: Promise<unknown>): Promise<string> {
  await world.client.get(BASE_PATH, nameOf("Manager", 9), "Version");
  return Promise.race([work.then(() => "done"), Promise.resolve("waits")]);
}

test("a long operation on one pool holds up neither reads nor other pools nor the list of objects", async () => {
  const busy = pathOf(await create("busy"));
  const other = pathOf(await create("other"));
  for (const [method, signature, body] of [
    ["EncryptPool", "a((bu)s)a((bu)ss)", [[], TANG]],
    ["ReencryptPool", "", []],
    ["DecryptPool", "", []],
    ["AddDataDevs", "as", [["/dev/more"]]],
  ] as const) {
    const gate = gates.close(method);
    const operation = onPool(busy, method, signature, ...body);
    await gate.arrived;
    const waiting = createFilesystem(busy, method);
    assert.equal(await world.client.get(busy, nameOf("pool", 9), "Name"), "busy");
    const [objects] = await world.client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
    const values = (objects as Record<string, Record<string, object>>)[busy]?.[nameOf("pool", 9)] ?? {};
    const [all] = await world.client.call("GetAll", {
      path: busy,
      interface: PROPERTIES,
      signature: "s",
      body: [nameOf("pool", 9)],
    });
    assert.deepEqual(plain(values), plain(all));
    assert.equal(Object.keys(values).length, DECLARED[nameOf("pool", 9)]?.properties.length);
    assert.equal((await createFilesystem(other, method))[1], 0);
    await create(method);
    assert.equal((await manager("StopPool", "ss", method, "name"))[1], 0);
    assert.equal((await start(method))[1], 0);
    assert.equal((await manager("EngineStateReport", ""))[1], 0);
    assert.equal(await stateOf(waiting), "waits");
    assert.equal(await stateOf(operation), "waits");
    gate.open();
    assert.equal((await operation)[1], 0);
    assert.deepEqual((await waiting)[1], 0);
  }
});

test("metadata are read beside an encryption, and in their turn when something is being written", async () => {
  const path = pathOf(await create("p"));
  const encryption = gates.close("EncryptPool");
  const encrypting = onPool(path, "EncryptPool", "a((bu)s)a((bu)ss)", [], TANG);
  await encryption.arrived;
  assert.equal((await onPool(path, "Metadata", "b", true))[1], 0);
  encryption.open();
  await encrypting;
  const creation = gates.close("CreateFilesystems");
  const creating = createFilesystem(path, "f");
  await creation.arrived;
  const reading = onPool(path, "FilesystemMetadata", "(bs)b", [false, ""], true);
  assert.equal(await stateOf(reading), "waits");
  creation.open();
  await creating;
  assert.match(String((await reading)[0]), /"name":"f"/);
});

test("two creations of one name at once: one wins, the other is told why not", async () => {
  const gate = gates.close("CreatePool");
  const first = create("p", "/dev/a");
  await gate.arrived;
  const second = await create("p", "/dev/b");
  assert.deepEqual(second.slice(0, 2), [[false, ["/", []]], 1]);
  assert.match(String(second[2]), /^Entry with name p already exists: another request is making/);
  gate.open();
  assert.equal((await first)[1], 0);
  assert.equal(world.engine.pools().length, 1);
  // Once more, and nothing in its way: what the first made is what is wanted.
  assert.deepEqual((await create("p", "/dev/a")).slice(0, 2), [[false, ["/", []]], 0]);
});

test("operations on one pool come one after the other, in order of their calls", async () => {
  const path = pathOf(await create("p"));
  const gate = gates.close("CreateFilesystems");
  const calls = [createFilesystem(path, "f"), createFilesystem(path, "f"), onPool(path, "SetName", "s", "q")];
  await gate.arrived;
  const stop = manager("StopPool", "ss", "p", "name");
  const late = createFilesystem(path, "g");
  assert.equal(await stateOf(Promise.race([...calls, stop, late])), "waits");
  gate.open();
  const [first, second, rename] = await Promise.all(calls);
  assert.deepEqual(
    [first?.[0], second?.[0], rename?.[0]].map((result) => (result as [boolean])[0]),
    [true, false, true],
  );
  // Meanwhile the pool has another name: by the old one there is none.
  assert.deepEqual((await stop).slice(0, 2), [[false, ""], 1]);
  assert.equal((await late)[1], 0);
});

test("a pool that was stopped while an operation waited for it refuses that clearly", async () => {
  const path = pathOf(await create("p"));
  const gate = gates.close("StopPool");
  const stop = manager("StopPool", "ss", "p", "name");
  await gate.arrived;
  const [again, late] = [manager("StopPool", "ss", "p", "name"), createFilesystem(path, "f")];
  const setting = world.client.set(path, nameOf("pool", 9), "FsLimit", new Variant<unknown>("t", 20n));
  setting.catch(() => undefined);
  assert.equal(await world.client.get(path, nameOf("pool", 9), "Name"), "p");
  gate.open();
  assert.equal((await stop)[1], 0);
  assert.deepEqual((await again).slice(0, 2), [[false, ""], 0]);
  const [result, code, text] = await late;
  assert.deepEqual([result, code], [[false, []], 1]);
  assert.match(String(text), /Pool "p" .* has been stopped/);
  await assert.rejects(setting, /has been stopped/);
});
