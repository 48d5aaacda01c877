/** A cache: put in under a mounted filesystem, enlarged, taken over by the next daemon, removed at a start. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { daemonPid, killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  callStratis,
  closeBus,
  createPoolByBus,
  dmDevices,
  mountPoint,
  mustRun,
  poolObject,
  sha256,
  stratis,
  stratisFails,
  unmountAll,
  until,
} from "./support";

const POOL = "cached";
let hash = "";

before(async () => {
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

const written = async (): Promise<string> => `${await mountPoint("home")}/written`;

/** Tables of the pool's devices by their role, without the numbers of devices. */
async function tables(): Promise<Record<string, string[]>> {
  const { stdout } = await mustRun("dmsetup", ["table"]);
  const found: Record<string, string[]> = {};
  for (const line of stdout.split("\n")) {
    const [, role, table] = /^stratis-1-private-[0-9a-f]{32}-([a-z-]+): (.*)$/.exec(line.trim()) ?? [];
    if (role !== undefined && table !== undefined)
      (found[role] ??= []).push(table.replace(/\b\d+:\d+\b/g, "M:m"));
  }
  return found;
}

test("a cache is put in under a mounted filesystem that is written to", async () => {
  const disks = [await disk("d0"), await disk("d1"), await disk("d2"), await disk("d3")];
  for (const path of disks) await wipeDisk(path);
  const [data = "", cache = ""] = disks;
  await stratis("pool", "create", POOL, data);
  await stratis("filesystem", "create", POOL, "home", "--size", "2GiB");
  const at = await mountPoint("home");
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
  const writer = mustRun("dd", [
    "if=/dev/urandom",
    `of=${at}/written`,
    "bs=1M",
    "count=40",
    "oflag=direct",
    "status=none",
  ]);
  await stratis("pool", "init-cache", POOL, cache);
  await writer;
  hash = await sha256(await written());
  const found = await tables();
  assert.match(found["physical-cache"]?.[0] ?? "", /^0 \d+ cache M:m M:m M:m 2048 1 writethrough \S+ 0$/);
  assert.deepEqual(found["physical-metasub"], ["0 1048576 linear M:m 8192"]);
  assert.match(found["physical-cachesub"]?.[0] ?? "", /^0 \d+ linear M:m 1056768$/);
  assert.match(await stratis("pool", "list", "--name", POOL), /Cache|cache/i);
  const blockdevs = await stratis("blockdev", "list", POOL);
  assert.match(blockdevs, /CACHE/i);
});

test("the same cache again is no change, another one is refused, and so is the wrong tier", async () => {
  const [data, cache, more] = [await disk("d0"), await disk("d1"), await disk("d2")];
  const { path } = await poolObject(POOL);
  const again = await callStratis(path, "org.storage.stratis3.pool.r9", "InitCache", "as", [[cache]]);
  assert.deepEqual([again.code, again.result], [0, [false, []]]);
  assert.match(await stratisFails("pool", "init-cache", POOL, more), /./);
  assert.match(await stratisFails("pool", "add-data", POOL, cache), /cache/i);
  assert.match(await stratisFails("pool", "add-cache", POOL, data), /data/i);
});

test("creation of the pool again, with its data devices, is no change, whatever its cache has", async () => {
  const [data, cache] = [await disk("d0"), await disk("d1")];
  const again = await createPoolByBus(POOL, [data]);
  assert.deepEqual([again.code, again.result], [0, [false, ["/", []]]], again.message);
  const { code, message } = await createPoolByBus(POOL, [data, cache]);
  assert.equal(code, 1);
  assert.match(message, new RegExp(`requests blockdev ${cache} which does not exist in the current pool$`));
});

test("a second device makes the cache larger, whose blocks are all that grows", async () => {
  const before = await tables();
  await stratis("pool", "add-cache", POOL, await disk("d2"));
  const now = await tables();
  assert.deepEqual(now["physical-metasub"], before["physical-metasub"]);
  assert.equal(now["physical-cachesub"]?.length, 2);
  const { stdout } = await mustRun("dmsetup", ["status", "--target", "cache"]);
  assert.match(stdout, / rw /, stdout);
  assert.equal(await sha256(await written()), hash);
});

test("more data grows through the cache", async () => {
  const before = (await tables())["flex-thindata"];
  await stratis("pool", "add-data", POOL, await disk("d3"));
  await until(
    "thin data grows",
    async () => JSON.stringify((await tables())["flex-thindata"]) !== JSON.stringify(before),
  );
  assert.match((await tables())["physical-cache"]?.[0] ?? "", / cache /);
});

test("the next daemon takes the cache over", async () => {
  const devices = await dmDevices();
  await killDaemon();
  await startDaemon();
  assert.ok((await daemonPid()) > 0);
  assert.deepEqual(await dmDevices(), devices);
  assert.equal(await sha256(await written()), hash);
  await stratis("filesystem", "create", POOL, "later", "--size", "600MiB");
});

test("a stopped pool starts with its cache", async () => {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
  await stratis("pool", "start", "--name", POOL);
  assert.match((await tables())["physical-cache"]?.[0] ?? "", / cache /);
});

test("a start can remove the cache, whose devices are free then", async () => {
  await stratis("pool", "stop", "--name", POOL);
  const [cache, second] = [await disk("d1"), await disk("d2")];
  await stratis("pool", "start", "--remove-cache", "--name", POOL);
  assert.match((await tables())["physical-cache"]?.[0] ?? "", /^0 \d+ linear M:m 0$/);
  assert.equal((await tables())["physical-cachesub"], undefined);
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, await mountPoint("home")]);
  assert.equal(await sha256(await written()), hash);
  for (const path of [cache, second])
    assert.doesNotMatch(
      (await mustRun("dd", [`if=${path}`, "bs=4096", "count=1", "status=none"])).stdout,
      /Stra0tis/,
    );
  // They can be used again.
  await stratis("pool", "init-cache", POOL, cache, second);
  assert.match((await tables())["physical-cache"]?.[0] ?? "", / cache /);
});

test("a pool with a cache is destroyed with all its devices", async () => {
  await unmountAll();
  for (const name of ["home", "later"]) await stratis("filesystem", "destroy", POOL, name);
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
  for (const serial of ["d0", "d1", "d2", "d3"]) {
    const { stdout } = await mustRun("dd", [`if=${await disk(serial)}`, "bs=4096", "count=1", "status=none"]);
    assert.doesNotMatch(stdout, /Stra0tis/, serial);
  }
});
