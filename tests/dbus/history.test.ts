/** The history of what clients ask the daemon to change: who, what, and how it ended. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { Variant } from "dbus-next";
import { openHistory, type History } from "../../src/daemon/history";
import { BASE_PATH, BUS_NAME, OBJECT_MANAGER, PROPERTIES } from "../../src/dbus/names";
import { parseHistoryJson } from "../../src/history/forms";
import type { HistoryRecord } from "../../src/history/record";
import { startBus, type PrivateBus } from "./support/bus";
import { Client, plain, RemoteError } from "./support/client";
import { nameOf, startSimulated, type Simulated } from "./support/simulated";
import { runStratis } from "./cli-support/run";

const WAIT_MS = 20_000;

let bus: PrivateBus;
let world: Simulated;
let folder = "";
let history: History;
let seen = 0;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "stratis-history-"));
  bus = await startBus();
  history = openHistory("stratisd", { env: { STRATISD_LOG_DIRECTORY: folder }, simulator: true });
  world = await startSimulated(bus, undefined, history.write);
});
after(async () => {
  await world.end();
  await bus.stop();
  rmSync(folder, { recursive: true });
});
afterEach(async () => {
  await taken(0);
});

async function records(): Promise<HistoryRecord[]> {
  await history.flush();
  try {
    return readFileSync(join(folder, "history.log"), "utf8")
      .split("\n")
      .flatMap((line) => parseHistoryJson(line) ?? []);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** The records since the last time, when there are as many. */
