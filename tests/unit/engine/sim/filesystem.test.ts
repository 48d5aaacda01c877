import assert from "node:assert/strict";
import { test } from "node:test";
import { SimEngine } from "../../../../src/engine/sim/engine";
import { newFilesystemUuid } from "../../../../src/uuid";
import { filesystemRequest, makeFilesystem, makePool, makeSnapshot } from "./support";

const TIB = 1n << 40n;
const MIB = 1n << 20n;

test("a filesystem is 1 TiB, half full, and below a path that does not exist", async () => {
  const pool = await makePool(new SimEngine());
  const filesystem = await makeFilesystem(pool, "f");
  assert.equal(filesystem.size, TIB);
  assert.equal(filesystem.used, 549755813888n);
  assert.equal(filesystem.sizeLimit, null);
  assert.equal(filesystem.origin, null);
  assert.equal(filesystem.mergeScheduled, false);
  assert.equal(filesystem.mountPath, "/somepath/p1/f");
  assert.equal(filesystem.created.getTime() % 1000, 0);
  assert.equal(pool.getFilesystem(filesystem.uuid), filesystem);
});

test("mount paths follow both names", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  const filesystem = await makeFilesystem(pool, "f");
  await engine.renamePool(pool.uuid, "p2");
  await pool.renameFilesystem(filesystem.uuid, "g");
  assert.equal(filesystem.mountPath, "/somepath/p2/g");
});

test("creating a filesystem again is an identity, with another size an error", async () => {
  const pool = await makePool(new SimEngine());
  await makeFilesystem(pool, "f");
  assert.deepEqual(await pool.createFilesystems([filesystemRequest("f", TIB)]), { created: [] });
  await assert.rejects(pool.createFilesystems([filesystemRequest("f", 2n * TIB)]), /which exists already/);
  await assert.rejects(pool.createFilesystems([filesystemRequest("g", 31n * MIB)]), /less than the minimum/);
  await assert.rejects(
    pool.createFilesystems([filesystemRequest("g", null, TIB / 2n)]),
    /smaller than its size/,
  );
  assert.equal(pool.filesystems().length, 1);
});

test("overprovisioning is not looked at", async () => {
  const pool = await makePool(new SimEngine());
  await pool.setOverprovisioning(false);
  assert.equal(pool.overprovisioning, false);
  await makeFilesystem(pool, "huge", (2n ** 64n - 1n) * 512n);
  await makeFilesystem(pool, "huge2", (2n ** 64n - 1n) * 512n);
});

test("ten filesystems are the limit, which can only be raised", async () => {
  const pool = await makePool(new SimEngine());
  const names = Array.from({ length: 10 }, (_, index) => `f${index}`);
  await pool.createFilesystems(names.map((name) => filesystemRequest(name)));
  await assert.rejects(makeFilesystem(pool, "g"), /pool limit of 10 filesystems/);
  const [first] = pool.filesystems();
  assert.ok(first);
  await assert.rejects(
    pool.snapshotFilesystem(first.uuid, "s"),
    /limit of 10 filesystems has already been reached/,
  );
  for (const limit of [1n, 10n])
    await assert.rejects(pool.setFsLimit(limit), /must be greater than the current limit of 10/);
  await pool.setFsLimit(1000000n);
  assert.equal(pool.fsLimit, 1000000n);
  await makeSnapshot(pool, first, "s");
});

test("renaming a filesystem", async () => {
  const pool = await makePool(new SimEngine());
  const filesystem = await makeFilesystem(pool, "f");
  await makeFilesystem(pool, "g");
  assert.deepEqual(await pool.renameFilesystem(newFilesystemUuid(), "x"), { action: "noSource" });
  assert.deepEqual(await pool.renameFilesystem(filesystem.uuid, "f"), { action: "identity" });
  await assert.rejects(pool.renameFilesystem(filesystem.uuid, "g"), /Entry with name g already exists/);
  await assert.rejects(pool.renameFilesystem(filesystem.uuid, " f"), /white space/);
  assert.deepEqual(await pool.renameFilesystem(filesystem.uuid, "h"), {
    action: "renamed",
    value: filesystem.uuid,
  });
  assert.equal(filesystem.name, "h");
  await makeFilesystem(pool, "f");
});

test("a snapshot inherits size and limit", async () => {
  const pool = await makePool(new SimEngine());
  const origin = await makeFilesystem(pool, "f", 2n * TIB);
  await pool.setFilesystemSizeLimit(origin.uuid, 3n * TIB);
  const snapshot = await makeSnapshot(pool, origin, "s");
  assert.equal(snapshot.size, 2n * TIB);
  assert.equal(snapshot.sizeLimit, 3n * TIB);
  assert.equal(snapshot.origin, origin.uuid);
  assert.equal(snapshot.mergeScheduled, false);
  await pool.renameFilesystem(snapshot.uuid, "t");
  assert.equal(origin.name, "f");
});

