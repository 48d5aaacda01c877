/** Devices that an interrupted operation left between a pool and nobody: the pool's record decides. */
import { wipeStaticHeader } from "../../../disk/bda";
import { memberRecords, type PoolRecord } from "../../../disk/pool-record";
import { SIGBLOCK_FLAG, type StaticHeader } from "../../../disk/static-header";
import { logger } from "../../../log";
import type { PoolUuid } from "../../../uuid";
import { errorText } from "../../errors";
import { withBlockFile } from "../block-file";
import type { DeviceCrypt } from "../crypt/device-crypt";
import type { RealPool } from "../pool";
import { requestUdevChange } from "../uevent";
import type { FoundDevice } from "./found";
import { newestRecord } from "./newest-record";
import type { LiminalPool } from "./liminal";

const log = logger("stratisd::engine::discovery");

export const hasFlag = ({ flags }: StaticHeader, name: keyof typeof SIGBLOCK_FLAG): boolean =>
  (flags & SIGBLOCK_FLAG[name]) !== 0n;

/**
 * A device that was being added when the daemon died: it is flagged, and the pool's record, all of whose devices are
 * here, does not know it.
 */
export async function dropUncommitted(pool: LiminalPool, record: PoolRecord): Promise<void> {
  const recorded = new Set(memberRecords(record).map(({ uuid }) => uuid));
  if ([...recorded].some((uuid) => !pool.devices.has(uuid))) return;
  for (const [uuid, device] of [...pool.devices]) {
    if (recorded.has(uuid) || !isUncommitted(device)) continue;
    warnOfUncommitted(device.path, record.name);
    await wipe(device, pool.luks.get(uuid));
    pool.devices.delete(uuid);
    pool.luks.delete(uuid);
  }
}

export const isUncommitted = ({ header }: Pick<FoundDevice, "header">): boolean =>
  hasFlag(header, "joining") || hasFlag(header, "creating");

export function warnOfUncommitted(path: string, poolName: string): void {
  log.warn(
    `${path} was being added to pool "${poolName}", or taken out of it, when that was interrupted; it is free again`,
  );
}

/**
 * A device that arrives when its pool runs, and is not one of those that the pool has. One that was being added, and
 * holds no record, is free again; one that holds a record is left to the next start, which sees the records of all
 * devices beside each other, and so is one inside a LUKS2 device, which has to go too. Never throws.
 */
export async function handleStranger(device: FoundDevice, { core, name }: RealPool): Promise<void> {
  const { path, header } = device;
  const mayBeDropped =
    isUncommitted(device) && !core.devices.has(header.devUuid) && core.deviceCrypts().length === 0;
  try {
    if (mayBeDropped && (await newestRecord([device])) === null) {
      warnOfUncommitted(path, name);
      await wipe(device);
      return;
    }
  } catch (error) {
    log.warn(`Could not look at ${path}, or not free it: ${errorText(error)}`);
  }
  warnOfStranger(path, header.poolUuid);
}

/** Of a device with the UUID of a running pool. */
export function warnOfStranger(path: string, pool: PoolUuid): void {
  log.warn(`${path} carries the UUID of running pool ${pool}, but is not one of its devices`);
}

/** `below`: the LUKS2 device in which the device is. */
export async function wipe(device: FoundDevice, below?: DeviceCrypt): Promise<void> {
  if (below !== undefined) {
    await below.wipe();
    return;
  }
  await withBlockFile(device.path, { write: true, exclusive: true }, async (file) => {
    await wipeStaticHeader(file);
  });
  requestUdevChange(device.number);
}
