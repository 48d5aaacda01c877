/** Who uses which sectors of a pool with metadata version 2, and whether that can be right (system.md §20.2). */
import { causeText } from "../disk/errors";
import { checkPoolRecord, type DeviceSegment, type PoolRecord } from "../disk/pool-record";
import { DEFAULT_BDA_EXTENDED_SIZE } from "../disk/static-header";
import { CRYPT_META_SECTORS } from "../engine/real/backstore/layout";
import { sectors } from "../units";
import type { DevUuid } from "../uuid";
import { ExtentMap } from "./extents";
import { printable } from "./pretty-json";
import { ToolError } from "./tool";

const USE = {
  stratis: "stratis_metadata",
  integrity: "integrity_metadata",
  allocated: "allocated",
  cacheMeta: "cache_metadata",
  cacheData: "cache_data",
  crypt: "metadata",
  mdv: "meta_dev",
  thinData: "thin_data_dev",
  thinMeta: "thin_meta_dev",
  thinMetaSpare: "thin_meta_dev_spare",
} as const;

const FROM_START = sectors(0n);
const STRATIS_METADATA = { start: FROM_START, length: DEFAULT_BDA_EXTENDED_SIZE };
/** Integrity metadata comes in blocks of 4 KiB. */
const INTEGRITY_BLOCK_SECTORS = 8n;

/** All extents of a pool. */
export interface Layout {
  dataDevices: ReadonlyMap<DevUuid, ExtentMap>;
  cacheDevices: ReadonlyMap<DevUuid, ExtentMap>;
  crypt: ExtentMap;
  cap: ExtentMap;
  flex: ExtentMap;
}

/** Throws ToolError for a record of which no layout can be made. */
export function layoutOf(record: PoolRecord): Layout {
  const { cap, flexDevices } = record;
  // An encrypted cap device begins behind the LUKS2 header, any other one has the room for it at its start.
  const from = record.features.includes("Encryption") ? FROM_START : CRYPT_META_SECTORS;
  return {
    dataDevices: dataDevices(record.dataTier),
    cacheDevices: cacheDevices(record.cacheTier),
    crypt: new ExtentMap("the crypt metadata", FROM_START).add(USE.crypt, cap.cryptMetaAllocations),
    cap: new ExtentMap("the cap device", from).add(USE.allocated, cap.allocations),
    flex: new ExtentMap("the flex devices", from)
      .add(USE.thinMeta, flexDevices.thinMeta)
      .add(USE.thinMetaSpare, flexDevices.thinMetaSpare)
      .add(USE.mdv, flexDevices.mdv)
      .add(USE.thinData, flexDevices.thinData),
  };
}

function dataDevices({ devices, allocations }: PoolRecord["dataTier"]): Map<DevUuid, ExtentMap> {
  const maps = newMaps(devices.map(({ uuid }) => uuid));
  for (const { uuid, integrityMetaAllocations } of devices)
    maps.get(uuid)?.add(USE.integrity, integrityMetaAllocations);
  addSegments(maps, USE.allocated, allocations);
  return maps;
}

function cacheDevices(tier: PoolRecord["cacheTier"]): Map<DevUuid, ExtentMap> {
  const maps = newMaps(tier?.devices.map(({ uuid }) => uuid) ?? []);
  addSegments(maps, USE.cacheMeta, tier?.metaAllocations ?? []);
  addSegments(maps, USE.cacheData, tier?.cacheAllocations ?? []);
  return maps;
}

function newMaps(uuids: readonly DevUuid[]): Map<DevUuid, ExtentMap> {
  const maps = new Map<DevUuid, ExtentMap>();
  for (const uuid of uuids) {
    if (maps.has(uuid)) throw new ToolError(`Two devices with same UUID ${uuid}`);
    maps.set(uuid, new ExtentMap(`device ${uuid}`, FROM_START).add(USE.stratis, [STRATIS_METADATA]));
  }
  return maps;
}

function addSegments(
  maps: ReadonlyMap<DevUuid, ExtentMap>,
  use: string,
  segments: readonly DeviceSegment[],
): void {
  for (const segment of segments) {
    const map = maps.get(segment.parent);
    if (map === undefined)
      throw new ToolError(
        `${segment.length} sectors for ${use} are on device ${segment.parent}, which is not in that tier`,
      );
    map.add(use, [segment]);
  }
}

/**
 * Everything that is wrong with the record; empty for one that a pool can be set up from. Throws ToolError where
 * there is no telling what the record means.
 */
