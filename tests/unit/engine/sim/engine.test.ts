import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineError } from "../../../../src/engine/errors";
import { SimEngine } from "../../../../src/engine/sim/engine";
import { bytes } from "../../../../src/units";
import { newPoolUuid } from "../../../../src/uuid";
import { makeFilesystem, makePool, poolRequest, startRequest, TANG } from "./support";
import { secretOf } from "../../../support/secrets";

test("it starts empty, and nothing that happens on the machine concerns it", async () => {
  const engine = new SimEngine();
  await engine.initialize();
  assert.equal(engine.isSimulator, true);
  assert.deepEqual(engine.pools(), []);
  assert.deepEqual(engine.stoppedPools(), []);
  assert.deepEqual(await engine.handleUdevEvents(), []);
  assert.deepEqual(await engine.handleDmEvents(), []);
  assert.deepEqual(await engine.periodicCheck(), []);
  assert.deepEqual(await engine.refreshState(), []);
  await engine.shutdown();
});

test("a new pool has the simulator's values", async () => {
  const pool = await makePool(new SimEngine());
  assert.equal(pool.totalPhysicalSize, 590295810358705651712n);
  assert.equal(pool.allocatedSize, 2684354560n);
  assert.equal(pool.totalPhysicalUsed, 0n);
  assert.equal(pool.fsLimit, 10n);
  assert.equal(pool.overprovisioning, true);
  assert.equal(pool.metadataVersion, 2);
  assert.equal(pool.availableActions, "fully_operational");
  assert.equal(pool.noAllocSpace, false);
  assert.equal(pool.hasCache, false);
  assert.equal(pool.encrypted, false);
  assert.equal(pool.encryptionInfo, null);
  assert.equal(pool.volumeKeyLoaded, false);
  assert.equal(pool.lastReencrypted, null);
});

test("creating a pool with the same devices again is an identity, with others an error", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  const again = poolRequest("p1", { devices: ["/dev/b", "/dev/a", "/dev/b"] });
  assert.deepEqual(await engine.createPool(again), { action: "identity" });
  await assert.rejects(
    engine.createPool(poolRequest("p1", { devices: ["/dev/a"] })),
    /existing pool contains blockdev \/dev\/b which was not requested/,
  );
  await assert.rejects(engine.createPool(poolRequest("p1", { devices: [] })), /There was a difference/);
  assert.deepEqual(engine.pools(), [pool]);
});

test("cache devices are not compared when a pool is created again", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  await pool.initCache(["/dev/c"], true);
  assert.deepEqual(await engine.createPool(poolRequest("p1")), { action: "identity" });
});

test("what is wrong with a new pool is found in order", async () => {
  const engine = new SimEngine();
  const bad = {
    devices: ["relative"],
    integrity: { journalSize: bytes(131079n * 1024n) },
    encryption: { keys: [{ slot: null, description: "k" }], clevis: [] },
  };
  const tryCreate = (name: string, changes: object): Promise<unknown> =>
    engine.createPool(poolRequest(name, changes));
  await assert.rejects(tryCreate("a b", bad), /Provided name "a b"/);
  await assert.rejects(tryCreate("p", bad), /Paths\{relative\} are not absolute/);
  await assert.rejects(tryCreate("p", { ...bad, devices: [] }), /not a multiple of the block size/);
  await assert.rejects(
    tryCreate("p", { ...bad, devices: [], integrity: {} }),
    /Key with key description k not found/,
  );
  await assert.rejects(tryCreate("p", { devices: [] }), /At least one blockdev is required to create a pool/);
  assert.deepEqual(engine.pools(), []);
});

test("devices need not exist, may be in several pools, and are one device each", async () => {
  const engine = new SimEngine();
  const devices = ["/nowhere/../x", "/nowhere/../x"];
  const first = await makePool(engine, "p1", { devices });
  await makePool(engine, "p2", { devices });
  const [device, ...others] = first.blockDevs();
  assert.ok(device);
  assert.deepEqual(others, []);
  assert.equal(device.devnode, "/nowhere/../x");
  assert.equal(device.physicalPath, "/nowhere/../x");
  assert.equal(device.size, 1024n ** 3n);
  assert.equal(device.newSize, null);
  assert.equal(device.hardwareInfo, null);
  assert.equal(device.userInfo, null);
  assert.equal(device.tier, "data");
  assert.equal(device.initializationTime.getTime() % 1000, 0);
  assert.equal(first.getBlockDev(device.uuid), device);
});

