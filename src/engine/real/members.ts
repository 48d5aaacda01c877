/** Making block devices members of a pool, and what is asked of devices for that (engine.md §15, §17; on-disk-format.md §7.2). */
import { initializeDevice, readStaticHeader, wipeStaticHeader } from "../../disk/bda";
import type { DeviceRecord } from "../../disk/pool-record";
import {
  DEFAULT_MDA_SIZE,
  DEFAULT_RESERVED_SIZE,
  SIGBLOCK_FLAG,
  type StaticHeader,
} from "../../disk/static-header";
import type { DeviceNumber } from "../../dm/device-number";
import { dmPath } from "../../dm/operations";
import { logger } from "../../log";
import { isNativeError, type BlockFile } from "../../native";
import { bytes, bytesToSectors, sumSectors, type Sectors } from "../../units";
import { newDevUuid, type DevUuid, type PoolUuid } from "../../uuid";
import type { BlockDevTier } from "../engine";
import { ChainedError, EngineError, errorText } from "../errors";
import type { UndoStack } from "../undo";
import { validatePaths } from "../validation";
import { deviceInUse } from "./backstore/allocation";
import { metadataAreaSize } from "./backstore/metadata-area";
import { sectorSizesOf, withBlockFile, type SectorSizes } from "./block-file";
import { RealBlockDev } from "./blockdev";
import type { PoolCore } from "./core";
import { DeviceCrypt } from "./crypt/device-crypt";
import { INCONSISTENT_INFO, legacyInfo, legacyRequest } from "./crypt/legacy-info";
import type { AcceptedRequest } from "./crypt/request";
import {
  examineRequested,
  requireNothingForeign,
  requireNotInOtherPools,
  type RequestedDevice,
  type RequestedDevices,
} from "./discovery/requested";
import { requestUdevChange } from "./uevent";

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

/** How the devices of an encrypted V1 pool are encrypted. */
export interface MemberEncryption {
  poolName: string;
  request: AcceptedRequest;
  /** Of the mappings that the pool has already, bytes; null for a new pool. */
  sectorSize: number | null;
}

/** What a device becomes a member of. */
export interface Membership {
  pool: PoolUuid;
  version: 1 | 2;
  tier: BlockDevTier;
  /**
   * The mark of SIGBLOCK_FLAG that the header carries until the pool's record names the device, which a daemon acts on.
   * 0 for who works beside a running daemon.
   */
  mark: bigint;
  /** Of the metadata area. */
  mdaSize: Sectors;
  /** Of an encrypted V1 pool, whose devices are encrypted one by one; null for any other pool. */
  encryption: MemberEncryption | null;
  /** The device's part of the pool's record. Throws for a device that is too small, before anything is written. */
  record: (header: StaticHeader, hardwareInfo: string | null) => DeviceRecord;
}

/** Where the Stratis metadata of a new member goes. */
interface Place {
  path: string;
  number: DeviceNumber;
  size: Sectors;
  sectorSizes: SectorSizes;
  crypt: DeviceCrypt | null;
}

/** Encrypts the device, which `undo` takes back. Throws when somebody has or uses it. */
async function encryptMember(
  device: RequestedDevice,
  pool: PoolUuid,
  uuid: DevUuid,
  { poolName, request, sectorSize }: MemberEncryption,
  undo: UndoStack,
): Promise<Place> {
  await withBlockFile(device.path, { exclusive: true }, (file) => requireBlank(file, device.path));
  const token = { poolUuid: pool, devUuid: uuid, poolName };
  const crypt = await DeviceCrypt.create(device, token, request, sectorSize);
  undo.push(`wipe the LUKS2 header of ${device.path}`, () => crypt.wipe());
  const number = await crypt.requireMapping();
  const path = dmPath(number);
  const info = await withBlockFile(path, {}, (file) => file.info());
  return {
    path,
    number,
    size: bytesToSectors(bytes(info.size)),
    sectorSizes: sectorSizesOf(info),
    crypt,
  };
}

/** Once more, because somebody may have come since the device was examined; `file` keeps others out. */
async function requireBlank(file: BlockFile, path: string): Promise<void> {
  if ((await readStaticHeader(file)) !== null)
    throw new EngineError(`${path} has been given to a pool meanwhile`);
  await requireNothingForeign(path);
}

/**
 * Makes a device a member of a pool: metadata areas and static header, flagged as not committed yet. On failure, and
 * when `undo` runs, the header is wiped again.
 */
