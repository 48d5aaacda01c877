/** The cache target (devicemapper.md §1.12; the kernel's admin-guide/device-mapper/cache). */
import type { DmTargetLine } from "../native";
import { metaBlocks, sectors, type MetaBlocks, type Sectors } from "../units";
import { deviceNumbersEqual, formatDeviceNumber, type DeviceNumber } from "./device-number";
import { failureStatus, Params, requireStartAtZero, sameWords } from "./params";

/** A setting and its value. */
export type CachePair = [name: string, value: string];

export interface CacheTable {
  /** Of the origin device. */
  length: Sectors;
  metaDevice: DeviceNumber;
  cacheDevice: DeviceNumber;
  originDevice: DeviceNumber;
  blockSize: Sectors;
  /** In any order. */
  features: string[];
  /** "default" is the kernel's alias for its default policy, which it may answer by name. */
  policy: string;
  policyArgs: CachePair[];
}

const TYPE = "cache";

/** What every cache of Stratis has. */
export const STRATIS_CACHE = {
  blockSize: sectors(2048n),
  features: ["writethrough"],
  policy: "default",
  policyArgs: [],
} satisfies Partial<CacheTable>;

export function printCacheTable(table: CacheTable): DmTargetLine {
  const policyWords = table.policyArgs.flat();
  const words = [
    formatDeviceNumber(table.metaDevice),
    formatDeviceNumber(table.cacheDevice),
    formatDeviceNumber(table.originDevice),
    table.blockSize,
    table.features.length,
    ...table.features,
    table.policy,
    policyWords.length,
    ...policyWords,
  ];
  return { start: 0n, length: table.length, type: TYPE, params: words.join(" ") };
}

/** A count of words, then as many, which are names and values in turn. */
function countedPairs(params: Params, what: string): CachePair[] {
  const words = params.counted(what);
  if (words.length % 2 !== 0) params.fail(`the ${words.length} ${what} are not pairs`);
  const pairs: CachePair[] = [];
  for (let index = 0; index < words.length; index += 2)
    pairs.push([words[index] ?? "", words[index + 1] ?? ""]);
  return pairs;
}

/** Throws DmFormatError. */
export function parseCacheTable(line: DmTargetLine): CacheTable {
  const params = new Params(line, TYPE);
  requireStartAtZero(params, line);
  const table = {
    length: sectors(line.length),
    metaDevice: params.device("the metadata device"),
    cacheDevice: params.device("the cache device"),
    originDevice: params.device("the origin device"),
    blockSize: sectors(params.number("the block size")),
    features: params.counted("feature arguments"),
    policy: params.word("the policy"),
    policyArgs: countedPairs(params, "policy arguments"),
  };
  params.end();
  return table;
}

/** Same mapping. Cache device and policy name are left out, as upstream does (devicemapper.md §1.11). */
export function cacheTablesEquivalent(a: CacheTable, b: CacheTable): boolean {
  const pairs = (table: CacheTable): string[] => table.policyArgs.map((pair) => pair.join(" "));
  return (
    a.length === b.length &&
    deviceNumbersEqual(a.metaDevice, b.metaDevice) &&
    deviceNumbersEqual(a.originDevice, b.originDevice) &&
    a.blockSize === b.blockSize &&
    sameWords(a.features, b.features) &&
    sameWords(pairs(a), pairs(b))
  );
}

export type CacheStatus =
  | {
      kind: "working";
      /** In sectors, 8. */
      metaBlockSize: Sectors;
      usedMeta: MetaBlocks;
      totalMeta: MetaBlocks;
      cacheBlockSize: Sectors;
      /** In cache blocks, as all counts below. */
      usedCache: bigint;
      totalCache: bigint;
      readHits: bigint;
      readMisses: bigint;
      writeHits: bigint;
      writeMisses: bigint;
      demotions: bigint;
      promotions: bigint;
      dirty: bigint;
      features: string[];
      coreArgs: CachePair[];
      policy: string;
      policyArgs: CachePair[];
      mode: "rw" | "ro";
      needsCheck: boolean;
    }
  | { kind: "fail" }
  | { kind: "error" };

/** Throws DmFormatError. */
export function parseCacheStatus(line: DmTargetLine): CacheStatus {
  const params = new Params(line, TYPE);
  const failure = failureStatus(params);
  if (failure !== null) return failure;
  const metaBlockSize = sectors(params.number("the metadata block size"));
  const [usedMeta, totalMeta] = params.fraction("the use of metadata blocks");
  const cacheBlockSize = sectors(params.number("the cache block size"));
  const [usedCache, totalCache] = params.fraction("the use of cache blocks");
  const status = {
    kind: "working",
    metaBlockSize,
    usedMeta: metaBlocks(usedMeta),
    totalMeta: metaBlocks(totalMeta),
    cacheBlockSize,
    usedCache,
    totalCache,
    readHits: params.number("read hits"),
    readMisses: params.number("read misses"),
    writeHits: params.number("write hits"),
    writeMisses: params.number("write misses"),
    demotions: params.number("demotions"),
    promotions: params.number("promotions"),
    dirty: params.number("dirty blocks"),
    features: params.counted("features"),
    coreArgs: countedPairs(params, "core arguments"),
    policy: params.word("the policy"),
    policyArgs: countedPairs(params, "policy arguments"),
    mode: params.oneOf("the mode", ["rw", "ro"]),
    needsCheck: params.oneOf("the needs_check flag", ["needs_check", "-"]) === "needs_check",
  } as const;
  params.end();
  return status;
}
