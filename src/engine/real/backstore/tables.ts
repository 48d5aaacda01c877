/** Device-mapper tables of a pool's layers, derived from its record (devicemapper.md §2.6). */
import type { DeviceNumber } from "../../../dm/device-number";
import { linearTable } from "../../../dm/linear";
import { dmPath, PRIVATE_DEVICE, type DmDeviceSpec } from "../../../dm/operations";
import * as names from "../../../dm/names";
import type { PoolRecord, Segment } from "../../../disk/pool-record";
import { sectors, sumSectors, type Sectors } from "../../../units";
import type { DevUuid, PoolUuid } from "../../../uuid";
import { assertInvariant } from "../../errors";

export { dmPath };

/** The pool's block devices with their kernel numbers. */
export type DeviceNumbers = ReadonlyMap<DevUuid, { readonly number: DeviceNumber }>;

export function originsubSpec(pool: PoolUuid, record: PoolRecord, devices: DeviceNumbers): DmDeviceSpec {
  const segments = record.dataTier.allocations.map((segment) => {
    const device = devices.get(segment.parent);
    assertInvariant(
      device !== undefined,
      `data segment on device ${segment.parent}, which is not in the pool`,
    );
    return { device: device.number, start: segment.start, length: segment.length };
  });
  return { name: names.physicalOriginsub(pool), table: linearTable(segments), udevFlags: PRIVATE_DEVICE };
}

/** Without a cache the cap device is a plain map of the whole data tier, so that a cache can be put in its place. */
export function placeholderSpec(pool: PoolUuid, record: PoolRecord, originsub: DeviceNumber): DmDeviceSpec {
  const length = sumSectors(record.dataTier.allocations.map((segment) => segment.length));
  return {
    name: names.physicalCache(pool),
    table: linearTable([{ device: originsub, start: sectors(0n), length }]),
    udevFlags: PRIVATE_DEVICE,
  };
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
