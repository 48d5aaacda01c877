/** What kernel.test.ts runs beside a kernel that only has device-mapper, and that in memory. Results are fit for JSON. */
import { mkdir, rmdir } from "node:fs/promises";
import { readMetadata } from "../../../../src/disk/bda";
import type { FilesystemRecord } from "../../../../src/disk/filesystem-record";
import { parsePoolRecord } from "../../../../src/disk/pool-record";
import type { DeviceNumber } from "../../../../src/dm/device-number";
import * as names from "../../../../src/dm/names";
import { createDmDevice, listDmDevices, tableText } from "../../../../src/dm/operations";
import { allocateFromCap, encryptedRecord } from "../../../../src/engine/real/backstore/allocation";
import { LAYOUTS } from "../../../../src/engine/real/backstore/layout";
import { PoolCore } from "../../../../src/engine/real/core";
import { cleanUp } from "../../../../src/engine/real/discovery/clean-up";
import { LiminalPools, type LiminalPool } from "../../../../src/engine/real/discovery/liminal";
import { trySetUp, type SetUpOptions } from "../../../../src/engine/real/discovery/setup";
import { RealFilesystem } from "../../../../src/engine/real/filesystem";
import { destroyFilesystems } from "../../../../src/engine/real/filesystem-operations";
import { setUpFilesystems } from "../../../../src/engine/real/filesystem-setup";
import { FilesystemRecords } from "../../../../src/engine/real/thinpool/records";
import { DATA_LOW_WATER, PoolStack } from "../../../../src/engine/real/thinpool/stack";
import { ThinDevices } from "../../../../src/engine/real/thinpool/thin-devices";
import { LinkNotifier } from "../../../../src/engine/real/uevent";
import { EngineError } from "../../../../src/engine/errors";
import { NamedTable } from "../../../../src/engine/table";
import { UndoStack, withUndo } from "../../../../src/engine/undo";
import { native } from "../../../../src/native";
import { sectors } from "../../../../src/units";
import { newFilesystemUuid, newPoolUuid, simpleUuid, type FilesystemUuid } from "../../../../src/uuid";
import { makePool, onImage, saveOn, type ImageDevice, type ImagePool } from "./images";

const LINKS = new LinkNotifier();
const OPTIONS: SetUpOptions = {
  start: false,
  allSeen: true,
  unlock: { method: null, passphrase: null },
  claimName: () => undefined,
};

function liminalOf({ uuid, devices }: ImagePool, numbers?: DeviceNumber): LiminalPool {
  const pools = new LiminalPools();
  for (const { path, header, number } of devices)
    pools.add({
      ...{ path, header, number: numbers ?? number, size: header.deviceSize },
      sectorSizes: { logical: 512, physical: 512 },
    });
  const pool = pools.get(uuid);
  if (pool === undefined) throw new Error("the pool has no devices");
  return pool;
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Tables of all devices, by name without its uuids, and whether any is suspended. */
async function tables(): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of (await listDmDevices()).keys()) {
    const { device } = await native().dmCall({ op: "info", name });
    const { targets } = await native().dmCall({ op: "table", name });
    const state = device?.suspended === true ? " (suspended)" : "";
    found[name.replace(/[0-9a-f]{32}-/g, "")] = tableText(targets ?? []) + state;
  }
  return found;
}

async function lastRecordOf({ path, header }: ImageDevice): Promise<{ started: boolean | null }> {
  const { newest } = await onImage(path, (file) => readMetadata(file, header));
  return { started: newest === null ? null : (parsePoolRecord(newest.json).started ?? null) };
}

/** A cache is put into a pool of one version; the kernel refuses the first time, and takes it the second. */
export async function cacheRefusedOnce(folder: string, version: 1 | 2) {
  const { uuid, record: to, devices } = await makePool(folder, "p", { cache: 1, version });
  const from = { ...to, cacheTier: null };
  const undo = new UndoStack();
  const stack = new PoolStack(uuid, new Map(devices.map((it) => [it.header.devUuid, it])), LAYOUTS[version]);
  const below = await stack.backstore.ensure(from, undo);
  const mdv = await stack.ensureMdv(from, below, undo);
  const thinMeta = await stack.ensureThinMeta(from, below, undo);
  const thinData = await stack.ensureThinData(from, below, undo);
  const thinPool = await stack.ensureThinPool(from, { thinMeta, thinData }, DATA_LOW_WATER, undo);
  const numbers = { ...below, mdv, thinMeta, thinData, thinPool };
  const before = await tables();
  const refusal = await stack.reshape(from, to, numbers, null).then(() => "none", textOf);
  const after = await tables();
  const put = await stack.reshape(from, to, numbers, null);
  return { refusal, before, after, cached: put.cache !== null, end: await tables() };
}

