/** All devices of pools that udev knows now (engine.md §7.2). */
import type { DeviceNumber } from "../../../dm/device-number";
import { native, type UdevDevice } from "../../../native";
import type { PoolUuid } from "../../../uuid";
import type { DeviceCrypt } from "../crypt/device-crypt";
import { isClaimed } from "../members";
import { requestUdevChange } from "../uevent";
import { classify, type Ownership } from "./classify";
import { identify, identifyLuks, identifyUnnamed, type FoundDevice } from "./found";

/** All block devices that udev has seen, which is one pass over its database for all that they are searched for. */
export async function knownDevices(): Promise<UdevDevice[]> {
  const devices = await native().udevEnumerate({ subsystem: "block" });
  return devices.filter((device) => device.initialized);
}

const owned = (devices: readonly UdevDevice[], ownership: Ownership): UdevDevice[] =>
  devices.filter((device) => classify(device) === ownership);

/**
 * LUKS2 devices of V1 pools that are wanted, but for those that an operation of this daemon is making. `wanted` is asked
 * when the device has been read, right before it is given out.
 */
export async function* searchLuks(
  devices: readonly UdevDevice[],
  wanted: (pool: PoolUuid) => boolean,
): AsyncGenerator<DeviceCrypt> {
  for (const device of owned(devices, "luks")) {
    const luks = await identifyLuks(device);
    if (luks !== null && wanted(luks.poolUuid) && !isClaimed(luks.container)) yield luks;
  }
}

/**
 * Devices with Stratis metadata of pools that are wanted, in the same way. `unreadable`: whoever reads one of these
 * waits in the kernel.
 */
export async function* searchStratis(
  devices: readonly UdevDevice[],
  wanted: (pool: PoolUuid) => boolean,
  unreadable: readonly DeviceNumber[],
): AsyncGenerator<FoundDevice> {
  const isReadable = ({ major, minor }: UdevDevice): boolean =>
    !unreadable.some((number) => number.major === major && number.minor === minor);
  const isWanted = (device: FoundDevice | null): device is FoundDevice =>
    device !== null && wanted(device.header.poolUuid) && !isClaimed(device.path);
  for (const device of owned(devices, "stratis")) {
    const stratis = isReadable(device) ? await identify(device) : null;
    if (isWanted(stratis)) yield stratis;
  }
  for (const device of owned(devices, "unowned")) {
    const unnamed = await identifyUnnamed(device);
    if (!isWanted(unnamed)) continue;
    // Others take the device for an empty one until udev knows. Not at an event, because it makes one.
    requestUdevChange(unnamed.number);
    yield unnamed;
  }
}