test("a pool with filesystems is not destroyed; one that is not running is destroyed already", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  const { uuid } = await makeFilesystem(pool, "f");
  await assert.rejects(engine.destroyPool(pool.uuid), new EngineError("filesystems remaining on pool"));
  await pool.destroyFilesystems([uuid]);
  assert.deepEqual(await engine.destroyPool(pool.uuid), { action: "deleted", value: pool.uuid });
  assert.deepEqual(await engine.destroyPool(pool.uuid), { action: "identity" });
  await assert.rejects(pool.setOverprovisioning(false), /has been destroyed/);
});

test("a stopped pool can't be destroyed", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  await engine.stopPool({ by: "uuid", uuid: pool.uuid });
  assert.deepEqual(await engine.destroyPool(pool.uuid), { action: "identity" });
  assert.equal(engine.stoppedPools().length, 1);
});

test("renaming a pool", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine, "p1");
  await makePool(engine, "p2");
  assert.deepEqual(await engine.renamePool(newPoolUuid(), "x"), { action: "noSource" });
  assert.deepEqual(await engine.renamePool(pool.uuid, "p1"), { action: "identity" });
  await assert.rejects(engine.renamePool(pool.uuid, "p2"), /Entry with name p2 already exists/);
  await assert.rejects(engine.renamePool(pool.uuid, "a b"), /Provided name "a b"/);
  assert.deepEqual(await engine.renamePool(pool.uuid, "p3"), { action: "renamed", value: pool.uuid });
  assert.equal(pool.name, "p3");
  await makePool(engine, "p1");
});

test("a pool is stopped and started with all that it had", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  const filesystem = await makeFilesystem(pool, "f");
  await pool.initCache(["/dev/c"], true);
  assert.deepEqual(await engine.stopPool({ by: "name", name: "p1" }), {
    action: "stopped",
    value: pool.uuid,
  });
  assert.deepEqual(engine.pools(), []);
  await assert.rejects(pool.createFilesystems([]), /Pool "p1" \(UUID .*\) has been stopped/);
  assert.deepEqual(await engine.stopPool({ by: "name", name: "p1" }), { action: "identity" });
  assert.deepEqual(await engine.stopPool({ by: "uuid", uuid: pool.uuid }), { action: "identity" });

  const started = await engine.startPool(startRequest("p1"));
  assert.equal(started.action, "started");
  assert.equal(started.value.uuid, pool.uuid);
  assert.ok(started.value.getFilesystem(filesystem.uuid));
  assert.equal(started.value.hasCache, true);
  assert.deepEqual(await engine.startPool(startRequest("p1")), { action: "identity" });
  assert.deepEqual(engine.stoppedPools(), []);
  await started.value.createFilesystems([]);
});

test("a pool can be started without its cache", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  await pool.initCache(["/dev/c"], true);
  await engine.stopPool({ by: "uuid", uuid: pool.uuid });
  const started = await engine.startPool(startRequest("p1", { removeCache: true }));
  assert.equal(started.action, "started");
  assert.equal(started.value.hasCache, false);
  assert.deepEqual(
    started.value.blockDevs().map(({ devnode }) => devnode),
    ["/dev/a", "/dev/b"],
  );
});

test("pools that are not known can be neither started nor stopped", async () => {
  const engine = new SimEngine();
  const uuid = newPoolUuid();
  await assert.rejects(engine.startPool(startRequest("x")), /Pool with name x was not found/);
  await assert.rejects(engine.stopPool({ by: "name", name: "x" }), /was not found and cannot be stopped/);
  await assert.rejects(
    engine.stopPool({ by: "uuid", uuid }),
    new EngineError(`Pool with UUID ${uuid} was not found and cannot be stopped`),
  );
});

test("an unencrypted pool takes no unlock method and no passphrase, whether it runs or not", async () => {
  const engine = new SimEngine();
  await makePool(engine);
  const refused = [{ unlock: "any" as const }, { unlock: 1 }, { passphrase: secretOf("x") }];
  for (const changes of refused)
    await assert.rejects(engine.startPool(startRequest("p1", changes)), /is not encrypted, but/);
  await engine.stopPool({ by: "name", name: "p1" });
  for (const changes of refused)
    await assert.rejects(engine.startPool(startRequest("p1", changes)), /is not encrypted, but/);
  assert.equal(engine.stoppedPools().length, 1);
});

