/** All devices of pools that udev knows now (engine.md §7.2). */
import { native, type UdevDevice } from "../../../native";
import type { PoolUuid } from "../../../uuid";
import type { DeviceCrypt } from "../crypt/device-crypt";
import { isClaimed } from "../members";
import { classify, type Ownership } from "./classify";
import { identify, identifyLuks, type FoundDevice } from "./found";

async function enumerate(type: string, ownership: Ownership): Promise<UdevDevice[]> {
  const devices = await native().udevEnumerate({ subsystem: "block", properties: { ID_FS_TYPE: type } });
  return devices.filter((device) => device.initialized && classify(device) === ownership);
}

/**
 * LUKS2 devices of V1 pools that are wanted, but for those that an operation of this daemon is making. `wanted` is asked
 * when the device has been read, right before it is given out.
 */
export async function* searchLuks(wanted: (pool: PoolUuid) => boolean): AsyncGenerator<DeviceCrypt> {
  for (const device of await enumerate("crypto_LUKS", "luks")) {
    const luks = await identifyLuks(device);
    if (luks !== null && wanted(luks.poolUuid) && !isClaimed(luks.container)) yield luks;
  }
}

/** Devices with Stratis metadata of pools that are wanted, in the same way. */
export async function* searchStratis(wanted: (pool: PoolUuid) => boolean): AsyncGenerator<FoundDevice> {
  for (const device of await enumerate("stratis", "stratis")) {
    const stratis = await identify(device);
    if (stratis !== null && wanted(stratis.header.poolUuid) && !isClaimed(stratis.path)) yield stratis;
  }
}