async function taken(count: number): Promise<HistoryRecord[]> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const all = await records();
    const fresh = all.slice(seen);
    if (fresh.length >= count || performance.now() > deadline) {
      seen = all.length;
      assert.equal(fresh.length, count, JSON.stringify(fresh));
      return fresh;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const MANAGER = nameOf("Manager", 9);
const POOL = nameOf("pool", 9);

const call = async (path: string, name: string, member: string, signature = "", ...body: unknown[]) =>
  plain(await world.client.call(member, { path, interface: name, signature, body })) as unknown[];

const facts = ({ operation, object, pool, result, error }: HistoryRecord): unknown[] => [
  operation,
  object,
  pool,
  result,
  error,
];

async function createPool(name: string): Promise<string> {
  const none = [[], [], [false, 0n], [false, ""], [false, false]];
  const signature = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
  const [created] = await call(BASE_PATH, MANAGER, "CreatePool", signature, name, ["/dev/a"], ...none);
  return (created as [boolean, [string]])[1][0];
}

test("what was done, what was so already, and what failed, with the pool's UUID", async () => {
  const path = await createPool("data");
  await createPool("data");
  const specs = [["home", [false, ""], [false, ""]]];
  await call(path, POOL, "CreateFilesystems", "a(s(bs)(bs))", specs);
  await call(path, POOL, "SetName", "s", "stuff");
  await call(BASE_PATH, MANAGER, "DestroyPool", "o", path);
  await call(BASE_PATH, MANAGER, "StopPool", "ss", "nothing", "name");
  const [made, same, ...others] = await taken(6);
  assert.ok(made !== undefined && same !== undefined);
  assert.deepEqual(facts(made), ["CreatePool", "pool data, block device /dev/a", "data", "ok", null]);
  assert.equal(made.poolUuid, world.engine.pools()[0]?.uuid);
  assert.deepEqual([same.result, same.poolUuid], ["unchanged", made.poolUuid]);
  assert.deepEqual(others.map(facts), [
    ["CreateFilesystems", "filesystem home in pool data", "data", "ok", null],
    ["SetName", "pool data, to stuff", "stuff", "ok", null],
    ["DestroyPool", "pool stuff", "stuff", "failed", "filesystems remaining on pool"],
    ["StopPool", "pool nothing", "nothing", "failed", others[3]?.error],
  ]);
  assert.match(others[3]?.error ?? "", /nothing/);
  for (const { uid, pid, left, interface: name, durationMs } of [made, same, ...others]) {
    assert.deepEqual([uid, pid, left], [process.getuid?.(), process.pid, false]);
    assert.match(name, /^org\.storage\.stratis3\.(Manager|pool)\.r9$/);
    assert.ok(durationMs >= 0 && durationMs < WAIT_MS);
  }
});

test("properties that are set; and nothing of calls that only read, or that no interface has", async () => {
  const path = await createPool("props");
  await world.client.set(path, POOL, "FsLimit", new Variant("t", 200n));
  await assert.rejects(world.client.set(path, POOL, "FsLimit", new Variant("t", 1n)), RemoteError);
  await assert.rejects(world.client.set(path, POOL, "FsLimit", new Variant("s", "wrong type")), RemoteError);
  await assert.rejects(world.client.set(path, POOL, "Name", new Variant("s", "read only")), RemoteError);
  await call(BASE_PATH, MANAGER, "ListKeys");
  await call(BASE_PATH, MANAGER, "EngineStateReport");
  await call(path, POOL, "Metadata", "b", true);
  await call(BASE_PATH, OBJECT_MANAGER, "GetManagedObjects");
  await call(path, PROPERTIES, "GetAll", "s", POOL);
  await assert.rejects(call(BASE_PATH, MANAGER, "DestroyEverything"), RemoteError);
  await assert.rejects(call(BASE_PATH, MANAGER, "DestroyPool", "s", "wrong type"), RemoteError);
  const [, ...others] = await taken(5);
  assert.deepEqual(
    others.map((record) => facts(record).slice(0, 4)),
    [
      ["Set FsLimit", "pool props, to 200", "props", "ok"],
      ["Set FsLimit", "pool props, to 1", "props", "failed"],
      ["Set FsLimit", "pool props", "props", "failed"],
      ["DestroyPool", null, null, "failed"],
    ],
  );
  assert.match(others[3]?.error ?? "", /^Signature mismatch/);
});

test("the command has its name, and what it passes by descriptor is nowhere", async () => {
  const secret = "do not tell anybody";
  const { code } = await runStratis(
    bus.address,
    ["key", "set", "--capture-key", "mykey"],
    {},
    `${secret}\n${secret}\n`,
  );
  assert.equal(code, 0);
  const [record] = await taken(1);
  assert.ok(record !== undefined);
  assert.deepEqual(facts(record), ["SetKey", "key mykey", null, "ok", null]);
  assert.equal(record.command, "stratis");
  assert.notEqual(record.pid, process.pid);
  assert.ok(!readFileSync(join(folder, "history.log"), "utf8").includes(secret));
});

test("a client that ended before it could be asked about is recorded as gone", async () => {
  // Nothing of this process runs until the client has sent its call and is no more.
  const name = `${MANAGER}.UnsetKey`;
  const script = `dbus-send --bus="$1" --type=method_call --dest=${BUS_NAME} ${BASE_PATH} ${name} string:none && sleep 0.3`;
  const { status, stderr } = spawnSync("sh", ["-c", script, "sh", bus.address], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""]);
  const [record] = await taken(1);
  assert.ok(record !== undefined);
  assert.deepEqual(facts(record), ["UnsetKey", "key none", null, "unchanged", null]);
  assert.deepEqual([record.uid, record.pid, record.command, record.left], [null, null, null, true]);
});

test("a client that goes away during its call is still known", async () => {
  const client = await Client.connect(bus.address);
  const first = client.callForReply("RefreshState", { interface: MANAGER });
  await first;
  client.send("RefreshState", { interface: MANAGER });
  await client.close();
  const [, record] = await taken(2);
  assert.deepEqual([record?.operation, record?.object, record?.result], ["RefreshState", null, "ok"]);
  assert.deepEqual([record?.pid, record?.left], [process.pid, false]);
});

test("thousands of names, and names of any form, make a record of some hundred characters", async () => {
  const path = await createPool("many");
  const specs = Array.from({ length: 3000 }, (_, index) => [
    `${"n".repeat(40)}${index}`,
    [false, ""],
    [false, ""],
  ]);
  await call(path, POOL, "CreateFilesystems", "a(s(bs)(bs))", specs);
  await call(path, POOL, "SetName", "s", `evil\n\u001b[2J${"x".repeat(100_000)}`);
  const [, many, evil] = await taken(3);
  assert.match(many?.object ?? "", /^filesystem n+0, .*n+7 and 2992 more in pool many$/);
  assert.equal(evil?.result, "failed");
  assert.match(evil.object ?? "", /^pool many, to evil\\u\{a\}\\u\{1b\}\[2Jx+\.\.\.$/);
  assert.ok(JSON.stringify(evil).length < 2500);
});
