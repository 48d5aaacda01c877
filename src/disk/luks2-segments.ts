/**
 * The data of a LUKS2 device as its header describes them, also in the middle of an encryption, re-encryption or
 * decryption in place (LUKS2 On-Disk Format Specification, sections 3.3, 3.4 and 3.6).
 */
import { DiskFormatError } from "./errors";
import { isJsonArray, isJsonObject, parseJson, type JsonObject, type JsonValue } from "./json";

/** A range of the data. Offsets and lengths in bytes; `offset` counts from the start of the device. */
export interface DataSegment {
  offset: bigint;
  /** null: to the end of the device. */
  length: bigint | null;
  /** It is the piece that an operation was working on when it was interrupted. */
  inWork: boolean;
  /** null: plain. */
  encryption: SegmentEncryption | null;
}

export interface SegmentEncryption {
  /** "aes-xts-plain64" */
  cipher: string;
  /** Of the first sector, in sectors of 512 bytes, for the initialization vectors. */
  ivOffset: bigint;
  /** Bytes. */
  sectorSize: number;
  /** Number of the volume key's digest; null where the header has none, as for a piece in work. */
  digest: number | null;
}

/** The header's view of its data. */
export interface DataLayout {
  /** In order, without a gap. */
  segments: DataSegment[];
  /** What all data will be when the operation that is under way is done; null: there is none. */
  final: DataSegment | null;
}

function refuse(what: string): never {
  throw new DiskFormatError(`LUKS2 header: ${what}`);
}

function objectOf(value: JsonValue | undefined, what: string): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : refuse(`${what} is not a JSON object`);
}

/** Of text, as the format has all large numbers. */
function numberOf(value: JsonValue | undefined, what: string): bigint {
  if (typeof value !== "string" || !/^\d{1,19}$/.test(value))
    return refuse(`${what} is not a number in text`);
  return BigInt(value);
}

const stringsOf = (value: JsonValue | undefined): string[] =>
  value !== undefined && isJsonArray(value) ? value.filter((item) => typeof item === "string") : [];

function readEncryption(key: string, segment: JsonObject, digests: JsonObject): SegmentEncryption {
  const what = `segment ${key}`;
  const { encryption: cipher, sector_size: sectorSize } = segment;
  if (typeof cipher !== "string" || !/^[\w:-]+$/.test(cipher)) return refuse(`${what} has no cipher`);
  if (typeof sectorSize !== "bigint" || sectorSize < 512n || sectorSize > 4096n)
    return refuse(`${what} has no sector size`);
  const [digest] = Object.entries(digests)
    .filter(([, value]) => isJsonObject(value) && stringsOf(value["segments"]).includes(key))
    .map(([number]) => Number(number));
  const ivOffset = numberOf(segment["iv_tweak"], `the tweak of ${what}`);
  return { cipher, ivOffset, sectorSize: Number(sectorSize), digest: digest ?? null };
}

function readSegment(key: string, segment: JsonObject, digests: JsonObject): DataSegment {
  const { type, size, offset } = segment;
  const common = {
    offset: numberOf(offset, `the offset of segment ${key}`),
    length: size === "dynamic" ? null : numberOf(size, `the size of segment ${key}`),
    inWork: stringsOf(segment["flags"]).includes("in-reencryption"),
  };
  if (type === "linear") return { ...common, encryption: null };
  if (type !== "crypt") return refuse(`segment ${key} is neither encrypted nor plain`);
  return { ...common, encryption: readEncryption(key, segment, digests) };
}

function requireGapless(segments: readonly DataSegment[]): void {
  if (segments.length === 0) refuse("it has no data");
  segments.forEach(({ offset, length }, index) => {
    const next = segments[index + 1];
    if (next !== undefined && (length === null || offset + length !== next.offset))
      refuse(`segment ${index} does not end where the next one begins`);
  });
}

/** Of the JSON of a header. Throws DiskFormatError that says what is not as it has to be. */
export function dataLayout(json: string): DataLayout {
  const root = objectOf(parseJson(json), "all of it");
  const digests = objectOf(root["digests"], "the list of digests");
  const entries = Object.entries(objectOf(root["segments"], "the list of segments"))
    .map(([key, value]) => ({ key, segment: objectOf(value, `segment ${key}`) }))
    .sort((a, b) => Number(a.key) - Number(b.key));
  const flagsOf = (segment: JsonObject): string[] => stringsOf(segment["flags"]);
  const current = entries.filter(
    ({ segment }) => !flagsOf(segment).some((flag) => flag.startsWith("backup-")),
  );
  const final = entries.find(({ segment }) => flagsOf(segment).includes("backup-final"));
  const segments = current.map(({ key, segment }) => readSegment(key, segment, digests));
  requireGapless(segments);
  return { segments, final: final === undefined ? null : readSegment(final.key, final.segment, digests) };
}

const sameKey = ({ encryption: a }: DataSegment, { encryption: b }: DataSegment): boolean =>
  a === null || b === null ? a === b : a.digest === b.digest;

/** Bytes, from the first, that the operation under way has done; null: all, or there is none under way. */
export function bytesDone({ segments, final }: DataLayout): bigint | null {
  if (final === null) return null;
  let done = 0n;
  for (const segment of segments) {
    if (segment.inWork || !sameKey(segment, final)) return done;
    if (segment.length === null) return null;
    done += segment.length;
  }
  return null;
}

/** Of data that one key has encrypted from their first to their last byte; null: they are others. */
function onlyKey(json: string): string | null {
  const [segment, ...others] = dataLayout(json).segments;
  if (segment === undefined || others.length > 0 || segment.inWork) return null;
  const { offset, encryption } = segment;
  if (encryption === null || encryption.digest === null) return null;
  const digests = objectOf(objectOf(parseJson(json), "all of it")["digests"], "the list of digests");
  const digest = objectOf(digests[String(encryption.digest)], `digest ${encryption.digest}`);
  const { cipher, ivOffset, sectorSize } = encryption;
  return [offset, cipher, ivOffset, sectorSize, digest["salt"], digest["digest"]].map(String).join(" ");
}

/** Whether what the one header has encrypted is what the other one decrypts, by the JSON of each. */
export function sameData(one: string, other: string): boolean {
  const key = onlyKey(one);
  return key !== null && key === onlyKey(other);
}
