/**
 * When and by how much a thin pool grows: decisions only, from the pool's record and the kernel's status
 * (devicemapper.md §2.10-§2.12).
 */
import type { PoolRecord } from "../../../disk/pool-record";
import { thinMetaSize } from "../../../disk/sizes";
import type { ThinPoolStatus } from "../../../dm/thin-pool";
import {
  dataBlocks,
  dataBlocksToSectors,
  metaBlocks,
  minSectors,
  sectors,
  sectorsToDataBlocks,
  sectorsToMetaBlocks,
  type Sectors,
} from "../../../units";
import {
  allocateFromCap,
  appendFlexSegment,
  availableSize,
  DATA_EXTENSION_SECTORS,
  DEFAULT_FS_LIMIT,
  MDV_SECTORS,
  usableSize,
  type Headers,
} from "../backstore/allocation";
import { segmentsLength } from "../backstore/tables";
import { DATA_LOW_WATER, ERROR_IF_NO_SPACE, LEGACY_FEATURES } from "./stack";

export const features = (record: PoolRecord): string[] => record.thinPool.featureArgs ?? LEGACY_FEATURES;
/** "Out of allocation space" is the presence of this feature in the table; it lasts until space is added. */
export const inErrorMode = (record: PoolRecord): boolean => features(record).includes(ERROR_IF_NO_SPACE);

export function withErrorMode(record: PoolRecord, on: boolean): PoolRecord {
  const others = features(record).filter((feature) => feature !== ERROR_IF_NO_SPACE);
  const featureArgs = (on ? [...others, ERROR_IF_NO_SPACE] : others).sort();
  return { ...record, thinPool: { ...record.thinPool, featureArgs } };
}

export type Plan =
  | { kind: "nothing" }
  /** The record to save and then to load. `what` is for the log. */
  | { kind: "grow"; record: PoolRecord; what: string }
  /** There is no space for what is needed; `record` has error mode switched on. */
  | { kind: "noSpace"; record: PoolRecord; why: string };

type Working = Extract<ThinPoolStatus, { kind: "working" }>;

/** How large thin metadata should be now. */
function wantedThinMeta(
  record: PoolRecord,
  headers: Headers,
  status: Working | null,
  fsLimit: bigint,
): Sectors {
  const usable = usableSize(record, headers);
  const current = segmentsLength(record.flexDevices.thinMeta);
  if (status?.metaLowWater != null) {
    const free = metaBlocks(sectorsToMetaBlocks(current) - status.usedMeta);
    if (free <= status.metaLowWater) return minSectors(sectors(2n * current), usable);
  }
  return thinMetaSize(usable, fsLimit);
}

/**
 * Thin metadata and its spare grow together. `logicalSizes`: sum of the sizes of all filesystems, which must keep
 * fitting when overprovisioning is off.
 */
export function planMetaExtension(
  record: PoolRecord,
  headers: Headers,
  status: ThinPoolStatus | null,
  logicalSizes: Sectors,
  fsLimit: bigint = record.thinPool.fsLimit ?? DEFAULT_FS_LIMIT,
): Plan {
  const current = segmentsLength(record.flexDevices.thinMeta);
  const wanted = wantedThinMeta(record, headers, status?.kind === "working" ? status : null, fsLimit);
  const growth = sectors(wanted - current);
  if (growth <= 0n) return { kind: "nothing" };
  const refuse = (why: string): Plan => ({ kind: "noSpace", record: withErrorMode(record, true), why });
  if (record.thinPool.enableOverprov === false) {
    const committed = logicalSizes + MDV_SECTORS + 2n * current;
    if (committed >= usableSize(record, headers))
      return {
        kind: "noSpace",
        record,
        why: "all space is promised to filesystems and overprovisioning is off",
      };
  }
  const allocation = allocateFromCap(record, headers, [growth, growth]);
  const [meta, spare] = allocation?.ranges ?? [];
  if (!allocation || !meta || !spare)
    return refuse(
      `thin-pool metadata needs 2 * ${growth} sectors, ${availableSize(record, headers)} are available`,
    );
  const { flexDevices } = allocation.record;
  return {
    kind: "grow",
    what: `thin-pool metadata and its spare by ${growth} sectors each`,
    record: {
      ...allocation.record,
      flexDevices: {
        ...flexDevices,
        thinMeta: appendFlexSegment(flexDevices.thinMeta, meta),
        thinMetaSpare: appendFlexSegment(flexDevices.thinMetaSpare, spare),
      },
    },
  };
}

/**
 * Thin data grows by 50 GiB, or by what there is, when no more is free than the low-water mark: the kernel raises its one
 * event when it is about to take a block with exactly as many free, and may not have taken it yet when it is asked.
 */
export function planDataExtension(record: PoolRecord, headers: Headers, status: ThinPoolStatus | null): Plan {
  if (status?.kind !== "working" || inErrorMode(record)) return { kind: "nothing" };
  const current = sectorsToDataBlocks(segmentsLength(record.flexDevices.thinData));
  if (dataBlocks(current - status.usedData) > DATA_LOW_WATER) return { kind: "nothing" };
  const available = sectorsToDataBlocks(availableSize(record, headers));
  const size = minSectors(dataBlocksToSectors(available), DATA_EXTENSION_SECTORS);
  const allocation = size > 0n ? allocateFromCap(record, headers, [size]) : null;
  const [data] = allocation?.ranges ?? [];
  if (!allocation || !data)
    return {
      kind: "noSpace",
      record: withErrorMode(record, true),
      why: "all space of the data devices is allocated",
    };
  const { flexDevices } = allocation.record;
  return {
    kind: "grow",
    what: `thin-pool data by ${size} sectors`,
    record: {
      ...allocation.record,
      flexDevices: { ...flexDevices, thinData: appendFlexSegment(flexDevices.thinData, data) },
    },
  };
}
