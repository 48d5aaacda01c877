/**
 * Devices of one pool that appear one by one, as disks of a slow bus do, when an addition to the pool was interrupted
 * before: the pool's record decides over a device that is becoming a member, whenever it comes.
 */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { initializeDevice, readStaticHeader, writeStaticHeader } from "../../../src/disk/bda";
import {
  DEFAULT_MDA_SIZE,
  DEFAULT_RESERVED_SIZE,
  SIGBLOCK_FLAG,
  type StaticHeader,
} from "../../../src/disk/static-header";
import { native, type BlockFile } from "../../../src/native";
import { sectors } from "../../../src/units";
import type { DevUuid } from "../../../src/uuid";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevLooksAt, udevSettled } from "../guest/udev";
import {
  closeBus,
  dmDevices,
  managedObjects,
  managerProperty,
  mustRun,
  requireBlank,
  stratis,
  unmountAll,
  until,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POOL = "late";
const SECTORS = 3n * 2n * 1024n * 1024n;
/** Where a device begins on its disk, which must not carry a signature itself. */
const FIRST_SECTOR = 2048n;
const DISK_OF = { first: "d0", second: "d1" } as const;
type Name = keyof typeof DISK_OF;
const kept = new KeptFile(POOL, "fs");

const dmName = (name: Name): string => `case-late-${name}`;
const at = (name: Name): string => `/dev/mapper/${dmName(name)}`;

before(async () => {
  for (const serial of Object.values(DISK_OF)) await wipeDisk(await disk(serial));
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

async function arrive(name: Name): Promise<void> {
  const table = `0 ${SECTORS} linear ${await disk(DISK_OF[name])} ${FIRST_SECTOR}`;
  await mustRun("dmsetup", ["create", dmName(name), "--table", table]);
  await udevSettled();
}

async function leave(...names: Name[]): Promise<void> {
  await mustRun("dmsetup", ["remove", "--retry", ...names.map(dmName)]);
  await udevSettled();
}

async function onDevice<T>(name: Name, work: (file: BlockFile) => Promise<T>): Promise<T> {
  const file = await native().openBlockFile(at(name), { write: true });
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function headerOf(name: Name): Promise<StaticHeader> {
  const found = await onDevice(name, (file) => readStaticHeader(file));
  assert.ok(found !== null, `${name} has no header`);
  return found.header;
}

const isRunning = async (): Promise<boolean> =>
  Object.values(await managedObjects()).some(
    (interfaces) => interfaces["org.storage.stratis3.pool.r9"]?.["Name"] === POOL,
  );

const countStopped = async (): Promise<number> =>
  Object.keys((await managerProperty("r9", "StoppedPools")) as object).length;

/** What the addition of a device leaves that dies before the pool's record is saved. */
async function beginJoining(name: Name, like: StaticHeader): Promise<void> {
  await onDevice(name, (file) =>
    initializeDevice(file, {
      deviceSize: sectors(SECTORS),
      version: like.version,
      poolUuid: like.poolUuid,
      devUuid: randomUUID() as DevUuid,
      mdaSize: DEFAULT_MDA_SIZE,
      reservedSize: DEFAULT_RESERVED_SIZE,
      flags: SIGBLOCK_FLAG.joining,
      initializationTime: like.initializationTime,
    }),
  );
}

async function restartDaemonAfter(work: () => Promise<void>): Promise<void> {
  await stopDaemon();
  await work();
  await startDaemon();
}

async function verifyData(): Promise<void> {
  await kept.mountAndCompare();
  await unmountAll();
}

test("a device that was being added and is found before the rest of the pool waits, and is free when the pool is there", async () => {
  await arrive("first");
  await stratis("pool", "create", POOL, at("first"));
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  await kept.write(8);
  await unmountAll();
  const member = await headerOf("first");
  // Stopped without a mark in its record, as before a boot.
  await restartDaemonAfter(async () => {
    for (const name of (await dmDevices()).reverse())
      await mustRun("dmsetup", ["remove", "--deferred", name]);
    await leave("first");
    await arrive("second");
    await beginJoining("second", member);
    await udevLooksAt(at("second"));
  });
  assert.equal(await countStopped(), 1);
  assert.equal(
    (await headerOf("second")).flags,
    SIGBLOCK_FLAG.joining,
    "nothing is done before the record is known",
  );
  await arrive("first");
  await until("the pool runs", isRunning);
  await requireBlank(at("second"));
  assert.equal(await countStopped(), 0);
  await verifyData();
});

test("one that comes when the pool runs already is free at once", async () => {
  await beginJoining("second", await headerOf("first"));
  await udevLooksAt(at("second"));
  await until(
    "it is blank",
    async () => (await onDevice("second", (file) => readStaticHeader(file))) === null,
  );
  await requireBlank(at("second"));
  await stratis("pool", "add-data", POOL, at("second"));
  await verifyData();
});

test("one that the record names already is a member: it waits for the others, and loses its mark", async () => {
  await restartDaemonAfter(async () => {
    for (const name of (await dmDevices()).reverse())
      await mustRun("dmsetup", ["remove", "--deferred", name]);
    const header = await headerOf("second");
    await onDevice("second", (file) => writeStaticHeader(file, { ...header, flags: SIGBLOCK_FLAG.joining }));
    await leave("first");
  });
  assert.equal(await countStopped(), 1);
  assert.equal(await isRunning(), false);
  await arrive("first");
  await until("the pool runs", isRunning);
  assert.equal((await headerOf("second")).flags, 0n);
  assert.match(await stratis("blockdev", "list", POOL), new RegExp(`${dmName("second")}|dm-`));
  await verifyData();
  await stratis("filesystem", "destroy", POOL, "fs");
  await stratis("pool", "destroy", POOL);
  await leave("first", "second");
});