export async function initializeMember(
  device: RequestedDevice,
  { pool, version, tier, mark, encryption, mdaSize, record: recordFor }: Membership,
  undo: UndoStack,
): Promise<RealBlockDev> {
  const devUuid = newDevUuid();
  try {
    const place =
      encryption === null
        ? { ...device, crypt: null }
        : await encryptMember(device, pool, devUuid, encryption, undo);
    const header: StaticHeader = {
      deviceSize: place.size,
      version,
      poolUuid: pool,
      devUuid,
      mdaSize,
      reservedSize: DEFAULT_RESERVED_SIZE,
      flags: mark,
      initializationTime: BigInt(Math.floor(Date.now() / 1000)),
    };
    const record = recordFor(header, encryption === null ? device.hardwareInfo : null);
    await writeMember(place, header, undo);
    const { path, number, sectorSizes, crypt } = place;
    return new RealBlockDev(path, number, sectorSizes, header, record, tier, crypt);
  } catch (error) {
    if (isNativeError(error) && error.code === "EBUSY")
      throw new EngineError(
        `${device.path} is in use: it was mounted, or is held by another device or program`,
      );
    throw new ChainedError(`Failed to initialize ${device.path} for pool ${pool}`, error);
  }
}

async function writeMember({ path, crypt }: Place, header: StaticHeader, undo: UndoStack): Promise<void> {
  await withBlockFile(path, { write: true, exclusive: true }, async (file) => {
    // What was on the disk means nothing inside a mapping that was just made.
    if (crypt === null) await requireBlank(file, path);
    undo.push(`wipe ${path}`, () =>
      withBlockFile(path, { write: true }, async (wiped) => {
        await wipeStaticHeader(wiped);
      }),
    );
    await initializeDevice(file, header);
  });
}

const sizesOf = (devices: readonly RequestedDevice[]): Sectors[] => devices.map(({ size }) => size);
const areaOf = (sizes: Sectors[]): Sectors => metadataAreaSize(sizes.length, sumSectors(sizes));

/** Of the data devices of a new pool. */
export const initialAreaSize = (devices: readonly RequestedDevice[]): Sectors => areaOf(sizesOf(devices));

/** Makes devices members of a running pool, in memory too. The pool's record is the caller's to save. */
export async function addMembers(
  core: PoolCore,
  devices: readonly RequestedDevice[],
  membership: Pick<Membership, "tier" | "record">,
  undo: UndoStack,
): Promise<RealBlockDev[]> {
  const added: RealBlockDev[] = [];
  const encryption = await encryptionFor(core);
  const mdaSize = areaOf([...core.dataDevices().map(({ header }) => header.deviceSize), ...sizesOf(devices)]);
  for (const device of devices) {
    const member = await initializeMember(
      device,
      {
        ...{ pool: core.uuid, version: core.version, mark: SIGBLOCK_FLAG.joining, encryption },
        // No record is saved on a cache device.
        mdaSize: membership.tier === "cache" ? DEFAULT_MDA_SIZE : mdaSize,
        ...membership,
      },
      undo,
    );
    added.push(member);
    core.addDevice(member, undo);
  }
  return added;
}

/** How new devices of the pool are encrypted: as those that it has, and only while these can be opened. */
async function encryptionFor(core: PoolCore): Promise<MemberEncryption | null> {
  const [first] = core.deviceCrypts();
  if (first === undefined) return null;
  const request = legacyRequest(legacyInfo(core.deviceCrypts()));
  if (request === null) throw new EngineError(INCONSISTENT_INFO);
  try {
    for (const token of first.tokens) await first.requireOpens(token);
  } catch (error) {
    throw new ChainedError(
      "Either the key in the kernel keyring, Clevis, or both could not be used to perform encryption operations on the " +
        "devices in the pool",
      error,
    );
  }
  const sizes = core.dataDevices().map(({ openSectorSizes }) => openSectorSizes.logical);
  return { poolName: core.name, request, sectorSize: Math.max(...sizes) };
}

/** The devices of a request to change one tier of a running pool: none of another pool, none of the other tier. */
export async function examineForTier(
  core: PoolCore,
  paths: string[],
  tier: BlockDevTier,
): Promise<RequestedDevices> {
  validatePaths(paths);
  const requested = await examineRequested(paths, "takenOnce");
  requireNotInOtherPools(requested, core.uuid);
  requireInTier(core, requested.owned, tier);
  return requested;
}

/** Devices of a committed pool lose the mark of an unfinished operation. A crash before it is made up for at set-up. */
export async function confirmMembers(devices: readonly RealBlockDev[]): Promise<void> {
  for (const device of devices) {
    await device.writeFlags(0n);
    requestUdevChange(device.number);
    if (device.crypt !== null) requestUdevChange(device.crypt.number);
  }
}

/** The same for an operation that is done but for that, and that has succeeded even if it fails: the next set-up does it. */
export async function confirmAdded(pool: string, devices: readonly RealBlockDev[]): Promise<void> {
  try {
    await confirmMembers(devices);
  } catch (error) {
    log.warn(
      `Devices of pool "${pool}" carry the mark of an unfinished operation still, though it is finished: ${errorText(error)}`,
    );
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
