/**
 * Whether the parts of a pool's record agree with one another (on-disk-format.md §11). A record that passes can be
 * turned into device-mapper tables without two of them claiming the same sector.
 */
import { sectors, SECTORS_PER_DATA_BLOCK, sumSectors, type Sectors } from "../units";
import type { DevUuid } from "../uuid";
import { causeText, DiskFormatError } from "./errors";
import type { DeviceSegment, PoolRecord } from "./pool-record";
import { SegmentAllocator, type Segment } from "./space";

/** Feature arguments of a thin-pool table; any other text would end up in a table verbatim. */
const THIN_POOL_FEATURES: readonly string[] = [
  "skip_block_zeroing",
  "ignore_discard",
  "no_discard_passdown",
  "read_only",
  "error_if_no_space",
];

/** Larger than any device: for checks of overlap where the device's size is not known. */
const NO_LIMIT = sectors(2n ** 64n - 1n);

const fail = (record: PoolRecord, why: string): never => {
  throw new DiskFormatError(`The metadata of pool "${record.name}" is inconsistent: ${why}`);
};

const lengthOf = (segments: readonly Segment[]): Sectors => sumSectors(segments.map(({ length }) => length));
const endOf = (segments: readonly Segment[]): bigint =>
  segments.reduce((end, { start, length }) => (start + length > end ? start + length : end), 0n);

/**
 * Throws DiskFormatError, saying what is wrong, unless the record is one that a pool of this metadata version can be
 * set up from. What needs the devices' sizes is left to SegmentAllocator.
 */
export function checkPoolRecord(record: PoolRecord, version: 1 | 2): void {
  checkThinPool(record);
  checkDevices(record);
  checkFlexDevices(record);
  if (version === 1) checkCapV1(record);
  else checkCapV2(record);
}

function checkThinPool(record: PoolRecord): void {
  const { dataBlockSize, featureArgs } = record.thinPool;
  if (dataBlockSize !== SECTORS_PER_DATA_BLOCK)
    fail(record, `its data blocks have ${dataBlockSize} sectors instead of ${SECTORS_PER_DATA_BLOCK}`);
  for (const feature of featureArgs ?? [])
    if (!THIN_POOL_FEATURES.includes(feature))
      fail(record, `${JSON.stringify(feature)} is not a feature argument of a thin pool`);
  if (new Set(featureArgs).size !== (featureArgs?.length ?? 0))
    fail(record, "a feature argument of the thin pool is given twice");
}

function checkDevices(record: PoolRecord): void {
  const { dataTier, cacheTier } = record;
  if (dataTier.devices.length === 0) fail(record, "it has no data device");
  const all = [...dataTier.devices, ...(cacheTier?.devices ?? [])].map(({ uuid }) => uuid);
  const seen = new Set<DevUuid>();
  const twin = all.find((uuid) => seen.size === seen.add(uuid).size);
  if (twin !== undefined) fail(record, `device ${twin} is listed twice`);

  checkTier(record, "data", dataTier.devices, dataTier.allocations);
  if (cacheTier === null) return;
  if (cacheTier.devices.length === 0) fail(record, "its cache tier has no device");
  if (lengthOf(cacheTier.cacheAllocations) === 0n || lengthOf(cacheTier.metaAllocations) === 0n)
    fail(record, "its cache tier lacks space for cache blocks or for cache metadata");
  checkTier(record, "cache", cacheTier.devices, [
    ...cacheTier.cacheAllocations,
    ...cacheTier.metaAllocations,
  ]);
}

function checkTier(
  record: PoolRecord,
  tier: string,
  devices: PoolRecord["dataTier"]["devices"],
  allocations: readonly DeviceSegment[],
): void {
  const onDevice = new Map<DevUuid, Segment[]>();
  for (const device of devices) onDevice.set(device.uuid, [...device.integrityMetaAllocations]);
  for (const segment of allocations) {
    const list =
      onDevice.get(segment.parent) ??
      fail(record, `its ${tier} tier has a segment on device ${segment.parent}, which is not in that tier`);
    list.push(segment);
  }
  for (const [uuid, segments] of onDevice) requireDisjoint(record, `device ${uuid}`, NO_LIMIT, segments);
}

function requireDisjoint(
  record: PoolRecord,
  where: string,
  limit: Sectors,
  segments: readonly Segment[],
): void {
  try {
    new SegmentAllocator(limit, segments);
  } catch (error) {
    fail(record, `on ${where}: ${causeText(error)}`);
  }
}

const flexLists = ({ flexDevices }: PoolRecord): Segment[][] => [
  flexDevices.mdv,
  flexDevices.thinMeta,
  flexDevices.thinData,
  flexDevices.thinMetaSpare,
];

function checkFlexDevices(record: PoolRecord): void {
  for (const [name, segments] of Object.entries(record.flexDevices))
    if (segments.length === 0 || segments.some(({ length }) => length === 0n))
      fail(record, `its flex device ${name} has no segment, or an empty one`);
}

/**
 * on-disk-format.md §11.5. With sums that agree, and no overlap up to the end, the flex devices fill the cap device
 * without gaps.
 */
function checkCapV1(record: PoolRecord): void {
  const [cap] = record.cap.allocations;
  if (cap === undefined) return fail(record, "nothing is recorded as allocated from the cap device");
  const flex = flexLists(record).flat();
  const next = endOf(flex);
  const used = lengthOf(flex);
  if (cap.length !== next || used !== next)
    fail(
      record,
      `${cap.length} sectors of the cap device are allocated, flex devices have ${used} sectors and end at ${next}`,
    );
  const total = lengthOf(record.dataTier.allocations);
  if (next > total) fail(record, `flex devices end at sector ${next} of a data tier of ${total} sectors`);
  requireDisjoint(record, "the cap device", sectors(next), flex);
}

/** on-disk-format.md §11.3, §11.4 */
function checkCapV2(record: PoolRecord): void {
  const { allocations, cryptMetaAllocations } = record.cap;
  const flex = flexLists(record).flat();
  const [allocated, used] = [lengthOf(allocations), lengthOf(flex)];
  if (allocated !== used)
    fail(record, `${allocated} sectors of the cap device are allocated, but flex devices have ${used}`);
  const total = lengthOf(record.dataTier.allocations);
  const needed = allocated + lengthOf(cryptMetaAllocations);
  if (needed > total) fail(record, `${needed} sectors are allocated from a data tier of ${total} sectors`);

  // An encrypted cap device begins behind the space for the LUKS2 header, any other one includes it.
  const encrypted = record.features.includes("Encryption");
  const taken = encrypted ? allocations : [...cryptMetaAllocations, ...allocations];
  const end = endOf(taken);
  requireDisjoint(record, "the cap device", sectors(end), taken);
  if (lengthOf(taken) !== end)
    fail(record, `the allocations from the cap device leave gaps before sector ${end}`);
  requireDisjoint(
    record,
    "the cap device",
    sectors(end),
    encrypted ? flex : [...cryptMetaAllocations, ...flex],
  );
}
