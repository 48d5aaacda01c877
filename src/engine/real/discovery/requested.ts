/**
 * Examination of the devices that a client names: what each is, whom it belongs to, and whether it may be written to.
 * Nothing is written here, so a refused request leaves every byte as it was (engine.md §14).
 */
import { realpath, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { readStaticHeader } from "../../../disk/bda";
import type { StaticHeader } from "../../../disk/static-header";
import { deviceNumberOf, formatDeviceNumber, type DeviceNumber } from "../../../dm/device-number";
import {
  isNativeError,
  native,
  type BlkidResult,
  type BlockFileInfo,
  type UdevDevice,
} from "../../../native";
import { bytes, bytesToSectors, type Sectors } from "../../../units";
import type { PoolUuid } from "../../../uuid";
import { ChainedError, EngineError } from "../../errors";
import { withBlockFile, type SectorSizes } from "../block-file";
import { requestUdevChange } from "../uevent";
import { classify, describeContent, type Ownership } from "./classify";

const MIN_DEVICE_BYTES = 1024n ** 3n;
/** What a device can't be when there is nothing on it. */
const OWNED: ReadonlySet<Ownership> = new Set<Ownership>(["stratis", "luks", "theirs"]);
const UDEV_ATTEMPTS = 20;
const UDEV_ATTEMPT_MS = 100;

export interface RequestedDevice {
  /** Canonical. */
  path: string;
  number: DeviceNumber;
  size: Sectors;
  sectorSizes: SectorSizes;
  /** udev's ID_WWN. */
  hardwareInfo: string | null;
  /** Set when the device carries a valid Stratis header. */
  header: StaticHeader | null;
}

export interface RequestedDevices {
  owned: RequestedDevice[];
  unowned: RequestedDevice[];
}

/**
 * What a device that is named twice means: in a new pool, whose devices can't be taken out again, that another one was meant;
 * in what is added to a pool, no more than if it were named once, as with stratisd.
 */
export type NamedTwice = "refused" | "takenOnce";

async function canonicalPaths(paths: readonly string[], namedTwice: NamedTwice): Promise<string[]> {
  const canonical = new Map<string, string>();
  for (const path of paths) {
    let real: string;
    try {
      real = await realpath(path);
    } catch (error) {
      throw new ChainedError(`Unable to process specified device path "${path}"`, error);
    }
    const twin = canonical.get(real);
    if (twin !== undefined && namedTwice === "refused")
      throw new EngineError(`Device ${real} is named twice, as "${twin}" and as "${path}"`);
    canonical.set(real, path);
  }
  return [...canonical.keys()];
}

async function deviceNumber(path: string): Promise<DeviceNumber> {
  const status = await stat(path, { bigint: true });
  if (!status.isBlockDevice()) throw new EngineError(`${path} is not a block device`);
  return deviceNumberOf(status.rdev);
}

/**
 * What udev knows of the device. Its database lags behind for a moment when a device was just plugged in or wiped:
 * while it has no record, or one that speaks of content where `blank` says that there is none, it is asked again, and
 * after some time told to look again.
 */
async function udevRecord(path: string, number: DeviceNumber, blank: boolean): Promise<UdevDevice> {
  for (let attempt = 1; ; attempt += 1) {
    const device = await native().udevBlockDevice(number.major, number.minor);
    const settled = device?.initialized === true && !(blank && OWNED.has(classify(device)));
    if (settled || attempt === UDEV_ATTEMPTS) return requireUsable(path, number, device);
    if (attempt === UDEV_ATTEMPTS / 4) requestUdevChange(number);
    await sleep(UDEV_ATTEMPT_MS);
  }
}

/** Throws EngineError for what udev knows to be in use, or does not know yet. */
export function requireUsable(path: string, number: DeviceNumber, device: UdevDevice | null): UdevDevice {
  if (device?.initialized !== true)
    throw new EngineError(
      `${path} (${formatDeviceNumber(number)}) is not known to udev, or not processed by it yet`,
    );
  const ownership = classify(device);
  if (ownership === "multipathMember") throw new EngineError(`${path} is a member of a multipath device`);
  if (ownership === "luks") throw new EngineError(`${path} carries a LUKS header`);
  if (ownership === "theirs")
    throw new EngineError(`${path} is already in use: udev found ${describeContent(device)} on it`);
  return device;
}

/** Throws when there is something on the device now. To be asked while the device is held exclusively. */
export async function requireNothingForeign(path: string): Promise<void> {
  requireNoForeignSignature(path, await native().blkidProbe(path));
}

/** A second look, because udev's database may be behind what is on the device. Throws EngineError. */
export function requireNoForeignSignature(path: string, probe: BlkidResult): void {
  if (probe.ambivalent) throw new EngineError(`${path} carries several contradictory signatures`);
  if (probe.type !== null && probe.type !== "stratis")
    throw new EngineError(`${path} is already in use: it carries a ${probe.type} signature`);
  if (probe.partitionTable !== null || probe.partitions > 0)
    throw new EngineError(
      `${path} is already in use: it has a ${probe.partitionTable ?? ""} partition table with ${probe.partitions} partitions`,
    );
}

/** Whoever mounts, swaps on, or maps a block device holds it exclusively. */
async function requireNotHeld(path: string): Promise<void> {
  try {
    await withBlockFile(path, { exclusive: true }, () => Promise.resolve());
  } catch (error) {
    if (isNativeError(error) && error.code === "EBUSY")
      throw new EngineError(`${path} is already in use: it is mounted, or held by another device or program`);
    throw error;
  }
}

async function readHeader(
  path: string,
): Promise<{ info: BlockFileInfo; found: Awaited<ReturnType<typeof readStaticHeader>> }> {
  try {
    return await withBlockFile(path, {}, async (file) => {
      const info = await file.info();
      const deviceSize = bytesToSectors(bytes(info.size));
      return { info, found: await readStaticHeader(file, { deviceSize }) };
    });
  } catch (error) {
    throw new ChainedError(`The Stratis header of ${path} can't be read`, error);
  }
}

async function examine(path: string): Promise<RequestedDevice> {
  const number = await deviceNumber(path);
  const probe = await native().blkidProbe(path);
  const blank = probe.type === null && !probe.ambivalent && probe.partitionTable === null;
  const udev = await udevRecord(path, number, blank);
  requireNoForeignSignature(path, probe);
  const { info, found } = await readHeader(path);
  if (classify(udev) === "stratis" && found === null)
    throw new EngineError(`udev takes ${path} for a Stratis device, but it has no Stratis header`);
  if (info.readOnly) throw new EngineError(`${path} is read-only`);
  if (info.size < MIN_DEVICE_BYTES)
    throw new EngineError(
      `${path} has ${info.size} bytes, less than the minimum of ${MIN_DEVICE_BYTES} bytes`,
    );
  if (found === null) await requireNotHeld(path);
  return {
    path,
    number,
    size: bytesToSectors(bytes(info.size)),
    sectorSizes: { logical: info.logicalSectorSize, physical: info.physicalSectorSize },
    hardwareInfo: udev.properties["ID_WWN"] ?? null,
    header: found?.header ?? null,
  };
}

function requireDistinct(devices: readonly RequestedDevice[]): void {
  const byNumber = new Map<string, string>();
  const byUuid = new Map<string, string>();
  for (const device of devices) {
    const number = formatDeviceNumber(device.number);
    const twin = byNumber.get(number);
    if (twin !== undefined)
      throw new EngineError(`${twin} and ${device.path} are the same device, with number ${number}`);
    byNumber.set(number, device.path);
    if (device.header === null) continue;
    const uuidTwin = byUuid.get(device.header.devUuid);
    if (uuidTwin !== undefined)
      throw new EngineError(
        `${uuidTwin} and ${device.path} both claim to be Stratis device ${device.header.devUuid}`,
      );
    byUuid.set(device.header.devUuid, device.path);
  }
}

/** Examines all devices; the first that is unsuitable is the error, which names it. */
export async function examineRequested(
  paths: readonly string[],
  namedTwice: NamedTwice,
): Promise<RequestedDevices> {
  const devices: RequestedDevice[] = [];
  for (const path of await canonicalPaths(paths, namedTwice)) {
    try {
      devices.push(await examine(path));
    } catch (error) {
      throw new ChainedError(
        "At least one of the devices specified was unsuitable for initialization",
        error,
      );
    }
  }
  requireDistinct(devices);
  return {
    owned: devices.filter((device) => device.header !== null),
    unowned: devices.filter((device) => device.header === null),
  };
}

/** Refuses devices of pools other than `own` (null: of any pool). */
export function requireNotInOtherPools(devices: RequestedDevices, own: PoolUuid | null): void {
  const foreign = devices.owned.filter((device) => device.header?.poolUuid !== own);
  if (foreign.length === 0) return;
  const list = foreign
    .map((device) => `${device.path} (pool ${device.header?.poolUuid ?? "unknown"})`)
    .join(", ");
  throw new EngineError(`Some devices specified appear to be already in use by other Stratis pools: ${list}`);
}

/** Refuses devices that differ in logical or physical sector size. */
export function requireUniformSectorSizes(devices: readonly RequestedDevice[]): void {
  const [first, ...rest] = devices;
  if (first === undefined) return;
  const text = ({ logical, physical }: SectorSizes): string =>
    `${logical} (logical) and ${physical} (physical) bytes`;
  for (const device of rest)
    if (text(device.sectorSizes) !== text(first.sectorSizes))
      throw new EngineError(
        `The devices specified have different sector sizes: ${first.path} has ${text(first.sectorSizes)}, ` +
          `${device.path} has ${text(device.sectorSizes)}`,
      );
}
