/**
 * Where a pool's space is: pure functions from one pool record to the next.
 *
 * The record (src/disk/pool-record.ts) is the whole state of space in a pool. An operation plans the record it wants,
 * saves it, and only then changes device-mapper devices to match it; so a crash at any moment leaves either record
 * whole on disk (devicemapper.md §2.5, on-disk-format.md §8, §9).
 */
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
import { CRYPT_META_SECTORS, layoutOf } from "./layout";

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
    ...allSegments(record).filter((segment) => segment.parent === device.uuid),
    ...device.integrityMetaAllocations,
  ]);
}

/** What is taken of the devices of both tiers. */
const allSegments = ({ dataTier, cacheTier }: PoolRecord): DeviceSegment[] => [
  ...dataTier.allocations,
  ...(cacheTier?.cacheAllocations ?? []),
  ...(cacheTier?.metaAllocations ?? []),
];

/** A device carries data: more is taken on it than its own metadata. */
export const deviceInUse = (record: PoolRecord, uuid: DevUuid): boolean =>
  allSegments(record).some((segment) => segment.parent === uuid);

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
  const taken = isEncryptedRecord(record)
    ? record.cap.allocations
    : [...record.cap.allocations, ...record.cap.cryptMetaAllocations];
  return taken.reduce((end, segment) => {
    const segmentEnd = segment.start + segment.length;
    return segmentEnd > end ? sectors(segmentEnd) : end;
  }, sectors(0n));
}

/**
 * Hands out one contiguous range of the cap device for each size, backed by the data tier: all, or null when the
 * pool has less.
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
    const allocations = layoutOf(headers).withCapRange(backed.cap.allocations, range);
    planned = { ...backed, cap: { ...backed.cap, allocations } };
  }
  return { record: planned, ranges };
}

/**
 * The record of a data device that is new to the pool: what integrity metadata would need is reserved at its end. `spec`: of the pool;
 * null in V1.
 */
export function newDeviceRecord(
  header: StaticHeader,
  spec: IntegritySpec | null,
  hardwareInfo: string | null,
): DeviceRecord {
  const size = layoutOf(new Map([[header.devUuid, header]])).integritySize(header.deviceSize, spec);
  const integrityMetaAllocations = reserveAtEnd(
    new SegmentAllocator(header.deviceSize, [{ start: sectors(0n), length: bdaExtendedSize(header) }]),
    size,
  );
  return { uuid: header.devUuid, integrityMetaAllocations, userInfo: null, hardwareInfo };
}

function reserveAtEnd(allocator: SegmentAllocator, size: Sectors): Segment[] {
  const reserved = size === 0n ? [] : allocator.allocateBack(size);
  if (lengths(reserved) !== size)
    throw new EngineError(
      `A device of ${allocator.limit} sectors is too small for an integrity reservation of ${size} sectors`,
    );
  return reserved;
}

/** The record with what the grown device `uuid`, whose new size `headers` know, still has to reserve at its end. */
export function withGrownReservation(record: PoolRecord, headers: Headers, uuid: DevUuid): PoolRecord {
  const { dataTier } = record;
  const devices = dataTier.devices.map((device) => {
    if (device.uuid !== uuid) return device;
    const due = layoutOf(headers).integritySize(headerOf(headers, uuid).deviceSize, dataTier.integrity);
    const missing = sectors(due - lengths(device.integrityMetaAllocations));
    if (missing <= 0n) return device;
    const more = reserveAtEnd(deviceAllocator(record, headers, device), missing);
    return { ...device, integrityMetaAllocations: [...device.integrityMetaAllocations, ...more] };
  });
  return { ...record, dataTier: { ...dataTier, devices } };
}

/**
 * The record of a new pool with its four flex devices: thin metadata, its spare, thin data and the
 * metadata volume, cut from the cap device in this order (engine.md §15). `integrity`: null for V1. `features`: those of an encrypted
 * pool begin with "Encryption".
 */
export function newPoolRecord(
  name: string,
  devices: DeviceRecord[],
  headers: Headers,
  integrity: IntegritySpec | null,
  features: string[] = [],
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
    features,
    lastReencrypt: null,
  };
  const tooSmall = (): EngineError =>
    new EngineError(
      `Could not allocate sufficient space for thinpool devices: the devices given for pool "${name}" have ` +
        `${usableSize(empty, headers)} usable sectors`,
    );
  const base = withCryptMeta(empty, headers);
  if (base === null) throw tooSmall();
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

function withCryptMeta(record: PoolRecord, headers: Headers): PoolRecord | null {
  const length = layoutOf(headers).cryptMetaSize;
  if (length === 0n) return record;
  const backed = allocateFromDataTier(record, headers, length);
  if (backed === null) return null;
  return { ...backed, cap: { allocations: [], cryptMetaAllocations: [{ start: sectors(0n), length }] } };
}

const isEncryptedRecord = ({ features }: PoolRecord): boolean => features.includes("Encryption");

/** All ranges of the cap device, moved by so many sectors. */
function withCapMoved(record: PoolRecord, by: bigint): PoolRecord {
  const moved = (segments: readonly Segment[]): Segment[] =>
    segments.map(({ start, length }) => {
      assertInvariant(
        start + by >= 0n,
        `a range at sector ${start} of the cap device can't be moved by ${by}`,
      );
      return { start: sectors(start + by), length };
    });
  const { mdv, thinMeta, thinData, thinMetaSpare } = record.flexDevices;
  return {
    ...record,
    cap: { ...record.cap, allocations: moved(record.cap.allocations) },
    flexDevices: {
      mdv: moved(mdv),
      thinMeta: moved(thinMeta),
      thinData: moved(thinData),
      thinMetaSpare: moved(thinMetaSpare),
    },
  };
}

/**
 * The record of a V2 pool with the same data behind a LUKS2 header, whose device begins behind it, or without one
 * (on-disk-format.md §9.2). One that is so already is returned as it is.
 */
export function encryptedRecord(record: PoolRecord): PoolRecord {
  if (isEncryptedRecord(record)) return record;
  return { ...withCapMoved(record, 0n - CRYPT_META_SECTORS), features: ["Encryption"] };
}
export function plainRecord(record: PoolRecord): PoolRecord {
  if (!isEncryptedRecord(record)) return record;
  return { ...withCapMoved(record, CRYPT_META_SECTORS), features: [], lastReencrypt: null };
}
