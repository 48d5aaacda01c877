import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonText } from "../../../../src/dbus/json";
import { SimEngine } from "../../../../src/engine/sim/engine";
import { makeFilesystem, makePool, makeSnapshot } from "./support";

test("the pool's metadata", async () => {
  const pool = await makePool(new SimEngine());
  const rest =
    '"fs_limit":10,"enable_overprov":true,"integrity_spec":{"tag_spec":"512b","journal_size":262144,' +
    '"block_size":4096,"allocate_superblock":true}}';
  assert.equal(await pool.metadata(true), `{"name":"p1",${rest}`);
  assert.equal(await pool.metadata(false), `{"name":"<name>",${rest}`);
});

test("the pool's metadata follows its settings", async () => {
  const pool = await makePool(new SimEngine(), "p1", {
    integrity: { tagSpec: "0b", allocateSuperblock: false },
  });
  await pool.setFsLimit(2n ** 64n - 1n);
  await pool.setOverprovisioning(false);
  assert.equal(
    await pool.metadata(true),
    '{"name":"p1","fs_limit":18446744073709551615,"enable_overprov":false,"integrity_spec":{"tag_spec":"0b",' +
      '"journal_size":262144,"block_size":4096,"allocate_superblock":false}}',
  );
});

test("filesystem metadata has limit and origin only where they are set", async () => {
  const pool = await makePool(new SimEngine());
  const origin = await makeFilesystem(pool, "fs1");
  const seconds = origin.created.getTime() / 1000;
  const plain = `"${origin.uuid}":{"name":"fs1","uuid":"${origin.uuid}","size":2147483648,"created":${seconds},"merge":false}`;
  assert.equal(await pool.filesystemMetadata(null, true), `{${plain}}`);

  const snapshot = await makeSnapshot(pool, origin, "s");
  await pool.setFilesystemSizeLimit(snapshot.uuid, (2n ** 64n - 1n) * 512n);
  await pool.setFilesystemMergeScheduled(snapshot.uuid, true);
  const text = await pool.filesystemMetadata("s", false);
  assert.match(text, new RegExp(`^{"${snapshot.uuid}":{"name":"s",`));
  assert.match(text, /"fs_size_limit":18446744073709551615/);
  assert.match(text, new RegExp(`"origin":"${origin.uuid}"`));
  assert.match(text, /"merge":true/);
  assert.equal(await pool.filesystemMetadata("fs1", false), `{${plain}}`);
  assert.equal(await pool.filesystemMetadata("nope", true), "{}");
});

test("the engine's report has running and stopped pools in full", async () => {
  const engine = new SimEngine();
  const running = await makePool(engine, "p1", { devices: ["/dev/a"] });
  const origin = await makeFilesystem(running, "f");
  await running.initCache(["/dev/c"], true);
  const stopped = await makePool(engine, "p2", { devices: ["/dev/b"] });
  await engine.stopPool({ by: "name", name: "p2" });
  const [data, cache] = running.blockDevs();
  const [other] = stopped.blockDevs();
  assert.ok(data && cache && other);
  const device = (path: string, uuid: string): object => ({ path, uuid, size: "2097152 sectors" });
  const stoppedReport = {
    pool_uuid: stopped.uuid,
    name: "p2",
    available_actions: "fully_operational",
    fs_limit: 10n,
    filesystems: [],
    blockdevs: { datadevs: [device("/dev/b", other.uuid)], cachedevs: [] },
  };
  assert.deepEqual(engine.engineStateReport(), {
    pools: [
      {
        pool_uuid: running.uuid,
        name: "p1",
        available_actions: "fully_operational",
        fs_limit: 10n,
        filesystems: [
          {
            name: "f",
            uuid: origin.uuid,
            size: "2147483648 sectors",
            used: "549755813888 bytes",
            size_limit: "Not set",
            origin: "Not set",
          },
        ],
        blockdevs: {
          datadevs: [device("/dev/a", data.uuid)],
          cachedevs: [device("/dev/c", cache.uuid)],
        },
      },
    ],
    stopped_pools: [stoppedReport],
    partially_constructed_pools: [],
  });
  assert.deepEqual(engine.report("stopped_pools"), { stopped_pools: [stoppedReport] });
  assert.match(jsonText(engine.engineStateReport()), /"fs_limit":10,/);
});

test("the report names limits and origins, and pools come in order of uuid", async () => {
  const engine = new SimEngine();
  for (const name of ["a", "b", "c", "d"]) await makePool(engine, name);
  const [pool] = engine.pools();
  assert.ok(pool);
  const origin = await makeFilesystem(pool, "f");
  const snapshot = await makeSnapshot(pool, origin, "s");
  await pool.setFilesystemSizeLimit(snapshot.uuid, 1n << 41n);
  const text = jsonText(engine.engineStateReport());
  assert.match(text, new RegExp(`"origin":"${origin.uuid}"`));
  assert.match(text, /"size_limit":"4294967296 sectors"/);
  const uuids = [...text.matchAll(/"pool_uuid":"([^"]+)"/g)].map(([, uuid]) => uuid);
  assert.equal(uuids.length, 4);
  assert.deepEqual(uuids, [...uuids].sort());
});

test("no other report is known", () => {
  assert.throws(() => new SimEngine().report("x"), /Report name x not understood/);
});
