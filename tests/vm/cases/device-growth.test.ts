/** A block device that becomes larger: noticed, announced, and used when that is asked for. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import {
  managedObjects,
  closeBus,
  mountPoint,
  mustRun,
  poolProperties,
  run,
  stratis,
  stratisCommand,
  unmountAll,
  until,
} from "./support";

const POOL = "larger";
const DEVICE = "case-larger";
const SECTORS_PER_GIB = 2 * 1024 * 1024;

before(async () => {
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
  for (const name of (await mustRun("dmsetup", ["ls"])).stdout
    .split("\n")
    .map((line) => line.split("\t")[0] ?? ""))
    if (name.startsWith("stratis-1-")) await mustRun("dmsetup", ["remove", "--deferred", name]);
  await mustRun("dmsetup", ["remove", "--retry", "--deferred", DEVICE]);
});

const tableOf = (path: string, gib: number): string => `0 ${gib * SECTORS_PER_GIB} linear ${path} 0`;

async function resizeTo(gib: number): Promise<void> {
  await mustRun("dmsetup", ["load", DEVICE, "--table", tableOf(await disk("d0"), gib)]);
  await mustRun("dmsetup", ["resume", DEVICE]);
  await udevSettled();
}

async function deviceProperties(): Promise<Record<string, unknown>> {
  const objects = Object.values(await managedObjects());
  const found = objects.map((interfaces) => interfaces["org.storage.stratis3.blockdev.r9"]);
  return found.find((properties) => properties !== undefined) ?? {};
}

const gibibytes = (count: number): string => (BigInt(count) * 1024n ** 3n).toString();

test("a larger device is noticed, and nothing of the pool changes by itself", async () => {
  const path = await disk("d0");
  await wipeDisk(path);
  await mustRun("dmsetup", ["create", DEVICE, "--table", tableOf(path, 3)]);
  await udevSettled();
  await stratis("pool", "create", POOL, `/dev/mapper/${DEVICE}`);
  assert.equal((await poolProperties(POOL))["TotalPhysicalSize"], gibibytes(3));
  await resizeTo(5);
  await until("the new size is shown", async () => {
    const { NewPhysicalSize: shown } = await deviceProperties();
    return JSON.stringify(shown) === JSON.stringify([true, gibibytes(5)]);
  });
  assert.equal((await poolProperties(POOL))["TotalPhysicalSize"], gibibytes(3));
});

test("the pool grows into it on request, with what it reserves at the device's end", async () => {
  const uuid = String((await deviceProperties())["Uuid"]);
  await stratis("pool", "extend-data", POOL, "--device-uuid", uuid);
  assert.equal((await poolProperties(POOL))["TotalPhysicalSize"], gibibytes(5));
  assert.deepEqual((await deviceProperties())["NewPhysicalSize"], [false, ""]);
  const metadata = JSON.parse(
    await stratis("pool", "debug", "get-metadata", "--written", "--name", POOL),
  ) as {
    backstore: { data_tier: { blockdev: { devs: { integrity_meta_allocs: [number, number][] }[] } } };
  };
  const [device] = metadata.backstore.data_tier.blockdev.devs;
  assert.equal(
    device?.integrity_meta_allocs.length,
    2,
    "the reservation of the first size, and what is due beside it",
  );
  // Sum of both: what a device of 5 GiB reserves.
  const total = device.integrity_meta_allocs.reduce((sum, [, length]) => sum + length, 0);
  assert.equal(total, 8 + 262144 + (5 * 1024 ** 3 * 64) / 4096 / 512);
});

test("the space is used, and the next daemon finds everything as it was", async () => {
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  const at = await mountPoint("fs");
  await mustRun("mount", [`/dev/stratis/${POOL}/fs`, at]);
  await mustRun("umount", [at]);
  await killDaemon();
  await startDaemon();
  assert.equal((await poolProperties(POOL))["TotalPhysicalSize"], gibibytes(5));
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
  const check = await run("xfs_repair", ["-n", `/dev/stratis/${POOL}/fs`]);
  assert.equal(check.status, 0, check.stdout + check.stderr);
});

test("a device that has shrunk keeps its pool from starting, with the reason", async () => {
  await stratis("pool", "stop", "--name", POOL);
  await resizeTo(4);
  const failed = await stratisCommand("pool", "start", "--name", POOL);
  assert.notEqual(failed.status, 0);
  assert.match(failed.stderr, /less than the \d+ sectors recorded/);
  await resizeTo(5);
  await stratis("pool", "start", "--name", POOL);
  await stratis("filesystem", "destroy", POOL, "fs");
  await stratis("pool", "destroy", POOL);
});
