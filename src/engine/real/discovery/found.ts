/** What is on a block device, by what udev knows of it and what its headers say (engine.md §7.2). */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import * as path from "node:path";
import { readStaticHeader, repairStaticHeader } from "../../../disk/bda";
import type { StaticHeader } from "../../../disk/static-header";
import { formatDeviceNumber, type DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import type { UdevDevice } from "../../../native";
import { logger } from "../../../log";
import { bytes, bytesToSectors, type Sectors } from "../../../units";
import { errorText } from "../../errors";
import { sectorSizesOf, withBlockFile, type SectorSizes } from "../block-file";
import { DeviceCrypt } from "../crypt/device-crypt";

const log = logger("stratisd::engine::discovery");

/** The kernel's Documentation/admin-guide/devices.txt */
const FLOPPY_MAJOR = 2;

/** A device with a readable Stratis header that is not part of a running pool. */
export interface FoundDevice {
  path: string;
  number: DeviceNumber;
  size: Sectors;
  sectorSizes: SectorSizes;
  header: StaticHeader;
}

/**
 * Reads the header of a device that udev takes for Stratis's. Null, with a warning, when it has none that is valid:
 * such a device is disregarded. A damaged copy of the header is mended, when that fails the good one still counts.
 */
export async function identify(device: UdevDevice): Promise<FoundDevice | null> {
  const { devnode, major, minor } = device;
  if (devnode === null || major === null || minor === null) return null;
  try {
    const found = await readFound(devnode, { major, minor });
    if (found === null)
      log.warn(`udev takes ${devnode} for a Stratis device, but it has no Stratis header; disregarding it`);
    return found;
  } catch (error) {
    log.warn(`Disregarding ${devnode}, which udev takes for a Stratis device: ${errorText(error)}`);
    return null;
  }
}

/** Whether udev has tried to read the device, which may have something to read, and is none of ours. */
function wasProbed({ major, properties }: UdevDevice): boolean {
  return (
    major !== FLOPPY_MAJOR &&
    !("ID_CDROM" in properties) &&
    names.poolOfDmName(properties["DM_NAME"] ?? "") === null &&
    // Something else is on it as well.
    !("ID_FS_AMBIVALENT" in properties) &&
    properties["DM_UDEV_DISABLE_OTHER_RULES_FLAG"] !== "1" &&
    properties["DM_SUSPENDED"] !== "1"
  );
}

/**
 * Whether the device is below another one that is not Stratis's: what is on it is that one's, and both may begin with
 * the same header. Throws when the device is gone.
 */
async function isBelowOthers(number: DeviceNumber): Promise<boolean> {
  const folder = `/sys/dev/block/${formatDeviceNumber(number)}/holders`;
  for (const holder of await readdir(folder)) {
    const isMapped = existsSync(path.join(folder, holder, "dm"));
    const name = isMapped ? (await readFile(path.join(folder, holder, "dm/name"), "utf8")).trim() : "";
    if (names.poolOfDmName(name) === null) return true;
  }
  return false;
}

/**
 * The same for a device on which udev names nothing. blkid gives up when it can't read one copy of the header, which the
 * other one makes up for; and udev does not see what is written while it looks at the device because of an earlier
 * write, and names nothing on it until the next one. Null, without a word, for any other device.
 */
export async function identifyUnnamed(device: UdevDevice): Promise<FoundDevice | null> {
  const { devnode, major, minor } = device;
  if (devnode === null || major === null || minor === null || !wasProbed(device)) return null;
  try {
    if (await isBelowOthers({ major, minor })) return null;
    const found = await readFound(devnode, { major, minor });
    if (found !== null)
      log.warn(
        `${devnode} has a Stratis header that udev does not know of: a copy of it can't be read, or udev has missed that it was written`,
      );
    return found;
  } catch (error) {
    log.debug(`Disregarding ${devnode}, on which udev names nothing: ${errorText(error)}`);
    return null;
  }
}

/** null: the device has no Stratis header. A damaged copy is mended. */
export async function readFound(path: string, number: DeviceNumber): Promise<FoundDevice | null> {
  return await withBlockFile(path, {}, async (file) => {
    const info = await file.info();
    const size = bytesToSectors(bytes(info.size));
    const found = await readStaticHeader(file, { deviceSize: size });
    if (found === null) return null;
    if (found.repair !== null) await mend(path, found.header, found.repair);
    return { path, number, size, sectorSizes: sectorSizesOf(info), header: found.header };
  });
}

/** Reads the LUKS2 header of a device; null when it is none of a V1 pool, with a warning when it claims to be. */
export async function identifyLuks({
  devnode,
  major,
  minor,
  properties,
}: UdevDevice): Promise<DeviceCrypt | null> {
  // What is on a layer of a pool belongs to that pool.
  if (properties["DM_NAME"]?.startsWith(names.PRIVATE_PREFIX) === true) return null;
  if (devnode === null || major === null || minor === null) return null;
  try {
    return await DeviceCrypt.load(devnode, { major, minor });
  } catch (error) {
    log.warn(`Disregarding ${devnode}, a LUKS device: ${errorText(error)}`);
    return null;
  }
}

/** By device and copy, when mending it failed, in milliseconds of the process. */
const notMended = new Map<string, number>();
/** A device that was open for writing is an event, for which it is looked at again. */
const MENDED_AGAIN_MS = 600_000;

async function mend(path: string, header: StaticHeader, copy: 0 | 1): Promise<void> {
  const which = `${header.devUuid} ${copy}`;
  const failed = notMended.get(which);
  if (failed !== undefined && performance.now() - failed < MENDED_AGAIN_MS) return;
  notMended.delete(which);
  try {
    await withBlockFile(path, { write: true }, async (file) => {
      await repairStaticHeader(file, header, copy);
    });
    log.info(`Mended copy ${copy + 1} of the Stratis header of ${path}`);
  } catch (error) {
    notMended.set(which, performance.now());
    log.warn(
      `Copy ${copy + 1} of the Stratis header of ${path} is damaged and could not be mended: ${errorText(error)}`,
    );
  }
}
