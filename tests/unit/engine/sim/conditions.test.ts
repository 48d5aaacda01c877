/** Operations of the simulator that fail at random, and operations that take their time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { RandomErrors, type Conditions } from "../../../../src/engine/sim/conditions";
import { SimEngine } from "../../../../src/engine/sim/engine";
import { filesystemRequest, makeFilesystem, makePool, poolRequest, startRequest, TANG } from "./support";
import { secretOf } from "../../../support/secrets";

async function outcomes(conditions: Conditions, count: number): Promise<string> {
  let text = "";
  for (let index = 0; index < count; index++)
    text += await conditions.begin("Test").then(
      () => ".",
      () => "x",
    );
  return text;
}

test("the same seed gives the same failures, another seed others", async () => {
  const rate = { probability: 0.3, seed: 42n };
  const first = await outcomes(new RandomErrors(rate), 200);
  assert.equal(await outcomes(new RandomErrors(rate), 200), first);
  assert.notEqual(await outcomes(new RandomErrors({ ...rate, seed: 43n }), 200), first);
});

test("about as many operations fail as were asked for: none at 0, all at 1", async () => {
  const failures = async (probability: number): Promise<number> =>
    (await outcomes(new RandomErrors({ probability, seed: 1n }), 2000)).replaceAll(".", "").length;
  assert.equal(await failures(0), 0);
  assert.equal(await failures(1), 2000);
  // Of a fixed seed, so that it is no matter of luck: 2000 draws stray from 500 by 19.4 (standard deviation).
  const quarter = await failures(0.25);
  assert.ok(Math.abs(quarter - 500) < 80, `${quarter} of 2000 failed at a probability of 0.25`);
});

/** Everything that can be seen of an engine. */
function picture(engine: SimEngine): string {
  const pools = engine
    .pools()
    .map((pool) => [
      pool.name,
      pool.encryptionInfo,
      pool.lastReencrypted,
      pool.hasCache,
      pool.fsLimit,
      pool.overprovisioning,
      pool
        .filesystems()
        .map(({ name, sizeLimit, origin, mergeScheduled }) => [name, sizeLimit, origin, mergeScheduled]),
      pool.blockDevs().map(({ uuid, userInfo }) => [uuid, userInfo]),
    ]);
  return JSON.stringify([pools, engine.stoppedPools()], (_, value: unknown) =>
    typeof value === "bigint" ? value.toString() : value,
  );
}

test("an operation that fails by order has changed nothing, whichever it is", async () => {
  let failing = false;
  const engine = new SimEngine({
    begin: (operation) =>
      failing ? Promise.reject(new Error(`${operation} was told to fail`)) : Promise.resolve(),
  });
  const pool = await makePool(engine, "p", { encryption: TANG });
  const origin = await makeFilesystem(pool, "f");
  const snapshot = await pool.snapshotFilesystem(origin.uuid, "s");
  assert.equal(snapshot.action, "created");
  await pool.initCache(["/dev/cache"], true);
  const device = pool.blockDevs()[0]?.uuid;
  assert.ok(device);
  await makePool(engine, "plain", { devices: ["/dev/c"] });
  await makePool(engine, "down", { devices: ["/dev/d"] });
  await engine.stopPool({ by: "name", name: "down" });
  const plain = engine.pools().find(({ name }) => name === "plain");
  assert.ok(plain);
  const operations: (() => Promise<unknown>)[] = [
    () => engine.createPool(poolRequest("new")),
    () => engine.destroyPool(plain.uuid),
    () => engine.renamePool(plain.uuid, "other"),
    () => engine.startPool(startRequest("down")),
    () => engine.stopPool({ by: "name", name: "plain" }),
    () => engine.unlockPool(),
    () => engine.refreshState(),
    () => engine.listKeys(),
    () => engine.setKey("k", secretOf("x")),
    () => engine.unsetKey("k"),
    () => pool.createFilesystems([filesystemRequest("g")]),
    () => pool.destroyFilesystems([origin.uuid]),
    () => pool.renameFilesystem(origin.uuid, "h"),
    () => pool.snapshotFilesystem(origin.uuid, "t"),
    () => pool.setFilesystemSizeLimit(origin.uuid, 2n ** 41n),
    () => pool.setFilesystemMergeScheduled(snapshot.value.uuid, true),
    () => pool.addDataDevs(["/dev/x"]),
    () => pool.addCacheDevs(["/dev/y"]),
    () => plain.initCache(["/dev/z"], true),
    () => pool.growPhysical(device),
    () => pool.setBlockDevUserInfo(device, "note"),
    () => pool.setFsLimit(20n),
    () => pool.setOverprovisioning(false),
    () => pool.metadata(true),
    () => pool.filesystemMetadata(null, true),
    () => pool.bindKeyring("k", null),
    () => pool.bindClevis("tang", "{}", null),
    () => pool.rebindClevis(null),
    () => plain.encrypt(TANG),
    () => pool.reencrypt(),
    () => pool.decrypt(),
  ];
  const before = picture(engine);
  failing = true;
  for (const operation of operations) await assert.rejects(operation(), /was told to fail/);
  assert.equal(picture(engine), before);
  failing = false;
  await operations[0]?.();
  assert.notEqual(picture(engine), before);
});

