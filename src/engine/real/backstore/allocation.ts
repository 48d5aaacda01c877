/**
 * Where a pool's space is: pure functions from one pool record to the next.
 *
 * The record (src/disk/pool-record.ts) is the whole state of space in a pool. An operation plans the record it wants,
 * saves it, and only then changes device-mapper devices to match it; so a crash at any moment leaves either record
 * whole on disk (devicemapper.md §2.5, on-disk-format.md §8, §9).
 */
import { integrityReservation } from "../../../disk/integrity";
import type { DeviceRecord, DeviceSegment, PoolRecord, Segment } from "../../../disk/pool-record";
import { SegmentAllocator } from "../../../disk/space";
import { roomForData, thinMetaSize } from "../../../disk/sizes";
import { bdaExtendedSize, type StaticHeader } from "../../../disk/static-header";
import {
  minSectors,
  roundDown,
  sectors,
  SECTORS_PER_DATA_BLOCK,
  sumSectors,
  type Sectors,
} from "../../../units";
import type { DevUuid } from "../../../uuid";
import { assertInvariant, EngineError } from "../../errors";
import type { IntegritySpec } from "../../validation";

/** V2: space for a LUKS2 header at the start of the cap device, set aside in every pool, encrypted or not. */
export const CRYPT_META_SECTORS = sectors(34816n);
/** The metadata volume, 512 MiB, never grown. */
export const MDV_SECTORS = sectors(1048576n);
/** Thin data grows by at most this much at a time, and starts with at most this much: 50 GiB. */
export const DATA_EXTENSION_SECTORS = sectors(104857600n);
export const DEFAULT_FS_LIMIT = 100n;

/** Static headers of the pool's devices: they hold the sizes that sums are made of. */
export type Headers = ReadonlyMap<DevUuid, StaticHeader>;

const lengths = (segments: readonly Segment[]): Sectors =>
  sumSectors(segments.map((segment) => segment.length));

function headerOf(headers: Headers, uuid: DevUuid): StaticHeader {
  const header = headers.get(uuid);
  assertInvariant(header !== undefined, `device ${uuid} of the pool has no static header`);
  return header;
}

/** Sectors of one device that are not for data: BDA with its reserve, and the integrity reservation. */
export function deviceMetadataSize(device: DeviceRecord, headers: Headers): Sectors {
  return sectors(bdaExtendedSize(headerOf(headers, device.uuid)) + lengths(device.integrityMetaAllocations));
}

/** Sum of the recorded sizes of the data devices. */
export function totalSize(record: PoolRecord, headers: Headers): Sectors {
  return sumSectors(record.dataTier.devices.map((device) => headerOf(headers, device.uuid).deviceSize));
}

/** M of engine.md §23.1. */
export function metadataSize(record: PoolRecord, headers: Headers): Sectors {
  const onDevices = sumSectors(record.dataTier.devices.map((device) => deviceMetadataSize(device, headers)));
  return sectors(onDevices + lengths(record.cap.cryptMetaAllocations));
}

/** U of engine.md §23.1. */
export function usableSize(record: PoolRecord, headers: Headers): Sectors {
  const usable = totalSize(record, headers) - metadataSize(record, headers);
  return sectors(usable < 0n ? 0n : usable);
}

/** Sectors handed out from the cap device. */
export const capAllocated = (record: PoolRecord): Sectors => lengths(record.cap.allocations);

/** Sectors that can still be handed out. */
export function availableSize(record: PoolRecord, headers: Headers): Sectors {
  const available = usableSize(record, headers) - capAllocated(record);
  return sectors(available < 0n ? 0n : available);
}

/** AllocatedSize of the D-Bus API. */
export const allocatedSize = (record: PoolRecord, headers: Headers): Sectors =>
  sectors(capAllocated(record) + metadataSize(record, headers));

/** The room that thin data may take: the limit on filesystem sizes when overprovisioning is off. */
export const dataRoom = (record: PoolRecord, headers: Headers): Sectors =>
  roomForData(usableSize(record, headers), lengths(record.flexDevices.thinMeta));

/** Free ranges of one device, rebuilt from the record: BDA, data segments and integrity reservations are taken. */
export function deviceAllocator(
  record: PoolRecord,
  headers: Headers,
  device: DeviceRecord,
): SegmentAllocator {
  const header = headerOf(headers, device.uuid);
  return new SegmentAllocator(header.deviceSize, [
    { start: sectors(0n), length: bdaExtendedSize(header) },
    ...record.dataTier.allocations.filter((segment) => segment.parent === device.uuid),
    ...device.integrityMetaAllocations,
  ]);
}

/** A device carries data: more is taken on it than its own metadata. */
export const deviceInUse = (record: PoolRecord, uuid: DevUuid): boolean =>
  record.dataTier.allocations.some((segment) => segment.parent === uuid);

/** Appends `segment`, lengthening the last one where it is contiguous with it. */
function append<T extends Segment>(list: readonly T[], segment: T, mergeable: (last: T) => boolean): T[] {
  const last = list.at(-1);
  if (last !== undefined && mergeable(last) && last.start + last.length === segment.start)
    return [...list.slice(0, -1), { ...last, length: sectors(last.length + segment.length) }];
  return [...list, segment];
}

const appendDeviceSegment = (list: readonly DeviceSegment[], segment: DeviceSegment): DeviceSegment[] =>
  append(list, segment, (last) => last.parent === segment.parent);

