/** A pool with metadata of version 1, made beside the running daemon, which takes it over and does everything with it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  dmDevices,
  mountPoint,
  mustRun,
  PROJECT,
  run,
  sha256,
  stratis,
  stratisCommand,
  unmountAll,
  until,
} from "../cases/support";

const POOL = "legacy";
let hash = "";

before(async () => {
  for (const serial of ["d0", "d1", "d2"]) await wipeDisk(await disk(serial));
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await stopDaemon();
});

const written = async (): Promise<string> => `${await mountPoint("home")}/written`;

/** Roles of the pool's devices. */
async function roles(): Promise<string[]> {
  const names = (await dmDevices()).map((name) => /^stratis-1-private-[0-9a-f]{32}-(.*)$/.exec(name)?.[1]);
  return names.filter((role) => role !== undefined).sort();
}

const WITHOUT_CACHE = ["flex-mdv", "flex-thindata", "flex-thinmeta", "physical-originsub", "thinpool-pool"];
const WITH_CACHE = [...WITHOUT_CACHE, "physical-cache", "physical-cachesub", "physical-metasub"].sort();

interface Record {
  backstore: { cap: { allocs: [number, number][] }; data_tier: object };
  features?: string[];
}
const record = async (): Promise<Record> =>
  JSON.parse(await stratis("pool", "debug", "get-metadata", "--written", "--name", POOL)) as Record;

test("stratis-legacy-pool makes it, and the daemon has it by itself", async () => {
  const tool = `echo Yes | ${process.execPath} ${PROJECT}/dist/bin/stratis-legacy-pool.js ${POOL} ${await disk("d0")}`;
  await mustRun("sh", ["-c", tool]);
  await until(
    "the daemon takes the pool over",
    async () => (await stratisCommand("pool", "list", "--name", POOL)).status === 0,
  );
  assert.deepEqual(await roles(), WITHOUT_CACHE);
  const { backstore, features } = await record();
  assert.deepEqual(Object.keys(backstore.data_tier), ["blockdev"], "no integrity specification");
  assert.equal(backstore.cap.allocs.length, 1);
  assert.equal(features, undefined);
});

test("a filesystem that is written to while a cache is put in, which gives all layers another parent", async () => {
  await stratis("filesystem", "create", POOL, "home", "--size", "2GiB");
  const at = await mountPoint("home");
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
  const writer = mustRun("dd", [
    "if=/dev/urandom",
    `of=${at}/written`,
    "bs=1M",
    "count=30",
    "oflag=direct",
    "status=none",
  ]);
  await stratis("pool", "init-cache", POOL, await disk("d1"));
  await writer;
  hash = await sha256(await written());
  assert.deepEqual(await roles(), WITH_CACHE);
  const { stdout } = await mustRun("sh", ["-c", "dmsetup deps -o devname | grep -- '-flex-[a-z]*:'"]);
  for (const line of stdout.trim().split("\n")) assert.match(line, /physical-cache\)/, line);
});

test("more data, a snapshot, a new name", async () => {
  await stratis("pool", "add-data", POOL, await disk("d2"));
  await stratis("filesystem", "snapshot", POOL, "home", "snap");
  await stratis("pool", "rename", POOL, "renamed");
  await stratis("pool", "rename", "renamed", POOL);
  await until(
    "the pool grows into its second device",
    async () => (await record()).backstore.cap.allocs[0]?.[1] !== undefined && (await grown()),
  );
  assert.equal((await record()).backstore.cap.allocs.length, 1, "V1 counts in one range");
});

async function grown(): Promise<boolean> {
  const { stdout } = await mustRun("dmsetup", ["table"]);
  return stdout.split("\n").filter((line) => line.includes("physical-originsub")).length === 2;
}

test("the next daemon takes it over, and it stops and starts", async () => {
  await killDaemon();
  await startDaemon();
  assert.deepEqual(await roles(), WITH_CACHE);
  assert.equal(await sha256(await written()), hash);
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await roles(), []);
  await stratis("pool", "start", "--remove-cache", "--name", POOL);
  assert.deepEqual(await roles(), WITHOUT_CACHE);
  for (const name of ["home", "snap"]) {
    const check = await run("xfs_repair", ["-n", `/dev/stratis/${POOL}/${name}`]);
    assert.equal(check.status, 0, check.stdout + check.stderr);
  }
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, await mountPoint("home")]);
  assert.equal(await sha256(await written()), hash);
  await unmountAll();
});

test("it is destroyed, and its disks are blank", async () => {
  await stratis("filesystem", "destroy", POOL, "home", "snap");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
  for (const serial of ["d0", "d1", "d2"])
    assert.equal((await run("blkid", ["-p", await disk(serial)])).stdout, "", serial);
});