/** Operations wait until they are let go. */
class Gates implements Conditions {
  readonly waiting: { operation: string; go: () => void }[] = [];
  begin(operation: string): Promise<void> {
    return new Promise((go) => this.waiting.push({ operation, go }));
  }
  /** Lets the first that waits for `operation` go, which must have arrived. */
  async let(operation: string): Promise<void> {
    await turn();
    const index = this.waiting.findIndex((waiting) => waiting.operation === operation);
    assert.ok(
      index >= 0,
      `${operation} does not wait; these do: ${this.waiting.map((w) => w.operation).join(", ")}`,
    );
    this.waiting.splice(index, 1)[0]?.go();
    await turn();
  }
}

async function gatedPool(gates: Gates, engine: SimEngine, name: string) {
  const made = makePool(engine, name, { devices: [`/dev/${name}`] });
  await gates.let("CreatePool");
  return made;
}

test("two creations of one name at once: one wins, the other is told why not", async () => {
  const gates = new Gates();
  const engine = new SimEngine(gates);
  const first = engine.createPool(poolRequest("p"));
  await assert.rejects(
    engine.createPool(poolRequest("p", { devices: ["/dev/other"] })),
    /Entry with name p already exists: another request is making/,
  );
  const other = engine.createPool(poolRequest("q"));
  await gates.let("CreatePool");
  await gates.let("CreatePool");
  assert.equal((await first).action, "created");
  assert.equal((await other).action, "created");
  const again = engine.createPool(poolRequest("p"));
  await gates.let("CreatePool");
  assert.deepEqual(await again, { action: "identity" });
});

test("a long operation holds up its own pool's changes, but no reader and no other pool", async () => {
  const gates = new Gates();
  const engine = new SimEngine(gates);
  const [busy, other] = [await gatedPool(gates, engine, "busy"), await gatedPool(gates, engine, "other")];
  const encryption = busy.encrypt(TANG);
  await turn();
  const waits = busy.createFilesystems([filesystemRequest("f")]);
  const stop = engine.stopPool({ by: "name", name: "busy" });
  const reading = busy.metadata(true);
  await gates.let("Metadata");
  assert.match(await reading, /"busy"/);
  const creation = other.createFilesystems([filesystemRequest("g")]);
  await gates.let("CreateFilesystems");
  assert.equal((await creation).created.length, 1);
  assert.deepEqual([busy.encrypted, busy.filesystems().length], [false, 0]);
  await gates.let("EncryptPool");
  assert.deepEqual(await encryption, { action: "created", value: true });
  await gates.let("CreateFilesystems");
  assert.equal((await waits).created.length, 1);
  await gates.let("StopPool");
  assert.equal((await stop).action, "stopped");
});

test("what happened to a pool while an operation waited for it counts", async () => {
  const gates = new Gates();
  const engine = new SimEngine(gates);
  const pool = await gatedPool(gates, engine, "p");
  const stops = [
    engine.stopPool({ by: "name", name: "p" }),
    engine.stopPool({ by: "uuid", uuid: pool.uuid }),
  ];
  const creation = pool.createFilesystems([filesystemRequest("f")]);
  const destruction = engine.destroyPool(pool.uuid);
  creation.catch(() => undefined);
  await gates.let("StopPool");
  await gates.let("StopPool");
  await gates.let("DestroyPool");
  assert.deepEqual(
    (await Promise.all(stops)).map(({ action }) => action),
    ["stopped", "identity"],
  );
  await assert.rejects(creation, /Pool "p" .* has been stopped/);
  assert.deepEqual(await destruction, { action: "identity" });
  const starts = [engine.startPool(startRequest("p")), engine.startPool(startRequest("p"))];
  await gates.let("StartPool");
  await gates.let("StartPool");
  assert.deepEqual(
    (await Promise.all(starts)).map(({ action }) => action),
    ["started", "identity"],
  );
});

test("whatever is asked of it at once and whatever fails, names and states stay possible", async () => {
  const name = fc.constantFrom("a", "b", "c");
  const step = fc.tuple(fc.constantFrom("create", "destroy", "rename", "stop", "start"), name, name);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.bigInt(0n, 2n ** 32n), async (steps, seed) => {
      const engine = new SimEngine(new RandomErrors({ probability: 0.2, seed }));
      const find = (wanted: string) => engine.pools().find((pool) => pool.name === wanted);
      const run = async ([kind, one, two]: [string, string, string]): Promise<unknown> => {
        const pool = find(one);
        if (kind === "create") return engine.createPool(poolRequest(one));
        if (kind === "stop") return engine.stopPool({ by: "name", name: one });
        if (kind === "start") return engine.startPool(startRequest(one));
        if (pool === undefined) return null;
        return kind === "rename" ? engine.renamePool(pool.uuid, two) : engine.destroyPool(pool.uuid);
      };
      const results = await Promise.allSettled(steps.map(run));
      for (const result of results)
        if (result.status === "rejected") assert.ok((result.reason as Error).name.endsWith("EngineError"));
      const running = engine.pools();
      assert.equal(new Set(running.map((pool) => pool.name)).size, running.length);
      const stopped = engine.stoppedPools().map(({ uuid }) => uuid);
      assert.equal(
        new Set([...running.map(({ uuid }) => uuid), ...stopped]).size,
        running.length + stopped.length,
      );
      for (const pool of running) assert.equal(engine.getPool(pool.uuid), pool);
    }),
    { numRuns: 100 },
  );
});
