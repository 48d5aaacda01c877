/** What events of devices, here files, do to pools that wait. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { wipeStaticHeader } from "../../../../src/disk/bda";
import type { EngineChange } from "../../../../src/engine/engine";
import { KeyedLock } from "../../../../src/engine/lock";
import { DeviceEvents } from "../../../../src/engine/real/device-events";
import { LiminalPools } from "../../../../src/engine/real/discovery/liminal";
import { trySetUp } from "../../../../src/engine/real/discovery/setup";
import type { RealPool } from "../../../../src/engine/real/pool";
import { LinkNotifier } from "../../../../src/engine/real/uevent";
import { NamedTable } from "../../../../src/engine/table";
import type { PoolUuid } from "../../../../src/uuid";
import { copyContent, copyOf, eventOf, imageFolder, makePool, onImage, type ImageDevice } from "./images";

/** What the engine has around the handling of events, without running pools. */
class World {
  readonly liminal = new LiminalPools();
  readonly moves = new KeyedLock<PoolUuid>();
  readonly #links = new LinkNotifier();
  readonly #events = new DeviceEvents(new NamedTable<PoolUuid, RealPool>(), this.liminal, {
    whenFree: (pool, work) => this.moves.one(pool, work),
    trySetUp: async (pool) => {
      const claimName = (): void => undefined;
      await trySetUp(pool, this.#links, {
        start: false,
        allSeen: false,
        unlock: { method: null, passphrase: null },
        claimName,
      });
      return [{ change: "stoppedPools" }];
    },
  });

  tell(...args: Parameters<typeof eventOf>): Promise<EngineChange[]> {
    return this.#events.handle(eventOf(...args));
  }

  /** Names and paths of the devices of the pools that wait. */
  waiting(): { name: string | null; devices: string[] }[] {
    return this.liminal
      .stoppedPools()
      .map(({ name, devices }) => ({ name, devices: devices.map(({ path }) => path) }));
  }
}

async function twoOf(context: TestContext): Promise<{ folder: string; a: ImageDevice; b: ImageDevice }> {
  const folder = imageFolder(context);
  const { devices } = await makePool(folder, "p", { data: 2 });
  const [a, b] = devices;
  assert.ok(a !== undefined && b !== undefined);
  return { folder, a, b };
}

test("a pool is known by its name when all of its devices are there", async (context) => {
  const { a, b } = await twoOf(context);
  const world = new World();
  await world.tell("add", a);
  assert.deepEqual(world.waiting(), [{ name: null, devices: [a.path] }]);
  await world.tell("add", b);
  const complete = [{ name: "p", devices: [a.path, b.path] }];
  assert.deepEqual(world.waiting(), complete);
  assert.deepEqual(await world.tell("remove", b), [{ change: "stoppedPools" }]);
  assert.deepEqual(world.waiting(), [{ name: null, devices: [a.path] }]);
  await world.tell("add", b);
  assert.deepEqual(world.waiting(), complete);
});

test("an event that changes nothing of which pools are stopped is no news", async (context) => {
  const { a, b } = await twoOf(context);
  const world = new World();
  const news = [{ change: "stoppedPools" }];
  assert.deepEqual(await world.tell("add", a), news);
  assert.deepEqual(await world.tell("change", a), []);
  assert.deepEqual(await world.tell("add", b), news);
  for (const device of [a, b]) assert.deepEqual(await world.tell("change", device), []);
  assert.deepEqual(await world.tell("remove", a), news);
});

test("devices of a pool that is partly up go, too", async (context) => {
  const { a, b } = await twoOf(context);
  const world = new World();
  for (const device of [a, b]) await world.tell("add", device);
  const [pool] = world.liminal.values();
  assert.ok(pool);
  pool.partiallyConstructed = true;
  await world.tell("remove", b);
  assert.deepEqual([...pool.devices.keys()], [a.header.devUuid]);
  await world.tell("remove", a);
  assert.deepEqual(world.waiting(), []);
});

test("a copy of a device that is known is ignored, and when it goes, nothing else does", async (context) => {
  const { a, b } = await twoOf(context);
  const world = new World();
  for (const device of [a, b]) await world.tell("add", device);
  const copy = copyOf(b);
  await world.tell("add", copy);
  assert.deepEqual(world.waiting(), [{ name: "p", devices: [a.path, b.path] }]);
  assert.deepEqual(await world.tell("remove", copy), []);
  assert.deepEqual(world.waiting(), [{ name: "p", devices: [a.path, b.path] }]);
});

test("a device whose number is another one now, and of whose removal nobody told, takes its own place", async (context) => {
  const { a, b } = await twoOf(context);
  const world = new World();
  for (const device of [a, b]) await world.tell("add", device);
  const again = { ...b, number: { ...b.number, minor: b.number.minor + 50_000 } };
  await world.tell("add", again);
  const [pool] = world.liminal.values();
  assert.deepEqual(pool?.devices.get(b.header.devUuid)?.number, again.number);
});

test("a device that was wiped, or damaged, is not known any more", async (context) => {
  const { a, b } = await twoOf(context);
  const world = new World();
  for (const device of [a, b]) await world.tell("add", device);
  await onImage(b.path, wipeStaticHeader);
  // udev may tell of what was there before.
  await world.tell("change", b);
  assert.deepEqual(world.waiting(), [{ name: null, devices: [a.path] }]);
  await onImage(a.path, wipeStaticHeader);
  await world.tell("change", a, {});
  assert.deepEqual(world.waiting(), []);
});

test("a device that has become one of another pool is only that", async (context) => {
  const { folder, a, b } = await twoOf(context);
  const world = new World();
  for (const device of [a, b]) await world.tell("add", device);
  const other = await makePool(folder, "other");
  copyContent(other.devices[0]?.path ?? "", b.path);
  await world.tell("add", b);
  assert.deepEqual(world.waiting(), [
    { name: null, devices: [a.path] },
    { name: "other", devices: [b.path] },
  ]);
});

test("while one pool is busy the devices of others are seen to, and its own in their order afterwards", async (context) => {
  const { folder, a, b } = await twoOf(context);
  const other = await makePool(folder, "other");
  const world = new World();
  let end: () => void = () => undefined;
  const busy = world.moves.one(a.header.poolUuid, () => new Promise<void>((resolve) => (end = resolve)));
  const own = [
    world.tell("add", a),
    world.tell("add", b),
    world.tell("remove", b),
    world.tell("add", b),
    world.tell("remove", a),
  ];
  for (const device of other.devices) await world.tell("add", device);
  assert.deepEqual(world.waiting(), [{ name: "other", devices: other.devices.map(({ path }) => path) }]);
  let done = 0;
  for (const event of own) void event.then(() => (done += 1));
  await turn();
  assert.equal(done, 0);
  end();
  await Promise.all([busy, ...own]);
  assert.deepEqual(world.waiting(), [
    { name: "other", devices: other.devices.map(({ path }) => path) },
    { name: null, devices: [b.path] },
  ]);
});