export function findingsOf(record: PoolRecord): string[] {
  const { dataDevices, cacheDevices, crypt, cap, flex } = layoutOf(record);
  const findings = [
    ...ofDevices(dataDevices, (map) => [...map.overlaps(), ...integrityFindings(map, record)]),
    ...ofDevices(cacheDevices, (map) => map.overlaps()),
    ...cryptFindings(crypt),
    ...cap.overlaps().map((text) => `Cap device: ${text}`),
    ...thinMetaFindings(flex),
    ...flex.overlaps().map((text) => `Flex devices: ${text}`),
  ];
  return findings.length > 0 ? findings : daemonsFinding(record);
}

function ofDevices(
  maps: ReadonlyMap<DevUuid, ExtentMap>,
  find: (map: ExtentMap) => readonly string[],
): string[] {
  return [...maps].flatMap(([uuid, map]) => find(map).map((text) => `Device ${uuid}: ${text}`));
}

function integrityFindings(map: ExtentMap, { dataTier }: PoolRecord): string[] {
  const uneven = map
    .of(USE.integrity)
    .filter(({ length }) => length % INTEGRITY_BLOCK_SECTORS !== 0n)
    .map(
      ({ start, length }) =>
        `${length} sectors at sector ${start} for ${USE.integrity} are not a multiple of 4 KiB`,
    );
  const spec = dataTier.integrity;
  const isForNothing =
    spec !== null && !spec.allocateSuperblock && spec.journalSize === 0n && spec.tagSpec === "0b";
  const reserved = map.sum(USE.integrity);
  if (isForNothing && reserved > 0n)
    uneven.push(
      `${reserved} sectors are kept for ${USE.integrity} where the integrity specification needs none`,
    );
  return uneven;
}

function cryptFindings(crypt: ExtentMap): string[] {
  if (crypt.size === 0)
    return ["No allocations for crypt metadata, which every pool with metadata version 2 has"];
  const findings =
    crypt.size > 1 ? [`There are ${crypt.size} allocations for crypt metadata instead of one`] : [];
  for (const { start, length } of crypt.sorted())
    if (start !== 0n || length !== CRYPT_META_SECTORS)
      findings.push(
        `Crypt metadata has ${length} sectors at sector ${start} instead of ${CRYPT_META_SECTORS} at sector 0`,
      );
  return findings;
}

function thinMetaFindings(flex: ExtentMap): string[] {
  const [inUse, spare] = [flex.sum(USE.thinMeta), flex.sum(USE.thinMetaSpare)];
  if (inUse === spare) return [];
  return [`The thin metadata device has ${inUse} sectors, but its spare has ${spare}`];
}

/** What the daemon would refuse the record for, beyond the findings above. */
function daemonsFinding(record: PoolRecord): string[] {
  try {
    checkPoolRecord(record, 2);
    return [];
  } catch (error) {
    return [causeText(error)];
  }
}

function thinPoolText({
  dataBlockSize,
  featureArgs,
  fsLimit,
  enableOverprov,
}: PoolRecord["thinPool"]): string {
  return `Thinpool specification:
    Data block size: ${dataBlockSize} sectors
    Feature Args:
${(featureArgs ?? []).map((arg) => `        ${printable(arg)}\n`).join("")}    Filesystem limit: ${fsLimit ?? "none"}
    Overprovisioning enabled: ${enableOverprov ?? "N/A"}
`;
}

function integrityText(spec: PoolRecord["dataTier"]["integrity"]): string {
  if (spec === null) return "None\n";
  return `Allocate Superblock: ${spec.allocateSuperblock}
Tag Specification: ${spec.tagSpec}
Journal Size: ${spec.journalSize} sectors
Block Size: ${spec.blockSize} bytes

`;
}

const devicesText = (title: string, maps: ReadonlyMap<DevUuid, ExtentMap>): string =>
  [...maps].map(([uuid, map]) => `${title}: ${uuid}\n${map.text()}\n`).join("");

/** The record for people to read. Throws ToolError for one of which no layout can be made. */
export function inspectionText(record: PoolRecord): string {
  const { dataDevices, cacheDevices, crypt, cap, flex } = layoutOf(record);
  return [
    thinPoolText(record.thinPool),
    `Integrity specification for data devices:\n${integrityText(record.dataTier.integrity)}`,
    `Allocations from each data device:\n${devicesText("Data device", dataDevices)}`,
    `Allocations from each cache device:\n${devicesText("Cache device", cacheDevices)}`,
    `Allocations for crypt metadata:\n${crypt.text()}`,
    `Allocations from cap device:\n${cap.text()}\n`,
    `Allocations from flex device:\n${flex.text()}`,
  ].join("\n");
}