/** An encrypted pool grows; the encrypted device is refused its new size, or what is above it is. */
export async function growthRefused(folder: string, refuseCrypt: boolean) {
  const { uuid, record, devices: own } = await makePool(folder, "p");
  const added = await makePool(folder, "added");
  const devices = [...own, ...added.devices];
  const headers = new Map(devices.map(({ header }) => [header.devUuid, header]));
  const members = [...record.dataTier.devices, ...added.record.dataTier.devices];
  const from = { ...record, dataTier: { ...record.dataTier, devices: members } };
  const planned = allocateFromCap(from, headers, [sectors(2048n)]);
  if (planned === null) throw new Error("there is no space left to grow into");
  const { thinData } = from.flexDevices;
  const to = {
    ...planned.record,
    flexDevices: { ...from.flexDevices, thinData: [...thinData, ...planned.ranges] },
  };
  const undo = new UndoStack();
  const stack = new PoolStack(uuid, new Map(devices.map((it) => [it.header.devUuid, it])), LAYOUTS[2]);
  const below = await stack.backstore.ensure(from, undo);
  const thinMeta = await stack.ensureThinMeta(from, below, undo);
  const thinDataNumber = await stack.ensureThinData(from, below, undo);
  const numbers = {
    ...below,
    ...{ thinMeta, thinData: thinDataNumber, mdv: await stack.ensureMdv(from, below, undo) },
    thinPool: await stack.ensureThinPool(from, { thinMeta, thinData: thinDataNumber }, DATA_LOW_WATER, undo),
  };
  const sizes: string[] = [];
  const crypt = {
    resize: async (): Promise<void> => {
      if (refuseCrypt) throw new EngineError("there is no volume key");
      const found = await tables();
      sizes.push(found["stratis-1-private-physical-cache"]?.split(" ")[1] ?? "");
    },
  };
  const before = await tables();
  const refusal = await stack.reshape(from, to, numbers, crypt).then(() => "none", textOf);
  const after = await tables();
  return { refusal, before, after, sizes: sizes.map(BigInt).map((size, _, [first]) => size === first) };
}

/** An encrypted pool that nobody unlocks. */
export async function lockedAtBoot(folder: string) {
  const pool = await makePool(folder, "p", { started: true });
  await saveOn(pool.devices, encryptedRecord(pool.record), 2n);
  const liminal = liminalOf(pool);
  const { outcome } = await trySetUp(liminal, LINKS, OPTIONS);
  const { reason, features, partiallyConstructed } = liminal;
  return { outcome, reason, features, partiallyConstructed };
}

/** A pool that is partly up, and whose record says that it runs, is asked to stop. */
export async function cleanedUp(folder: string, without: number) {
  const pool = await makePool(folder, "p", { data: 2, started: true });
  const { uuid, devices } = pool;
  for (const name of [names.physicalOriginsub(uuid), names.flexThinData(uuid), names.thinPool(uuid)])
    await createDmDevice({
      ...{ name, udevFlags: 0 },
      table: [{ start: 0n, length: 8n, type: "linear", params: "8:1 0" }],
    });
  const liminal = liminalOf({ ...pool, devices: devices.slice(without) });
  liminal.partiallyConstructed = true;
  await cleanUp(liminal);
  // What the next event of a device does.
  const { outcome } = await trySetUp(liminal, LINKS, OPTIONS);
  const { partiallyConstructed, reason } = liminal;
  const records = await Promise.all(devices.map(lastRecordOf));
  const started = records.map((record) => record.started);
  return { left: await tables(), partiallyConstructed, outcome, reason, started };
}

/** The inside of an encrypted V1 device has been found, and not yet the device itself. */
export async function openWithoutContainer(folder: string) {
  const pool = await makePool(folder, "p", { version: 1, started: true });
  const [device] = pool.devices;
  if (device === undefined) throw new Error("the pool has no device");
  const name = names.v1Crypt(device.header.devUuid);
  const number = await createDmDevice({
    ...{ name, udevFlags: 0 },
    table: [{ start: 0n, length: 8n, type: "linear", params: "8:1 0" }],
  });
  const inside = liminalOf(pool, number);
  const first = await trySetUp(inside, LINKS, OPTIONS);
  return { outcome: first.outcome, reason: inside.reason, left: Object.keys(await tables()) };
}

const filesystem = (
  name: string,
  thinId: number,
  origin: FilesystemUuid | null = null,
  merge = false,
): FilesystemRecord => ({
  ...{ name, thinId, origin, merge, uuid: newFilesystemUuid() },
  ...{ size: sectors(1048576n), created: 1n, sizeLimit: null },
});

/** A snapshot whose XFS can't be given a UUID: the device that is to be mounted does not exist. */
export async function snapshotFails() {
  const thin = await thinPool();
  const origin = filesystem("origin", 0);
  await thin.ensure(origin);
  const before = await tables();
  const failure = await withUndo((undo) =>
    thin.snapshot(origin, filesystem("snap", 1, origin.uuid), undo),
  ).then(() => "none", textOf);
  return { failure, same: JSON.stringify(before) === JSON.stringify(await tables()) };
}

