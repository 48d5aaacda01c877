import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pool } from "../../../../src/engine/engine";
import { SimEngine } from "../../../../src/engine/sim/engine";
import { newDevUuid } from "../../../../src/uuid";
import { makePool, TANG } from "./support";

const paths = (pool: Pool, tier: "data" | "cache"): string[] =>
  pool
    .blockDevs()
    .filter((device) => device.tier === tier)
    .map(({ devnode }) => devnode);

test("adding data devices makes those that the pool does not have", async () => {
  const pool = await makePool(new SimEngine());
  const { created, changed } = await pool.addDataDevs(["/dev/a", "/dev/c", "/dev/c"]);
  assert.equal(created.length, 1);
  assert.deepEqual(changed, []);
  assert.deepEqual(paths(pool, "data"), ["/dev/a", "/dev/b", "/dev/c"]);
  assert.deepEqual((await pool.addDataDevs(["/dev/c"])).created, []);
  assert.deepEqual((await pool.addDataDevs([])).created, []);
  await assert.rejects(pool.addDataDevs(["c"]), /are not absolute/);
});

test("a cache has to be initialized before it is added to", async () => {
  const pool = await makePool(new SimEngine());
  await assert.rejects(pool.addCacheDevs(["/dev/c"]), /No cache has been initialized/);
  await assert.rejects(pool.addCacheDevs([]), /No cache has been initialized/);
  await assert.rejects(pool.initCache([], true), /At least one blockdev path is required/);
  assert.equal((await pool.initCache(["/dev/c", "/dev/d"], true)).created.length, 2);
  assert.equal(pool.hasCache, true);
  assert.equal((await pool.addCacheDevs(["/dev/d", "/dev/e"])).created.length, 1);
  assert.deepEqual((await pool.addCacheDevs([])).created, []);
  assert.deepEqual(paths(pool, "cache"), ["/dev/c", "/dev/d", "/dev/e"]);
});

test("initializing a cache again is an identity with the same devices, else an error", async () => {
  const pool = await makePool(new SimEngine());
  await pool.initCache(["/dev/c", "/dev/d"], true);
  assert.deepEqual(await pool.initCache(["/dev/d", "/dev/c"], true), { created: [] });
  await assert.rejects(pool.initCache(["/dev/c"], true), /already has a cache/);
  await assert.rejects(pool.initCache(["/dev/c", "/dev/e"], true), /already has a cache/);
  await assert.rejects(pool.initCache([], true), /can't be initialized with no devices/);
  await assert.rejects(pool.initCache(["c"], true), /are not absolute/);
});

test("a device is in one tier", async () => {
  const pool = await makePool(new SimEngine());
  await pool.initCache(["/dev/c"], true);
  await assert.rejects(pool.addDataDevs(["/dev/x", "/dev/c"]), /to the data tier: it is in the cache tier/);
  await assert.rejects(pool.addCacheDevs(["/dev/x", "/dev/a"]), /to the cache tier: it is in the data tier/);
  assert.equal(pool.blockDevs().length, 3);
});

test("a cache on an encrypted pool is refused where the interface does not know of it", async () => {
  const pool = await makePool(new SimEngine(), "p1", { encryption: TANG });
  await assert.rejects(pool.initCache(["/dev/c"], false), /not supported with an encrypted pool/);
  assert.equal((await pool.initCache(["/dev/c"], true)).created.length, 1);
});

test("devices never grow", async () => {
  const pool = await makePool(new SimEngine());
  assert.deepEqual(await pool.growPhysical(newDevUuid()), { action: "identity", changed: [] });
});

test("user info is a name", async () => {
  const pool = await makePool(new SimEngine());
  const [device] = pool.blockDevs();
  assert.ok(device);
  const set = (info: string | null): Promise<unknown> => pool.setBlockDevUserInfo(device.uuid, info);
  assert.deepEqual(await set(null), { action: "identity" });
  assert.deepEqual(await set("note"), { action: "renamed", value: device.uuid });
  assert.equal(device.userInfo, "note");
  assert.deepEqual(await set("note"), { action: "identity" });
  await assert.rejects(set("two words"), /Provided name/);
  assert.deepEqual(await set(null), { action: "renamed", value: device.uuid });
  assert.deepEqual(await pool.setBlockDevUserInfo(newDevUuid(), "x"), { action: "noSource" });
});
