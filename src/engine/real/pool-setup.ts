/**
 * Setting up a pool from its devices: after a boot, or over what a previous daemon left running (devicemapper.md
 * §2.8). A failure removes what was made here, and touches nothing that was live before.
 */
import { checkPoolRecord, type PoolRecord } from "../../disk/pool-record";
import type { Timestamp } from "../../disk/mda";
import type { FilesystemRecord } from "../../disk/filesystem-record";
import { dmPath } from "../../dm/operations";
import { logger } from "../../log";
import type { DevUuid, FilesystemUuid, PoolUuid } from "../../uuid";
import { errorText } from "../errors";
import { withUndo, type UndoStack } from "../undo";
import { deviceAllocator, deviceInUse } from "./backstore/allocation";
import { MetadataStore } from "./backstore/metadata-store";
import type { RealBlockDev } from "./blockdev";
import { PoolCore } from "./core";
import { confirmMembers } from "./device-operations";
import { RealFilesystem } from "./filesystem";
import { MetadataVolume } from "./thinpool/mdv";
import { DATA_LOW_WATER, PoolStack } from "./thinpool/stack";
import { inErrorMode, withErrorMode } from "./thinpool/extension";
import { ThinDevices } from "./thinpool/thin-devices";
import type { LinkNotifier } from "./uevent";

const log = logger("stratisd::engine::setup");

export interface FoundPool {
  uuid: PoolUuid;
  record: PoolRecord;
  /** Of the copy that `record` was read from. */
  time: Timestamp;
  /** Exactly the devices that the record names. */
  devices: Map<DevUuid, RealBlockDev>;
}

export async function setUpPool(found: FoundPool, links: LinkNotifier): Promise<PoolCore> {
  checkPoolRecord(found.record, 2);
  const headers = new Map([...found.devices].map(([uuid, device]) => [uuid, device.header]));
  // Throws for segments that overlap or reach beyond their device.
  for (const device of found.record.dataTier.devices) deviceAllocator(found.record, headers, device);
  const core = await withUndo((undo) => assemble(found, links, undo));
  await completeSetUp(core, found);
  return core;
}

async function assemble(found: FoundPool, links: LinkNotifier, undo: UndoStack): Promise<PoolCore> {
  const { uuid, devices } = found;
  const store = new MetadataStore(found.time);
  const stack = new PoolStack(uuid, devices);
  const { originsub, cap } = await stack.ensureBackstore(found.record, undo);
  const mdvDevice = await stack.ensureMdv(found.record, cap, undo);
  const mdv = await MetadataVolume.mount(uuid, dmPath(mdvDevice));
  undo.push("unmount the metadata volume", () => mdv.unmount());
  const records = await mdv.readAll();
  const { record, thinMeta } = await stack.checkedThinMeta(found.record, cap, undo, async (swapped) => {
    await store.save(
      swapped.dataTier.devices.flatMap((device) => devices.get(device.uuid) ?? []),
      swapped,
    );
  });
  const thinData = await stack.ensureThinData(record, cap, undo);
  const thinPool = await stack.ensureThinPool(record, { thinMeta, thinData }, DATA_LOW_WATER, undo);
  const core = new PoolCore({
    uuid,
    record,
    devices,
    store,
    stack,
    numbers: { originsub, cap, thinMeta, thinData, mdv: mdvDevice, thinPool },
    mdv,
    thin: new ThinDevices(uuid, thinPool),
    links,
  });
  core.availability = sectorSizesAgree(core) ? "fully_operational" : "no_pool_changes";
  await core.refreshStatus();
  await setUpFilesystems(core, records);
  return core;
}

/** Unused devices with larger sectors than the used ones would make the pool unusable once they were used. */
function sectorSizesAgree(core: PoolCore): boolean {
  const members = core.dataDevices();
  const used = members.filter((device) => deviceInUse(core.record, device.uuid));
  const largest = (key: "logical" | "physical"): number =>
    Math.max(...(used.length > 0 ? used : members.slice(0, 1)).map((device) => device.sectorSizes[key]));
  const [logical, physical] = [largest("logical"), largest("physical")];
  const unused = members.filter((device) => !used.includes(device));
  const agree = unused.every(
    ({ sectorSizes }) => sectorSizes.logical <= logical && sectorSizes.physical <= physical,
  );
  if (!agree)
    log.warn(`Pool "${core.name}" has devices of larger sector sizes than those in use; it can't be changed`);
  return agree;
}

/** A filesystem that can't be set up is left out, with its record kept; the others must not suffer for it. */
async function setUpFilesystems(core: PoolCore, records: FilesystemRecord[]): Promise<void> {
  await core.thin.sweep(records);
  for (const record of records) {
    try {
      const device = await core.thin.ensure(record);
      const filesystem = new RealFilesystem(record, device, () => core.name);
      filesystem.mapped = await core.thin.mapped(record.uuid);
      core.filesystems.insert(filesystem);
    } catch (error) {
      log.warn(`Filesystem "${record.name}" of pool "${core.name}" could not be set up: ${errorText(error)}`);
      core.unusable.push(record);
    }
  }
}

/** What comes after the pool runs: failures here are logged, and made up for at the next set-up. */
async function completeSetUp(core: PoolCore, found: FoundPool): Promise<void> {
  try {
    await mendOrigins(core);
    await modernizeRecord(core, found.record);
    await confirmMembers([...core.devices.values()].filter((device) => device.header.flags !== 0n));
  } catch (error) {
    log.warn(
      `Pool "${core.name}" runs, but its metadata could not be brought up to date: ${errorText(error)}`,
    );
  }
  await core.announceLinks();
}

/** An origin whose destruction was interrupted is nobody's origin any more. */
async function mendOrigins(core: PoolCore): Promise<void> {
  const known = new Set<FilesystemUuid>(core.allRecords().map((record) => record.uuid));
  for (const filesystem of core.filesystems.values()) {
    const { origin } = filesystem.record;
    if (origin === null || known.has(origin)) continue;
    log.warn(`The origin of filesystem "${filesystem.name}" is gone; it is recorded as having none`);
    await core.saveFilesystem(filesystem, { ...filesystem.record, origin: null, merge: false });
  }
}

/** Older versions did not record all of it; a pool that runs is recorded as started. */
async function modernizeRecord(core: PoolCore, found: PoolRecord): Promise<void> {
  const { thinPool } = found;
  const complete = thinPool.fsLimit !== null && thinPool.featureArgs !== null && found.started === true;
  if (complete || core.availability === "no_pool_changes") return;
  let record: PoolRecord = { ...core.record, started: true };
  if (thinPool.fsLimit === null) {
    const count = BigInt(core.allRecords().length);
    record = { ...record, thinPool: { ...record.thinPool, fsLimit: count > 100n ? count : 100n } };
  }
  if (thinPool.featureArgs === null && inErrorMode(record)) {
    await core.reshape(withErrorMode(record, false), "waits for space when it is full");
    return;
  }
  await core.save(record);
}
