/** The devices that the record of a pool names, as they were found. */
import { memberRecords, type DeviceRecord, type PoolRecord } from "../../../disk/pool-record";
import type { DevUuid } from "../../../uuid";
import type { BlockDevTier } from "../../engine";
import { EngineError } from "../../errors";
import { RealBlockDev } from "../blockdev";
import type { LiminalPool } from "./liminal";

export const recordedDevices = (record: PoolRecord): DevUuid[] =>
  memberRecords(record).map(({ uuid }) => uuid);

/** Throws EngineError where one is missing, or smaller than it was. */
export function members(pool: LiminalPool, record: PoolRecord): Map<DevUuid, RealBlockDev> {
  const ofTier = (tier: BlockDevTier, entries: readonly DeviceRecord[]): [DevUuid, RealBlockDev][] =>
    entries.map((entry) => {
      const device = pool.devices.get(entry.uuid);
      if (device === undefined) throw new EngineError(`device ${entry.uuid} is missing`);
      if (device.size < device.header.deviceSize)
        throw new EngineError(
          `${device.path} has ${device.size} sectors, less than the ${device.header.deviceSize} sectors recorded on it`,
        );
      return [
        entry.uuid,
        new RealBlockDev(
          device.path,
          device.number,
          device.sectorSizes,
          device.header,
          entry,
          tier,
          pool.luks.get(entry.uuid) ?? null,
        ),
      ];
    });
  return new Map([
    ...ofTier("data", record.dataTier.devices),
    ...ofTier("cache", record.cacheTier?.devices ?? []),
  ]);
}
