/** Making block devices members of a pool, and what is asked of devices for that (engine.md §15, §17; on-disk-format.md §7.2). */
import { initializeDevice, readStaticHeader, wipeStaticHeader } from "../../disk/bda";
import type { DeviceRecord } from "../../disk/pool-record";
import {
  DEFAULT_MDA_SIZE,
  DEFAULT_RESERVED_SIZE,
  SIGBLOCK_FLAG,
  type StaticHeader,
} from "../../disk/static-header";
import { isNativeError } from "../../native";
import { newDevUuid, type PoolUuid } from "../../uuid";
import type { BlockDevTier } from "../engine";
import { ChainedError, EngineError } from "../errors";
import type { UndoStack } from "../undo";
import { validatePaths } from "../validation";
import { deviceInUse } from "./backstore/allocation";
import { RealBlockDev, withBlockFile, type SectorSizes } from "./blockdev";
import type { PoolCore } from "./core";
import {
  examineRequested,
  requireNotInOtherPools,
  type RequestedDevice,
  type RequestedDevices,
} from "./discovery/requested";
import { requestUdevChange } from "./uevent";

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

/** What a device becomes a member of. */
export interface Membership {
  pool: PoolUuid;
  version: 1 | 2;
  tier: BlockDevTier;
  /**
   * The header says that the pool's record decides whether the device is a member, which a daemon acts on. Not for who
   * works beside a running daemon.
   */
  marked: boolean;
  /** The device's part of the pool's record. Throws for a device that is too small, before anything is written. */
  record: (header: StaticHeader, hardwareInfo: string | null) => DeviceRecord;
}

/**
 * Makes a device a member of a pool: metadata areas and static header, flagged as not committed yet. On failure, and
 * when `undo` runs, the header is wiped again.
 */
export async function initializeMember(
  device: RequestedDevice,
  { pool, version, tier, marked, record: recordFor }: Membership,
  undo: UndoStack,
): Promise<RealBlockDev> {
  const header: StaticHeader = {
    deviceSize: device.size,
    version,
    poolUuid: pool,
    devUuid: newDevUuid(),
    mdaSize: DEFAULT_MDA_SIZE,
    reservedSize: DEFAULT_RESERVED_SIZE,
    flags: marked ? SIGBLOCK_FLAG.creating : 0n,
    initializationTime: BigInt(Math.floor(Date.now() / 1000)),
  };
  const record = recordFor(header, device.hardwareInfo);
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
  return new RealBlockDev(device.path, device.number, device.sectorSizes, header, record, tier);
}

/** Makes devices members of a running pool, in memory too. The pool's record is the caller's to save. */
export async function addMembers(
  core: PoolCore,
  devices: readonly RequestedDevice[],
  membership: Pick<Membership, "tier" | "record">,
  undo: UndoStack,
): Promise<RealBlockDev[]> {
  const added: RealBlockDev[] = [];
  for (const device of devices) {
    const member = await initializeMember(
      device,
      { pool: core.uuid, version: core.version, marked: true, ...membership },
      undo,
    );
    added.push(member);
    core.addDevice(member, undo);
  }
  return added;
}

/** The devices of a request to change one tier of a running pool: none of another pool, none of the other tier. */
export async function examineForTier(
  core: PoolCore,
  paths: string[],
  tier: BlockDevTier,
): Promise<RequestedDevices> {
  validatePaths(paths);
  const requested = await examineRequested(paths);
  requireNotInOtherPools(requested, core.uuid);
  requireInTier(core, requested.owned, tier);
  return requested;
}

/** Devices of a committed pool lose the mark of an unfinished operation. A crash before it is made up for at set-up. */
export async function confirmMembers(devices: readonly RealBlockDev[]): Promise<void> {
  for (const device of devices) {
    await device.writeFlags(0n);
    await requestUdevChange(device.number);
  }
}

/** Sector sizes that count for a tier: the largest of its devices in use, or of all while none is. */
export function tierSectorSizes(core: PoolCore, members: readonly RealBlockDev[]): SectorSizes {
  const used = members.filter((device) => deviceInUse(core.record, device.uuid));
  const sizes = (used.length > 0 ? used : members).map((device) => device.sectorSizes);
  return {
    logical: Math.max(...sizes.map((size) => size.logical)),
    physical: Math.max(...sizes.map((size) => size.physical)),
  };
}

/** Devices that carry the pool's UUID must be known to it, in the tier that they are named for. */
function requireInTier(core: PoolCore, owned: readonly RequestedDevice[], tier: BlockDevTier): void {
  for (const { path, header } of owned) {
    if (header === null) continue;
    const member = core.devices.get(header.devUuid);
    if (member === undefined)
      throw new EngineError(
        `${path} claims to be device ${header.devUuid} of pool "${core.name}", which the pool does not know`,
      );
    if (member.tier !== tier)
      throw new EngineError(
        `${path} belongs to the ${member.tier} tier of pool "${core.name}" already; it can't be added to the ${tier} tier`,
      );
  }
}

/** New devices must have the sector sizes of the tier that they are added to. */
export function requireSectorSizesOf(
  core: PoolCore,
  tier: BlockDevTier,
  devices: readonly RequestedDevice[],
): void {
  const members = [...core.devices.values()].filter((member) => member.tier === tier);
  const { logical, physical } = tierSectorSizes(core, members);
  for (const { path, sectorSizes } of devices)
    if (sectorSizes.logical !== logical || sectorSizes.physical !== physical)
      throw new EngineError(
        `${path} has sector sizes ${sectorSizes.logical} (logical) and ${sectorSizes.physical} (physical) bytes, where ` +
          `the ${tier} devices of pool "${core.name}" have ${logical} and ${physical} bytes`,
      );
}
