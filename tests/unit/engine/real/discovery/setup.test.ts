/** Pools that are not set up, and why. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { NameClaims } from "../../../../../src/engine/lock";
import { LiminalPools, type LiminalPool } from "../../../../../src/engine/real/discovery/liminal";
import { trySetUp, type SetUpOptions } from "../../../../../src/engine/real/discovery/setup";
import { LinkNotifier } from "../../../../../src/engine/real/uevent";
import { imageFolder, makePool } from "../images";

async function waiting(
  context: TestContext,
  wanted: Parameters<typeof makePool>[2],
): Promise<{ pools: LiminalPools; pool: LiminalPool }> {
  const { uuid, devices } = await makePool(imageFolder(context), "p", wanted);
  const pools = new LiminalPools();
  for (const { path, header, number } of devices)
    pools.add({
      ...{ path, header, number, size: header.deviceSize },
      sectorSizes: { logical: 512, physical: 512 },
    });
  const pool = pools.get(uuid);
  assert.ok(pool);
  return { pools, pool };
}

const attempt = (pool: LiminalPool, options: Partial<SetUpOptions>): ReturnType<typeof trySetUp> =>
  trySetUp(pool, new LinkNotifier(), {
    ...{ start: true, allSeen: true, unlock: { method: null, passphrase: null } },
    claimName: () => undefined,
    ...options,
  });

test("the name of a pool is taken before anything is made of it, and one that is taken keeps it waiting", async (context) => {
  const { pools, pool } = await waiting(context, { started: true });
  const names = new NameClaims();
  const release = names.take("p");
  const claimName = (name: string): void => void names.take(name);
  assert.deepEqual(await attempt(pool, { start: false, claimName }), { outcome: "waits" });
  assert.match(pool.reason ?? "", /^Entry with name p already exists/);
  assert.deepEqual(
    pools.stoppedPools().map(({ name, devices }) => [name, devices.length]),
    [["p", 1]],
  );
  release();
});

test("a start without the cache that fails keeps the cache's devices", async (context) => {
  const { pools, pool } = await waiting(context, { cache: 2 });
  const before = pools.stoppedPools();
  // No kernel makes device-mapper devices of such files.
  assert.deepEqual(await attempt(pool, { removeCache: true }), { outcome: "waits" });
  assert.notEqual(pool.reason, null);
  assert.equal(pool.devices.size, 3);
  assert.deepEqual(
    pools.stoppedPools().map(({ devices }) => devices),
    before.map(({ devices }) => devices),
  );
});

test("exactly the devices of the record are needed", async (context) => {
  const { pool } = await waiting(context, { data: 2, cache: 1 });
  const all = new Map(pool.devices);
  for (const [uuid, device] of all) {
    pool.devices.delete(uuid);
    await attempt(pool, {});
    assert.match(pool.reason ?? "", new RegExp(`waiting for device .*${uuid}|no device found so far`));
    pool.devices.set(uuid, device);
  }
  const other = await waiting(context, {});
  const [stranger] = [...other.pool.devices.values()];
  assert.ok(stranger);
  pool.devices.set(stranger.header.devUuid, stranger);
  await attempt(pool, {});
  assert.match(pool.reason ?? "", /carries the pool's UUID but is not in its metadata/);
});