async function thinPool(): Promise<ThinDevices> {
  const uuid = newPoolUuid();
  const device = await createDmDevice({
    ...{ name: names.thinPool(uuid), udevFlags: 0 },
    table: [{ start: 0n, length: 8n, type: "thin-pool", params: "253:1 253:2 2048 0" }],
  });
  return new ThinDevices(uuid, device);
}

export interface SetUp {
  /** Name to thin id of the live device. */
  live: Record<string, number>;
  unusable: string[];
  records: { name: string; thinId: number; origin: string | null; merge: boolean }[];
}

/** Filesystems of a pool are set up with these records. */
async function setUpWith(folder: string, records: FilesystemRecord[]): Promise<SetUp> {
  const thin = await thinPool();
  const mdv = new FilesystemRecords(`${folder}/records`);
  await mdv.prepare();
  for (const record of records) await mdv.save(record);
  const filesystems = new NamedTable<FilesystemUuid, RealFilesystem>();
  const unusable: FilesystemRecord[] = [];
  const core = { uuid: thin.pool, name: "p", thin, mdv, filesystems, unusable } as unknown as PoolCore;
  await setUpFilesystems(core, await mdv.readAll());
  const live: Record<string, number> = {};
  for (const { uuid, name } of filesystems.values()) {
    const { targets } = await native().dmCall({ op: "table", name: names.thinFilesystem(thin.pool, uuid) });
    live[name] = Number(targets?.[0]?.params.split(" ")[1]);
  }
  const nameOf = (uuid: string | null): string | null =>
    records.find((record) => record.uuid === uuid)?.name ?? uuid;
  return {
    live,
    unusable: unusable.map(({ name }) => name).sort(),
    records: (await mdv.readAll())
      .map(({ name, thinId, origin, merge }) => ({ name, thinId, origin: nameOf(origin), merge }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

/** A scheduled revert whose first step fails, because the snapshot's device can't be opened. */
export function revertCannotBegin(folder: string): Promise<SetUp> {
  const origin = filesystem("origin", 0);
  return setUpWith(folder, [origin, filesystem("snap", 1, origin.uuid, true)]);
}

/** One that was interrupted after it was recorded, with a snapshot of the snapshot. */
export function revertGoesOn(folder: string): Promise<SetUp> {
  const origin = filesystem("origin", 1);
  const snap = filesystem("snap", 1, origin.uuid, true);
  return setUpWith(folder, [origin, snap, filesystem("second", 2, snap.uuid)]);
}

/** The same, when another revert to the same origin was scheduled: none of the two is carried out. */
export function revertIsHeldUp(folder: string): Promise<SetUp> {
  const origin = filesystem("origin", 1);
  return setUpWith(folder, [
    origin,
    filesystem("snap", 1, origin.uuid, true),
    filesystem("other", 3, origin.uuid, true),
  ]);
}

/** Two filesystems are to be destroyed, and the second can't be, because its snapshot can't be recorded. */
export async function destroyedPartly(folder: string) {
  const thin = await thinPool();
  const mdv = new FilesystemRecords(`${folder}/records`);
  await mdv.prepare();
  const [a, b] = [filesystem("a", 0), filesystem("b", 1)];
  const snapshots = [filesystem("s", 2, a.uuid), filesystem("t", 3, b.uuid)];
  const filesystems = new NamedTable<FilesystemUuid, RealFilesystem>();
  for (const record of [a, b, ...snapshots]) {
    await mdv.save(record);
    filesystems.insert(new RealFilesystem(record, await thin.ensure(record), () => "p"));
  }
  const core = Object.create(PoolCore.prototype, { name: { value: "p" } }) as PoolCore;
  Object.assign(core, { uuid: thin.pool, thin, mdv, filesystems, unusable: [], links: LINKS });
  // Where the snapshot's record would be written first.
  const blocked = `${mdv.folder}/${simpleUuid(snapshots[1]?.uuid ?? a.uuid)}.temp`;
  await mkdir(blocked);
  const failure = await destroyFilesystems(core, [a.uuid, b.uuid]).then(() => "none", textOf);
  const nameOf = (uuid: string | null): string | null =>
    [a, b].find((record) => record.uuid === uuid)?.name ?? uuid;
  const left = [...filesystems.values()].map(({ name, origin }) => `${name} of ${nameOf(origin) ?? "none"}`);
  await rmdir(blocked);
  const again = await destroyFilesystems(core, [b.uuid]);
  return {
    failure,
    left,
    live: Object.keys(await tables()).filter((name) => name.includes("thin-fs")).length,
    again: [again.deleted.length, again.updated.length],
    records: (await mdv.readAll()).map(({ name, origin }) => `${name} of ${origin ?? "none"}`).sort(),
  };
}

/** Two records of one thin device that have nothing to do with each other. */
export function twins(folder: string): Promise<SetUp> {
  return setUpWith(folder, [filesystem("a", 4), filesystem("b", 4), filesystem("c", 5)]);
}
