/**
 * Reading and writing the Blockdev Data Area of a device: static header and metadata area. The only file of this
 * folder, but for the one about XFS, that touches devices.
 *
 * A BlockFile must not be opened with O_DIRECT here: records are read and written byte for byte, and through the page
 * cache udev's and blkid's probes see what was written.
 */
import type { BlockFile } from "../native";
import { bytes, bytesToSectors, SECTOR_BYTES, type Sectors } from "../units";
import { crc32c } from "./crc32c";
import { causeText, DiskFormatError } from "./errors";
import {
  compareTimestamps,
  encodeMdaHeader,
  INITIAL_MDA_HEADER,
  MDA_HEADER_BYTES,
  mdaLayout,
  metadataCandidates,
  neverSaved,
  pairToOverwrite,
  parseMdaHeader,
  REGIONS,
  regionsOf,
  timestampText,
  type Candidate,
  type MdaLayout,
  type ParsedMdaHeader,
  type RegionHeaders,
  type RegionNumber,
  type Timestamp,
} from "./mda";
import {
  checkGeometry,
  encodeSigblock,
  equalHeaders,
  parseSigblock,
  resolveSigblocks,
  SIGBLOCK_BYTES,
  STATIC_HEADER_SECTORS,
  type SigblockCopy,
  type StaticHeader,
} from "./static-header";

/** Each copy of the signature block is the second sector of a block of this size. */
const COPY_BYTES = 4096;
const STATIC_HEADER_BYTES = Number(STATIC_HEADER_SECTORS * SECTOR_BYTES);

/** The bytes of one copy of the signature block, whatever they are. */
export const readSigblockBytes = (file: BlockFile, copy: 0 | 1): Promise<Buffer> =>
  file.read(BigInt(copy * COPY_BYTES) + SECTOR_BYTES, SIGBLOCK_BYTES);

async function readSigblock(file: BlockFile, copy: 0 | 1): Promise<SigblockCopy> {
  try {
    return parseSigblock(await readSigblockBytes(file, copy));
  } catch (cause) {
    return { kind: "unreadable", cause };
  }
}

/**
 * The static header of a device, or null when it is not a Stratis device. Nothing is written: `repair` names the copy
 * (0 or 1) that repairStaticHeader() should mend.
 *
 * `deviceSize`: sectors that the device really has; by default it is asked. Throws DiskFormatError when there is no
 * header that can be trusted (on-disk-format.md §5, §21 rows 4, 5, 7).
 */
export async function readStaticHeader(
  file: BlockFile,
  options: { deviceSize?: Sectors } = {},
): Promise<{ header: StaticHeader; repair: 0 | 1 | null } | null> {
  const [copy1, copy2] = [await readSigblock(file, 0), await readSigblock(file, 1)];
  const actualSize = options.deviceSize ?? bytesToSectors(bytes((await file.info()).size));
  const { header, repair } = resolveSigblocks(copy1, copy2, actualSize);
  if (header === null) return null;
  checkGeometry(header);
  return { header, repair };
}

async function writeCopy(file: BlockFile, header: StaticHeader, copy: 0 | 1): Promise<void> {
  const block = Buffer.alloc(COPY_BYTES);
  encodeSigblock(header).copy(block, Number(SECTOR_BYTES));
  await file.write(BigInt(copy * COPY_BYTES), block);
  await file.sync();
}

/**
 * Overwrites one copy with `header`, which readStaticHeader() took from the other, after making sure that the other
 * copy still says the same: the device may have been given to somebody else meanwhile.
 */
export async function repairStaticHeader(file: BlockFile, header: StaticHeader, copy: 0 | 1): Promise<void> {
  const other = copy === 0 ? 1 : 0;
  const found = await readSigblock(file, other);
  if (found.kind !== "valid" || !equalHeaders(found.header, header) || found.header.flags !== header.flags)
    throw new DiskFormatError(
      `Copy ${copy + 1} of the static header of device ${header.devUuid} is not repaired, because copy ` +
        `${other + 1} has changed since it was read`,
    );
  await writeCopy(file, header, copy);
}

/** Writes both copies, one after the other, each with its own fsync, so that one is whole at any time (§4.3). */
export async function writeStaticHeader(file: BlockFile, header: StaticHeader): Promise<void> {
  checkGeometry(header);
  await writeCopy(file, header, 0);
  await writeCopy(file, header, 1);
}

/**
 * Makes the device an empty member of a pool. The region headers come first, so that a device that carries the
 * signature can always be loaded (on-disk-format.md §7.2 with §21 row 6).
 */
export async function initializeDevice(file: BlockFile, header: StaticHeader): Promise<void> {
  checkGeometry(header);
  for (const offset of mdaLayout(header).offsets) await file.write(offset, INITIAL_MDA_HEADER);
  await file.sync();
  await writeStaticHeader(file, header);
}

/** Takes Stratis's signature off the device. The MDA keeps its content (on-disk-format.md §7.4). */
export async function wipeStaticHeader(file: BlockFile): Promise<void> {
  await file.write(0n, Buffer.alloc(STATIC_HEADER_BYTES));
  await file.sync();
}

/** One saved record of the pool, as bytes that match their checksum. */
export interface MetadataCopy {
  time: Timestamp;
  json: Buffer;
}

/** What the metadata area of a device holds. */
interface MdaContent {
  layout: MdaLayout;
  headers: RegionHeaders;
  newest: (MetadataCopy & { candidate: Candidate }) | null;
  damaged: string[];
}