/** Flex devices merge a new range with their last one only (devicemapper.md §2.5). */
export const appendFlexSegment = (list: readonly Segment[], segment: Segment): Segment[] =>
  append(list, segment, () => true);

/** Takes `size` sectors from the data tier, devices in order, lowest free ranges first; null when there is less. */
function allocateFromDataTier(record: PoolRecord, headers: Headers, size: Sectors): PoolRecord | null {
  let wanted: bigint = size;
  let allocations = record.dataTier.allocations;
  for (const device of record.dataTier.devices) {
    if (wanted === 0n) break;
    for (const piece of deviceAllocator(record, headers, device).allocateFront(sectors(wanted))) {
      allocations = appendDeviceSegment(allocations, { parent: device.uuid, ...piece });
      wanted -= piece.length;
    }
  }
  if (wanted > 0n) return null;
  return { ...record, dataTier: { ...record.dataTier, allocations } };
}

/** First sector of the cap device that was never handed out. */
function nextCapStart(record: PoolRecord): Sectors {
  // Unencrypted: the cap device includes the space kept for a LUKS2 header. Encrypted: it begins behind it.
  const taken = record.features.includes("Encryption")
    ? record.cap.allocations
    : [...record.cap.allocations, ...record.cap.cryptMetaAllocations];
  return taken.reduce((end, segment) => {
    const segmentEnd = segment.start + segment.length;
    return segmentEnd > end ? sectors(segmentEnd) : end;
  }, sectors(0n));
}

/**
 * Hands out one contiguous range of the cap device for each size, backed by the data tier: all, or null when the
 * pool has less. Every range becomes an entry of its own in the record.
 */
export function allocateFromCap(
  record: PoolRecord,
  headers: Headers,
  sizes: readonly Sectors[],
): { record: PoolRecord; ranges: Segment[] } | null {
  if (sumSectors(sizes) > availableSize(record, headers)) return null;
  let planned = record;
  const ranges: Segment[] = [];
  for (const size of sizes) {
    const backed = allocateFromDataTier(planned, headers, size);
    if (backed === null) return null;
    const range = { start: nextCapStart(backed), length: size };
    ranges.push(range);
    planned = { ...backed, cap: { ...backed.cap, allocations: [...backed.cap.allocations, range] } };
  }
  return { record: planned, ranges };
}

/** Reserves what integrity metadata would need at the end of a data device that is not in the record yet. */
export function newDeviceRecord(
  header: StaticHeader,
  spec: IntegritySpec,
  hardwareInfo: string | null,
): DeviceRecord {
  const reservation = integrityReservation(header.deviceSize, spec);
  const allocator = new SegmentAllocator(header.deviceSize, [
    { start: sectors(0n), length: bdaExtendedSize(header) },
  ]);
  const integrityMetaAllocations = reservation === 0n ? [] : allocator.allocateBack(reservation);
  if (lengths(integrityMetaAllocations) !== reservation)
    throw new EngineError(
      `A device of ${header.deviceSize} sectors is too small for an integrity reservation of ${reservation} sectors`,
    );
  return { uuid: header.devUuid, integrityMetaAllocations, userInfo: null, hardwareInfo };
}

/**
 * The record of a new, unencrypted V2 pool with its four flex devices: thin metadata, its spare, thin data and the
 * metadata volume, cut from the cap device in this order (engine.md §15).
 */
export function newPoolRecord(
  name: string,
  devices: DeviceRecord[],
  headers: Headers,
  integrity: IntegritySpec,
): PoolRecord {
  const empty: PoolRecord = {
    name,
    dataTier: { allocations: [], devices, integrity },
    cap: { allocations: [], cryptMetaAllocations: [] },
    cacheTier: null,
    flexDevices: { mdv: [], thinMeta: [], thinData: [], thinMetaSpare: [] },
    thinPool: {
      dataBlockSize: sectors(SECTORS_PER_DATA_BLOCK),
      featureArgs: ["no_discard_passdown", "skip_block_zeroing"],
      fsLimit: DEFAULT_FS_LIMIT,
      enableOverprov: true,
    },
    started: true,
    features: [],
    lastReencrypt: null,
  };
  const tooSmall = (): EngineError =>
    new EngineError(
      `Could not allocate sufficient space for thinpool devices: the devices given for pool "${name}" have ` +
        `${usableSize(empty, headers)} usable sectors`,
    );
  const withCrypt = allocateFromDataTier(empty, headers, CRYPT_META_SECTORS);
  if (withCrypt === null) throw tooSmall();
  const base: PoolRecord = {
    ...withCrypt,
    cap: { allocations: [], cryptMetaAllocations: [{ start: sectors(0n), length: CRYPT_META_SECTORS }] },
  };
  const usable = usableSize(base, headers);
  const meta = thinMetaSize(usable, DEFAULT_FS_LIMIT);
  const data = roundDown(
    minSectors(roomForData(usable, meta), DATA_EXTENSION_SECTORS),
    SECTORS_PER_DATA_BLOCK,
  );
  const allocation = data > 0n ? allocateFromCap(base, headers, [meta, meta, data, MDV_SECTORS]) : null;
  const [thinMeta, thinMetaSpare, thinData, mdv] = allocation?.ranges ?? [];
  if (!allocation || !thinMeta || !thinMetaSpare || !thinData || !mdv) throw tooSmall();
  return {
    ...allocation.record,
    flexDevices: { mdv: [mdv], thinMeta: [thinMeta], thinData: [thinData], thinMetaSpare: [thinMetaSpare] },
  };
}
