/** Device-mapper tables of a pool's layers, derived from its record (devicemapper.md §2.6). */
import { printCacheTable, STRATIS_CACHE } from "../../../dm/cache";
import type { DeviceNumber } from "../../../dm/device-number";
import { linearTable } from "../../../dm/linear";
import { dmPath, PRIVATE_DEVICE, type DmDeviceSpec } from "../../../dm/operations";
import * as names from "../../../dm/names";
import type { DeviceSegment, PoolRecord, Segment } from "../../../disk/pool-record";
import { sectors, sumSectors, type Sectors } from "../../../units";
import type { DevUuid, PoolUuid } from "../../../uuid";
import { assertInvariant } from "../../errors";

export { dmPath };

export type CacheTier = NonNullable<PoolRecord["cacheTier"]>;
/** The pool's block devices with their kernel numbers. */
export type DeviceNumbers = ReadonlyMap<DevUuid, { readonly number: DeviceNumber }>;

function devicesSpec(name: string, segments: readonly DeviceSegment[], devices: DeviceNumbers): DmDeviceSpec {
  const lines = segments.map((segment) => {
    const device = devices.get(segment.parent);
    assertInvariant(device !== undefined, `segment on device ${segment.parent}, which is not in the pool`);
    return { device: device.number, start: segment.start, length: segment.length };
  });
  return { name, table: linearTable(lines), udevFlags: PRIVATE_DEVICE };
}

export const originsubSpec = (pool: PoolUuid, record: PoolRecord, devices: DeviceNumbers): DmDeviceSpec =>
  devicesSpec(names.physicalOriginsub(pool), record.dataTier.allocations, devices);
export const metasubSpec = (pool: PoolUuid, tier: CacheTier, devices: DeviceNumbers): DmDeviceSpec =>
  devicesSpec(names.physicalMetasub(pool), tier.metaAllocations, devices);
export const cachesubSpec = (pool: PoolUuid, tier: CacheTier, devices: DeviceNumbers): DmDeviceSpec =>
  devicesSpec(names.physicalCachesub(pool), tier.cacheAllocations, devices);

const originLength = (record: PoolRecord): Sectors => segmentsLength(record.dataTier.allocations);

/** V2 without a cache: the cap device is a plain map of the whole data tier, so that a cache can be put in its place. */
export function placeholderSpec(pool: PoolUuid, record: PoolRecord, originsub: DeviceNumber): DmDeviceSpec {
  return {
    name: names.physicalCache(pool),
    table: linearTable([{ device: originsub, start: sectors(0n), length: originLength(record) }]),
    udevFlags: PRIVATE_DEVICE,
  };
}

export interface CacheNumbers {
  metasub: DeviceNumber;
  cachesub: DeviceNumber;
}

export function cacheSpec(
  pool: PoolUuid,
  record: PoolRecord,
  originsub: DeviceNumber,
  { metasub, cachesub }: CacheNumbers,
): DmDeviceSpec {
  const line = printCacheTable({
    ...STRATIS_CACHE,
    length: originLength(record),
    metaDevice: metasub,
    cacheDevice: cachesub,
    originDevice: originsub,
  });
  return { name: names.physicalCache(pool), table: [line], udevFlags: PRIVATE_DEVICE };
}

function flexSpec(name: string, segments: readonly Segment[], cap: DeviceNumber): DmDeviceSpec {
  return {
    name,
    table: linearTable(segments.map(({ start, length }) => ({ device: cap, start, length }))),
    udevFlags: PRIVATE_DEVICE,
  };
}

export const thinMetaSpec = (pool: PoolUuid, record: PoolRecord, cap: DeviceNumber): DmDeviceSpec =>
  flexSpec(names.flexThinMeta(pool), record.flexDevices.thinMeta, cap);
export const thinMetaSpareSpec = (pool: PoolUuid, record: PoolRecord, cap: DeviceNumber): DmDeviceSpec =>
  flexSpec(names.flexThinMetaSpare(pool), record.flexDevices.thinMetaSpare, cap);
export const thinDataSpec = (pool: PoolUuid, record: PoolRecord, cap: DeviceNumber): DmDeviceSpec =>
  flexSpec(names.flexThinData(pool), record.flexDevices.thinData, cap);
export const mdvSpec = (pool: PoolUuid, record: PoolRecord, cap: DeviceNumber): DmDeviceSpec =>
  flexSpec(names.flexMdv(pool), record.flexDevices.mdv, cap);

export const segmentsLength = (segments: readonly Segment[]): Sectors =>
  sumSectors(segments.map((segment) => segment.length));