async function readRegionHeader(
  file: BlockFile,
  layout: MdaLayout,
  region: RegionNumber,
): Promise<ParsedMdaHeader> {
  let parsed: ParsedMdaHeader;
  try {
    parsed = parseMdaHeader(await file.read(layout.offsets[region], MDA_HEADER_BYTES));
  } catch (cause) {
    return { kind: "damaged", reason: `its header can't be read: ${causeText(cause)}` };
  }
  if (parsed.kind === "valid" && parsed.header.used > layout.maxJsonBytes)
    return {
      kind: "damaged",
      reason: `it claims ${parsed.header.used} bytes of metadata where ${layout.maxJsonBytes} fit`,
    };
  return parsed;
}

/** The data of one region, or what is wrong with it. */
async function readRegionData(
  file: BlockFile,
  layout: MdaLayout,
  region: RegionNumber,
  candidate: Candidate,
): Promise<Buffer | string> {
  const { used, dataCrc, time } = candidate.header;
  const what = `MDA region ${region}, metadata of ${timestampText(time)} (${used} bytes)`;
  try {
    const json = await file.read(layout.offsets[region] + BigInt(MDA_HEADER_BYTES), Number(used));
    return crc32c(json) === dataCrc ? json : `${what}: the checksum is wrong`;
  } catch (cause) {
    return `${what}: it can't be read: ${causeText(cause)}`;
  }
}

/** The headers of all regions; one that can't be read counts as damaged. */
export async function readRegionHeaders(file: BlockFile, header: StaticHeader): Promise<RegionHeaders> {
  checkGeometry(header);
  const layout = mdaLayout(header);
  const read = (region: RegionNumber): Promise<ParsedMdaHeader> => readRegionHeader(file, layout, region);
  return [await read(0), await read(1), await read(2), await read(3)];
}

async function readMda(file: BlockFile, header: StaticHeader): Promise<MdaContent> {
  const headers = await readRegionHeaders(file, header);
  const layout = mdaLayout(header);
  const damaged = REGIONS.flatMap((region) => {
    const found = headers[region];
    return found.kind === "damaged" ? [`MDA region ${region}: ${found.reason}`] : [];
  });
  for (const candidate of metadataCandidates(headers))
    for (const region of candidate.regions) {
      const json = await readRegionData(file, layout, region, candidate);
      if (typeof json !== "string")
        return { layout, headers, damaged, newest: { time: candidate.header.time, json, candidate } };
      damaged.push(json);
    }
  return { layout, headers, damaged, newest: null };
}

const lostError = (header: StaticHeader, damaged: string[]): DiskFormatError =>
  new DiskFormatError(
    `All copies of the pool metadata on device ${header.devUuid} are damaged: ${damaged.join("; ")}`,
  );

/**
 * The newest record on this device whose checksum holds; null when no save was ever completed here, as on cache
 * devices. `damaged` tells what was passed over. Throws DiskFormatError when there were records and all are lost.
 */
export async function readMetadata(
  file: BlockFile,
  header: StaticHeader,
): Promise<{ newest: MetadataCopy | null; damaged: string[] }> {
  const { headers, newest, damaged } = await readMda(file, header);
  if (newest !== null) return { newest: { time: newest.time, json: newest.json }, damaged };
  if (!neverSaved(headers)) throw lostError(header, damaged);
  return { newest: null, damaged };
}

/**
 * The time of the record that readMetadata() returns; null where that is null.
 *
 * The data is read too: the time of a save that was cut short would put this device before others that hold that
 * save whole. Where all records are lost, the latest time that a header tells is returned, so that the device keeps
 * its place in an order by time and readMetadata() can say what is wrong; without any readable header it throws.
 */
export async function lastUpdateTime(file: BlockFile, header: StaticHeader): Promise<Timestamp | null> {
  const { headers, newest, damaged } = await readMda(file, header);
  if (newest !== null) return newest.time;
  if (neverSaved(headers)) return null;
  const [promised] = metadataCandidates(headers);
  if (promised === undefined) throw lostError(header, damaged);
  return promised.header.time;
}

/**
 * Saves a record on one device (on-disk-format.md §6.6): into the pair of regions that does not hold the newest one,
 * region by region with an fsync each. Whenever it is interrupted, the device holds the old record or the new one.
 *
 * One region of the pair is enough, because a reader finds the record in either; what went wrong with the other is
 * returned. Throws DiskFormatError, with nothing written, when `time` is not later than that of the record on the
 * device, or when the JSON is longer than a region; and what the device answered when no region could be written.
 */
export async function saveMetadata(
  file: BlockFile,
  header: StaticHeader,
  time: Timestamp,
  json: Uint8Array,
): Promise<string[]> {
  const { layout, headers, newest } = await readMda(file, header);
  if (json.length === 0 || json.length > layout.maxJsonBytes)
    throw new DiskFormatError(
      `Pool metadata of ${json.length} bytes can't be saved on device ${header.devUuid}, which takes 1 to ` +
        `${layout.maxJsonBytes} bytes`,
    );
  if (newest !== null && compareTimestamps(time, newest.time) <= 0)
    throw new DiskFormatError(
      `Pool metadata of ${timestampText(time)} can't be saved on device ${header.devUuid}, which has metadata of ` +
        timestampText(newest.time),
    );
  const mdaHeader = encodeMdaHeader({ time, used: BigInt(json.length), dataCrc: crc32c(json) });
  const region = Buffer.concat([mdaHeader, json]);
  const pair = regionsOf(pairToOverwrite(headers, newest?.candidate.pair ?? null));
  const failures: { number: RegionNumber; cause: unknown }[] = [];
  for (const number of pair)
    try {
      await file.write(layout.offsets[number], region);
      await file.sync();
    } catch (cause) {
      failures.push({ number, cause });
    }
  if (failures.length === pair.length) throw failures[0]?.cause;
  return failures.map(({ number, cause }) => `MDA region ${number} can't be written: ${causeText(cause)}`);
}