test("a snapshot onto a name in use is an identity for equal sizes, else an error", async () => {
  const pool = await makePool(new SimEngine());
  const origin = await makeFilesystem(pool, "f");
  await makeFilesystem(pool, "same");
  await makeFilesystem(pool, "other", 2n * TIB);
  assert.deepEqual(await pool.snapshotFilesystem(origin.uuid, "same"), { action: "identity" });
  await assert.rejects(
    pool.snapshotFilesystem(origin.uuid, "other"),
    /has 2199023255552 bytes, where the origin/,
  );
  await assert.rejects(pool.snapshotFilesystem(newFilesystemUuid(), "same"), /No filesystem with UUID/);
  await assert.rejects(pool.snapshotFilesystem(origin.uuid, "a b"), /Provided name/);
});

test("size limits", async () => {
  const pool = await makePool(new SimEngine());
  const filesystem = await makeFilesystem(pool, "f");
  const set = (limit: bigint | null): Promise<unknown> => pool.setFilesystemSizeLimit(filesystem.uuid, limit);
  assert.deepEqual(await set(null), { action: "identity" });
  assert.deepEqual(await set(TIB), { action: "newValue", value: TIB / 512n });
  assert.equal(filesystem.sizeLimit, TIB);
  assert.deepEqual(await set(TIB), { action: "identity" });
  await assert.rejects(set(TIB - 512n), /smaller than the current size of 1099511627776 bytes/);
  await assert.rejects(set(TIB + 1n), /not a multiple of 512/);
  await assert.rejects(set(MIB), /less than the minimum/);
  assert.deepEqual(await set(null), { action: "newValue", value: null });
  await assert.rejects(pool.setFilesystemSizeLimit(newFilesystemUuid(), null), /No filesystem with UUID/);
});

test("destroying filesystems ignores unknown ones and moves snapshots to the next origin", async () => {
  const pool = await makePool(new SimEngine());
  const a = await makeFilesystem(pool, "a");
  const b = await makeSnapshot(pool, a, "b");
  const c = await makeSnapshot(pool, b, "c");
  assert.deepEqual(await pool.destroyFilesystems([newFilesystemUuid()]), { deleted: [], updated: [] });
  assert.deepEqual(await pool.destroyFilesystems([b.uuid, b.uuid]), { deleted: [b.uuid], updated: [c.uuid] });
  assert.equal(c.origin, a.uuid);
  assert.deepEqual(await pool.destroyFilesystems([a.uuid]), { deleted: [a.uuid], updated: [c.uuid] });
  assert.equal(c.origin, null);
  assert.deepEqual(pool.filesystems(), [c]);
});

test("a scheduled revert protects both filesystems and is never carried out", async () => {
  const engine = new SimEngine();
  const pool = await makePool(engine);
  const origin = await makeFilesystem(pool, "o");
  const snapshot = await makeSnapshot(pool, origin, "s");
  const other = await makeSnapshot(pool, origin, "t");
  const schedule = (uuid: typeof origin.uuid, value: boolean): Promise<unknown> =>
    pool.setFilesystemMergeScheduled(uuid, value);
  await assert.rejects(schedule(newFilesystemUuid(), true), /No filesystem with UUID/);
  await assert.rejects(schedule(origin.uuid, true), /has no origin/);
  assert.deepEqual(await schedule(snapshot.uuid, false), { action: "identity" });
  assert.deepEqual(await schedule(snapshot.uuid, true), { action: "newValue", value: true });
  assert.equal(snapshot.mergeScheduled, true);
  await assert.rejects(schedule(other.uuid, true), /into the same origin/);
  await assert.rejects(pool.destroyFilesystems([origin.uuid]), /unless the merge is cancelled/);
  await assert.rejects(pool.destroyFilesystems([snapshot.uuid]), /unless that is cancelled/);

  await engine.stopPool({ by: "uuid", uuid: pool.uuid });
  await engine.startPool({
    pool: { by: "uuid", uuid: pool.uuid },
    unlock: null,
    passphrase: null,
    removeCache: false,
  });
  assert.equal(pool.filesystems().length, 3);
  assert.deepEqual(await schedule(snapshot.uuid, false), { action: "newValue", value: false });
  assert.equal((await pool.destroyFilesystems([origin.uuid])).deleted.length, 1);
});