test("an encrypted pool starts with any unlock method, but not with none", async () => {
  const engine = new SimEngine();
  await makePool(engine, "p1", { encryption: TANG });
  for (const unlock of ["any", 7] as const) {
    await engine.stopPool({ by: "name", name: "p1" });
    await assert.rejects(
      engine.startPool(startRequest("p1")),
      /is encrypted but no unlock method was provided/,
    );
    await assert.rejects(
      engine.startPool(startRequest("p1", { passphrase: secretOf("x") })),
      /no unlock method was provided/,
    );
    assert.equal((await engine.startPool(startRequest("p1", { unlock }))).action, "started");
  }
  assert.equal((await engine.startPool(startRequest("p1", { unlock: "any" }))).action, "identity");
});

test("a stopped pool may share its name, but not run beside its namesake", async () => {
  const engine = new SimEngine();
  const first = await makePool(engine);
  await engine.stopPool({ by: "uuid", uuid: first.uuid });
  const second = await makePool(engine);
  const byUuid = startRequest("", { pool: { by: "uuid", uuid: first.uuid } });
  await assert.rejects(engine.startPool(byUuid), /Entry with name p1 already exists; a running pool has it/);
  assert.equal(engine.getPool(second.uuid), second);

  await engine.stopPool({ by: "uuid", uuid: second.uuid });
  assert.deepEqual(
    engine.stoppedPools().map(({ uuid, name }) => [uuid, name]),
    [
      [first.uuid, null],
      [second.uuid, null],
    ],
  );
  await assert.rejects(
    engine.startPool(startRequest("p1")),
    /Found conflicting UUIDs for the same pool name/,
  );
  assert.equal((await engine.startPool(byUuid)).action, "started");
  assert.deepEqual(
    engine.stoppedPools().map(({ name }) => name),
    ["p1"],
  );
});

test("stopped pools tell their devices, features and bindings", async () => {
  const engine = new SimEngine();
  await engine.setKey("k", secretOf("secret"));
  const plain = await makePool(engine, "plain", { devices: ["/dev/x"] });
  const locked = await makePool(engine, "locked", {
    encryption: {
      keys: [{ slot: 3, description: "k" }],
      clevis: [
        { slot: 5, pin: "tpm2", config: "{}" },
        { slot: 4, pin: "tang", config: '{"url":"x"}' },
      ],
    },
  });
  await engine.stopPool({ by: "uuid", uuid: plain.uuid });
  await engine.stopPool({ by: "uuid", uuid: locked.uuid });
  const common = { metadataVersion: 2, partiallyConstructed: false, reason: null };
  const devices = (pool: typeof plain): unknown =>
    pool.blockDevs().map(({ devnode, uuid }) => ({ path: devnode, uuid }));
  assert.deepEqual(engine.stoppedPools(), [
    { ...common, uuid: plain.uuid, name: "plain", devices: devices(plain), features: [], encryption: null },
    {
      ...common,
      uuid: locked.uuid,
      name: "locked",
      devices: devices(locked),
      features: ["encryption", "key_description_present", "clevis_present"],
      encryption: {
        keyDescription: { consistent: true, value: "k" },
        clevis: { consistent: true, value: { pin: "tang", config: '{"url":"x"}' } },
      },
    },
  ]);
});

test("keys are set, changed, listed and unset", async () => {
  const engine = new SimEngine();
  const key = Buffer.alloc(32, 1);
  assert.equal(await engine.setKey("b", secretOf(key)), "created");
  assert.equal(await engine.setKey("a", secretOf(key)), "created");
  assert.equal(await engine.setKey("a", secretOf(key)), "identity");
  assert.equal(await engine.setKey("a", secretOf(Buffer.alloc(64, 2))), "valueChanged");
  assert.deepEqual(await engine.listKeys(), ["a", "b"]);
  assert.equal(await engine.unsetKey("a"), "deleted");
  assert.equal(await engine.unsetKey("a"), "identity");
  assert.deepEqual(await engine.listKeys(), ["b"]);
});

test("a key of more than 64 bytes is refused, and the caller may wipe what it gave", async () => {
  const engine = new SimEngine();
  await assert.rejects(
    engine.setKey("a", secretOf(Buffer.alloc(65))),
    /has 65 bytes, which exceeds the maximum of 64/,
  );
  assert.deepEqual(await engine.listKeys(), []);
  const key = secretOf(Buffer.alloc(8, 1));
  await engine.setKey("a", key);
  key.wipe();
  assert.equal(await engine.setKey("a", secretOf(Buffer.alloc(8, 1))), "identity");
});
