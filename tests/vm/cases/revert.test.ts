/** Reverting filesystems to snapshots: scheduled now, done when the pool starts next. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  managedObjects,
  closeBus,
  mountPoint,
  mustRun,
  run,
  stratis,
  stratisFails,
  unmountAll,
} from "./support";

const POOL = "reverts";

before(async () => {
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

/** Properties of the filesystems by name. */
async function filesystems(): Promise<Map<string, Record<string, unknown>>> {
  const found = new Map<string, Record<string, unknown>>();
  for (const interfaces of Object.values(await managedObjects())) {
    const properties = interfaces["org.storage.stratis3.filesystem.r9"];
    if (properties !== undefined) found.set(String(properties["Name"]), properties);
  }
  return found;
}

async function withMounted<T>(name: string, work: (at: string) => Promise<T>): Promise<T> {
  const at = await mountPoint(name);
  await mustRun("mount", [`/dev/stratis/${POOL}/${name}`, at]);
  try {
    return await work(at);
  } finally {
    await mustRun("umount", [at]);
  }
}

const content = (name: string): Promise<string> =>
  withMounted(name, (at) => readFile(`${at}/content`, "utf8"));

test("a chain of snapshots, each with content of its own", async () => {
  const path = await disk("d0");
  await wipeDisk(path);
  await stratis("pool", "create", POOL, path);
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  await withMounted("fs", (at) => writeFile(`${at}/content`, "first"));
  await stratis("filesystem", "snapshot", POOL, "fs", "snap1");
  await stratis("filesystem", "snapshot", POOL, "snap1", "snap2");
  await withMounted("fs", (at) => writeFile(`${at}/content`, "second"));
  await withMounted("snap1", (at) => writeFile(`${at}/content`, "of snap1"));
});

test("a revert is scheduled once, blocks destruction, and can be cancelled", async () => {
  await stratis("filesystem", "schedule-revert", POOL, "snap1");
  assert.equal((await filesystems()).get("snap1")?.["MergeScheduled"], true);
  for (const name of ["snap2", "fs"]) await stratisFails("filesystem", "schedule-revert", POOL, name);
  for (const name of ["snap1", "fs"]) await stratisFails("filesystem", "destroy", POOL, name);
  await stratis("filesystem", "cancel-revert", POOL, "snap1");
  assert.equal((await filesystems()).get("snap1")?.["MergeScheduled"], false);
  await stratis("filesystem", "schedule-revert", POOL, "snap1");
});

test("a new daemon over live devices changes nothing", async () => {
  await killDaemon();
  await startDaemon();
  assert.deepEqual([...(await filesystems()).keys()].sort(), ["fs", "snap1", "snap2"]);
  assert.equal(await content("fs"), "second");
  assert.equal((await filesystems()).get("snap1")?.["MergeScheduled"], true);
});

test("after a stop and a start the origin has the snapshot's content, its own name and UUID", async () => {
  const before = await filesystems();
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
  const now = await filesystems();
  assert.deepEqual([...now.keys()].sort(), ["fs", "snap2"]);
  assert.equal(now.get("fs")?.["Uuid"], before.get("fs")?.["Uuid"]);
  assert.equal(now.get("fs")?.["Created"], before.get("fs")?.["Created"]);
  assert.equal(await content("fs"), "of snap1");
  assert.ok(!existsSync(`/dev/stratis/${POOL}/snap1`));
  assert.deepEqual(now.get("snap2")?.["Origin"], [true, before.get("fs")?.["Uuid"]], "it has a new origin");
  for (const name of ["fs", "snap2"]) {
    const check = await run("xfs_repair", ["-n", `/dev/stratis/${POOL}/${name}`]);
    assert.equal(check.status, 0, check.stdout + check.stderr);
    const { stdout } = await mustRun("blkid", [
      "-p",
      "-s",
      "UUID",
      "-o",
      "value",
      `/dev/stratis/${POOL}/${name}`,
    ]);
    assert.equal(stdout.trim().replaceAll("-", ""), now.get(name)?.["Uuid"]);
  }
});

test("what was reverted stays so, and its former content takes no space", async () => {
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
  assert.equal(await content("fs"), "of snap1");
  assert.deepEqual((await filesystems()).get("snap2")?.["Origin"], [
    true,
    (await filesystems()).get("fs")?.["Uuid"],
  ]);
  const { stdout } = await mustRun("dmsetup", ["table", "--target", "thin"]);
  const ids = stdout
    .trim()
    .split("\n")
    .map((line) => Number(line.split(" ").at(-1)));
  assert.deepEqual(ids.sort(), [1, 2], "the ids of snap1 and snap2");
});
