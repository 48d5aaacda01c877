/** From the messages that the daemon writes to the things that they are about. */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { subjectsOf } from "../../../src/daemon/log-subjects";
import type { Filesystem, Pool } from "../../../src/engine/engine";
import { SimEngine } from "../../../src/engine/sim/engine";
import { simpleUuid } from "../../../src/uuid";
import { makeFilesystem, makePool } from "../engine/sim/support";

const engine = new SimEngine();
let pool: Pool;
let other: Pool;
let filesystem: Filesystem;
let device = "";

before(async () => {
  pool = await makePool(engine, "data", { devices: ["/dev/one"] });
  other = await makePool(engine, "other", { devices: ["/dev/two"] });
  await makeFilesystem(other, "home");
  filesystem = await makeFilesystem(pool, "home");
  device = pool.blockDevs()[0]?.uuid ?? assert.fail();
});

const fields = (message: string): string[] =>
  subjectsOf(message, engine).map(([name, value]) => `${name}=${value}`);

test("methods that were carried out", async () => {
  assert.deepEqual(fields(`CreatePool: created pool data with uuid ${pool.uuid} on /dev/one`), [
    "OPERATION=CreatePool",
    `POOL_UUID=${pool.uuid}`,
  ]);
  const [one, two] = [await makeFilesystem(pool, "one"), await makeFilesystem(pool, "two")];
  assert.deepEqual(fields(`CreateFilesystems: pool data (${pool.uuid}): created [one, two]`), [
    "OPERATION=CreateFilesystems",
    `POOL_UUID=${pool.uuid}`,
    `FS_UUID=${one.uuid}`,
    `FS_UUID=${two.uuid}`,
  ]);
  assert.deepEqual(
    fields(`SnapshotFilesystem: pool data (${pool.uuid}): created one of ${filesystem.uuid}`),
    [
      "OPERATION=SnapshotFilesystem",
      `POOL_UUID=${pool.uuid}`,
      `FS_UUID=${filesystem.uuid}`,
      `FS_UUID=${one.uuid}`,
    ],
  );
  assert.deepEqual(fields(`SetUserInfo: block device ${device}: changed`), [
    "OPERATION=SetUserInfo",
    `POOL_UUID=${pool.uuid}`,
    `DEV_UUID=${device}`,
  ]);
});

test("methods that failed", () => {
  const message =
    "org.storage.stratis3.pool.r9.CreateFilesystems on /org/storage/stratis3/1 failed: no space";
  assert.deepEqual(fields(message), ["OPERATION=CreateFilesystems"]);
});

test("pools and filesystems that are named", () => {
  assert.deepEqual(fields('Pool "other" is out of space and cannot be extended: x'), [
    `POOL_UUID=${other.uuid}`,
  ]);
  assert.deepEqual(fields('Growing filesystem "home" of pool "data" failed: x'), [
    `POOL_UUID=${pool.uuid}`,
    `FS_UUID=${filesystem.uuid}`,
  ]);
  assert.deepEqual(fields('Growing filesystem "none" of pool "nothing" failed: x'), []);
});

test("a pool that was stopped", async () => {
  const { uuid } = await makePool(engine, "stopped", { devices: ["/dev/three"] });
  await engine.stopPool({ by: "name", name: "stopped" });
  assert.deepEqual(fields("StopPool: pool stopped: stopped"), ["OPERATION=StopPool", `POOL_UUID=${uuid}`]);
});

test("device-mapper names", () => {
  const name = `stratis-1-${simpleUuid(pool.uuid)}-thin-fs-${simpleUuid(filesystem.uuid)}`;
  const expected = [`POOL_UUID=${pool.uuid}`, `FS_UUID=${filesystem.uuid}`];
  assert.deepEqual(fields(`Thin device ${name} has status Fail`), expected);
  const gone = "17101e39e72e423c90d8be5cb37c055b";
  assert.deepEqual(fields(`Removed device stratis-1-${gone}-thin-fs-${gone}, which`), [
    "POOL_UUID=17101e39-e72e-423c-90d8-be5cb37c055b",
    "FS_UUID=17101e39-e72e-423c-90d8-be5cb37c055b",
  ]);
  assert.deepEqual(fields(`stratis-1-private-${gone}-flex-mdv`), [
    "POOL_UUID=17101e39-e72e-423c-90d8-be5cb37c055b",
  ]);
});

test("what the engine does not know any more", () => {
  const [one, two] = ["17101e39-e72e-423c-90d8-be5cb37c055b", "27101e39-e72e-423c-90d8-be5cb37c055b"];
  assert.deepEqual(fields(`DestroyPool: destroyed pool with uuid ${one}`), [
    "OPERATION=DestroyPool",
    `POOL_UUID=${one}`,
  ]);
  assert.deepEqual(fields(`DestroyFilesystems: pool data (${pool.uuid}): destroyed [${one}, ${two}]`), [
    "OPERATION=DestroyFilesystems",
    `POOL_UUID=${pool.uuid}`,
    `FS_UUID=${one}`,
    `FS_UUID=${two}`,
  ]);
});

test("messages about nothing in particular have no fields", () => {
  const messages = [
    "D-Bus API is available",
    "Error: 1",
    `Something about ${"0".repeat(40)}`,
    "RefreshState",
  ];
  for (const message of messages) assert.deepEqual(fields(message), []);
});

test("a long list costs no more than a short one", () => {
  const uuid = "17101e39-e72e-423c-90d8-be5cb37c0";
  const list = Array.from({ length: 100_000 }, (_, index) => uuid + String((index % 900) + 100));
  const started = performance.now();
  assert.equal(
    fields(`DestroyFilesystems: pool data (${pool.uuid}): destroyed [${list.join(", ")}]`).length,
    64,
  );
  assert.ok(performance.now() - started < 1000);
});
