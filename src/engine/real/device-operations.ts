/** Bringing block devices into pools (engine.md §15, §17.3; on-disk-format.md §7.2). */
import { initializeDevice, readStaticHeader, wipeStaticHeader } from "../../disk/bda";
import {
  DEFAULT_MDA_SIZE,
  DEFAULT_RESERVED_SIZE,
  SIGBLOCK_FLAG,
  type StaticHeader,
} from "../../disk/static-header";
import { isNativeError } from "../../native";
import { logger } from "../../log";
import { newDevUuid, type DevUuid, type PoolUuid } from "../../uuid";
import type { SetCreateAction } from "../actions";
import type { PoolProperty } from "../engine";
import { ChainedError, EngineError } from "../errors";
import type { UndoStack } from "../undo";
import { withUndo } from "../undo";
import { validatePaths, type IntegritySpec } from "../validation";
import { deviceInUse, newDeviceRecord, totalSize } from "./backstore/allocation";
import { RealBlockDev, withBlockFile } from "./blockdev";
import type { PoolCore } from "./core";
import {
  examineRequested,
  requireNotInOtherPools,
  requireUniformSectorSizes,
  type RequestedDevice,
} from "./discovery/requested";
import { inErrorMode, withErrorMode } from "./thinpool/extension";

const log = logger("stratisd::engine::devices");

/** Devices that some operation is writing headers to: a second operation on one of them is refused. */
const beingInitialized = new Set<string>();

/** Some operation of this daemon is making the device a member of a pool: what is on it is not to be judged now. */
export const isClaimed = (path: string): boolean => beingInitialized.has(path);

/** Claims devices for the time of `work`, within this daemon. */
export async function claimDevices<T>(
  devices: readonly RequestedDevice[],
  work: () => Promise<T>,
): Promise<T> {
  const paths = devices.map((device) => device.path);
  const taken = paths.filter((path) => beingInitialized.has(path));
  if (taken.length > 0)
    throw new EngineError(`${taken.join(", ")} is being initialized by another operation`);
  for (const path of paths) beingInitialized.add(path);
  try {
    return await work();
  } finally {
    for (const path of paths) beingInitialized.delete(path);
  }
}

/**
 * Makes a device a member of `pool`: metadata areas and static header, flagged as not committed yet. On failure, and
 * when `undo` runs, the header is wiped again.
 */
export async function initializeMember(
  device: RequestedDevice,
  pool: PoolUuid,
  integrity: IntegritySpec,
  undo: UndoStack,
): Promise<RealBlockDev> {
  const header: StaticHeader = {
    deviceSize: device.size,
    version: 2,
    poolUuid: pool,
    devUuid: newDevUuid(),
    mdaSize: DEFAULT_MDA_SIZE,
    reservedSize: DEFAULT_RESERVED_SIZE,
    flags: SIGBLOCK_FLAG.creating,
    initializationTime: BigInt(Math.floor(Date.now() / 1000)),
  };
  // Before anything is written: a device too small for its reservation is refused here.
  const record = newDeviceRecord(header, integrity, device.hardwareInfo);
  try {
    await withBlockFile(device.path, { write: true, exclusive: true }, async (file) => {
      if ((await readStaticHeader(file)) !== null)
        throw new EngineError(`${device.path} has been given to a pool meanwhile`);
      undo.push(`wipe ${device.path}`, () =>
        withBlockFile(device.path, { write: true }, async (wiped) => {
          await wipeStaticHeader(wiped);
        }),
      );
      await initializeDevice(file, header);
    });
  } catch (error) {
    if (isNativeError(error) && error.code === "EBUSY")
      throw new EngineError(
        `${device.path} is in use: it was mounted, or is held by another device or program`,
      );
    throw new ChainedError(`Failed to initialize ${device.path} for pool ${pool}`, error);
  }
  return new RealBlockDev(device.path, device.number, device.sectorSizes, header, record);
}

/** Devices of a committed pool lose the mark of an unfinished operation. A crash before it is made up for at set-up. */
export async function confirmMembers(devices: readonly RealBlockDev[]): Promise<void> {
  for (const device of devices) await device.writeFlags(0n);
}

function requireSameSectorSizes(core: PoolCore, devices: readonly RequestedDevice[]): void {
  const members = core.dataDevices();
  const used = members.filter((device) => deviceInUse(core.record, device.uuid));
  const sizes = (used.length > 0 ? used : members).map((device) => device.sectorSizes);
  const logical = Math.max(...sizes.map((size) => size.logical));
  const physical = Math.max(...sizes.map((size) => size.physical));
  for (const { path, sectorSizes } of devices)
    if (sectorSizes.logical !== logical || sectorSizes.physical !== physical)
      throw new EngineError(
        `${path} has sector sizes ${sectorSizes.logical} (logical) and ${sectorSizes.physical} (physical) bytes, where ` +
          `the data devices of pool "${core.name}" have ${logical} and ${physical} bytes`,
      );
}

/**
 * Adds data devices. Nothing of device-mapper changes: the next check extends the thin pool into the new space. A
 * pool that had run full waits for space again, because there is some.
 */
export async function addDataDevices(
  core: PoolCore,
  paths: string[],
): Promise<SetCreateAction<DevUuid> & { changed: PoolProperty[] }> {
  validatePaths(paths);
  const requested = await examineRequested(paths);
  requireNotInOtherPools(requested, core.uuid);
  for (const device of requested.owned)
    if (device.header !== null && !core.devices.has(device.header.devUuid))
      throw new EngineError(
        `${device.path} claims to be device ${device.header.devUuid} of pool "${core.name}", which the pool does not know`,
      );
  if (requested.unowned.length === 0) return { created: [], changed: [] };
  requireUniformSectorSizes(requested.unowned);
  requireSameSectorSizes(core, requested.unowned);
  const { integrity } = core.record.dataTier;
  if (integrity === null)
    throw new EngineError(`Pool "${core.name}" has no integrity specification in its metadata`);
  return await claimDevices(requested.unowned, async () => {
    const before = { size: totalSize(core.record, core.headers), full: inErrorMode(core.record) };
    const added = await withUndo((undo) => initializeAndRecord(core, requested.unowned, integrity, undo));
    core.outOfMetadataSpace = false;
    if (before.full)
      await core.reshape(withErrorMode(core.record, false), "waits for space again when it is full");
    const changed: PoolProperty[] = ["allocatedSize", "totalPhysicalUsed"];
    if (totalSize(core.record, core.headers) !== before.size) changed.unshift("totalPhysicalSize");
    if (before.full) changed.push("noAllocSpace");
    log.info(`Pool "${core.name}" got ${added.map((device) => device.physicalPath).join(", ")}`);
    return { created: added.map((device) => device.uuid), changed };
  });
}

async function initializeAndRecord(
  core: PoolCore,
  devices: readonly RequestedDevice[],
  integrity: IntegritySpec,
  undo: UndoStack,
): Promise<RealBlockDev[]> {
  const added: RealBlockDev[] = [];
  for (const device of devices) {
    const member = await initializeMember(device, core.uuid, integrity, undo);
    added.push(member);
    core.devices.set(member.uuid, member);
    undo.push(`forget ${member.physicalPath}`, () => {
      core.devices.delete(member.uuid);
      return Promise.resolve();
    });
  }
  const { record } = core;
  const { dataTier } = record;
  await core.save({
    ...record,
    dataTier: { ...dataTier, devices: [...dataTier.devices, ...added.map((member) => member.record)] },
  });
  // From here on the devices belong to the pool, whatever happens.
  undo.commit();
  await confirmMembers(added);
  return added;
}
