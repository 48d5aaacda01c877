/** The command against the real D-Bus service, with an engine in memory: what one test of each kind of call needs. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { runStratis, type Ran } from "./cli-support/run";
import { startWorld, type World } from "./support/world";

let world: World | undefined;
before(async () => {
  world = await startWorld();
});
after(() => world?.end());

function stratis(...words: string[]): Promise<Ran> {
  assert.ok(world !== undefined, "the service has not been started");
  return runStratis(world.bus.address, words);
}

async function succeeds(...words: string[]): Promise<void> {
  assert.deepEqual(await stratis(...words), { code: 0, stdout: "", stderr: "" }, words.join(" "));
}

async function firstFields(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await stratis(...words);
  assert.deepEqual([code, stderr], [0, ""], words.join(" "));
  return stdout
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.split(/\s+/)[0] ?? "");
}

test("a pool lives through all that the command can do with it", async () => {
  assert.deepEqual(await firstFields("pool"), []);
  await succeeds("pool", "create", "p1", "/dev/a", "/dev/b");
  assert.equal((await stratis("pool", "create", "p1", "/dev/c")).code, 1);
  assert.deepEqual(await firstFields("pool", "list"), ["p1"]);
  assert.deepEqual(await firstFields("blockdev", "list", "p1"), ["p1", "p1"]);

  await succeeds("pool", "rename", "p1", "p2");
  await succeeds("pool", "add-data", "p2", "/dev/c");
  await succeeds("pool", "init-cache", "p2", "/dev/d");
  assert.match((await stratis("blockdev")).stdout, /^p2 +\/dev\/d .* CACHE /m);
  await succeeds("pool", "set-fs-limit", "p2", "200");
  assert.match((await stratis("pool", "list", "--name=p2")).stdout, /^Filesystem Limit: 200$/m);

  await succeeds("fs", "create", "p2", "f1", "f2", "--size=2GiB");
  await succeeds("fs", "snapshot", "p2", "f1", "s1");
  await succeeds("fs", "rename", "p2", "f2", "f3");
  await succeeds("fs", "set-size-limit", "p2", "f1", "4GiB");
  await succeeds("fs", "schedule-revert", "p2", "s1");
  assert.match((await stratis("fs", "list", "p2", "--name=s1")).stdout, /^ {4}Revert scheduled: Yes$/m);
  await succeeds("fs", "cancel-revert", "p2", "s1");
  await succeeds("fs", "destroy", "p2", "f3", "s1", "f1");

  await succeeds("pool", "stop", "--name", "p2");
  assert.deepEqual(await firstFields("pool", "list", "--stopped"), ["p2"]);
  assert.deepEqual(await firstFields("pool"), []);
  // Without a key, and without a descriptor in its place.
  await succeeds("pool", "start", "--name", "p2");
  assert.deepEqual(await firstFields("pool"), ["p2"]);
  await succeeds("pool", "destroy", "p2");
  assert.deepEqual(await firstFields("pool"), []);
});

test("what the service refuses is told", async () => {
  await succeeds("pool", "create", "p3", "/dev/e");
  await succeeds("fs", "create", "p3", "f");
  const destroy = await stratis("pool", "destroy", "p3");
  assert.equal(destroy.code, 1);
  assert.match(
    destroy.stderr,
    /^Execution failed:\nstratisd failed to perform the operation that you requested\. It returned the following information via the D-Bus: ERROR: /,
  );
  const limit = await stratis("pool", "set-fs-limit", "p3", "1");
  assert.equal(limit.code, 1);
  assert.match(limit.stderr, /could not set the D-Bus property "FsLimit"/);
  assert.equal((await stratis("pool", "stop", "--name=nope")).code, 1);
});

test("reports and the daemon's version", async () => {
  const { code, stdout } = await stratis("report");
  assert.equal(code, 0);
  assert.equal(typeof JSON.parse(stdout), "object");
  const objects = await stratis("report", "managed_objects_report");
  assert.equal(objects.code, 0);
  assert.match((await stratis("daemon", "version")).stdout, /^3\.9\.\d+\n$/);
  await succeeds("debug", "refresh");
});
