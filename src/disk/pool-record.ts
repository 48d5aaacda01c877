/**
 * The pool's record: one JSON document that says where everything in the pool is (on-disk-format.md §10). What its
 * parts must be to one another is checked in pool-record-check.ts.
 */
import { bytes, type Sectors } from "../units";
import type { DevUuid } from "../uuid";
import type { IntegrityRecord, IntegrityTag } from "./integrity";
import { printJson, type JsonValue } from "./json";
import { cutForRecord, presentMembers, RecordReader } from "./record-reader";
import type { Segment } from "./space";

export { checkPoolRecord } from "./pool-record-check";
export type { IntegrityRecord } from "./integrity";
export type { Segment } from "./space";

/** A range on one of the pool's devices. */
export interface DeviceSegment extends Segment {
  parent: DevUuid;
}

/** A member device. Its size is in its static header, not here. */
export interface DeviceRecord {
  uuid: DevUuid;
  /** V2 data devices: reserved for integrity metadata. */
  integrityMetaAllocations: Segment[];
  userInfo: string | null;
  /** ID_WWN of udev when the device was initialized. */
  hardwareInfo: string | null;
}

/** All sizes in sectors, unless the type says otherwise. */
export interface PoolRecord {
  name: string;
  dataTier: {
    /** In the order of concatenation. */
    allocations: DeviceSegment[];
    /** In the order of initialization, which is the order of allocation too. */
    devices: DeviceRecord[];
    /** Absent in V1. */
    integrity: IntegrityRecord | null;
  };
  /** Ranges of the cap device that were handed out. V1: one range from 0. V2: one for each request, not merged. */
  cap: { allocations: Segment[]; cryptMetaAllocations: Segment[] };
  cacheTier: {
    cacheAllocations: DeviceSegment[];
    metaAllocations: DeviceSegment[];
    devices: DeviceRecord[];
  } | null;
  /** Ranges of the cap device, each list in the order of concatenation. */
  flexDevices: { mdv: Segment[]; thinMeta: Segment[]; thinData: Segment[]; thinMetaSpare: Segment[] };
  /** What is null was not recorded by the release that wrote the record. */
  thinPool: {
    dataBlockSize: Sectors;
    featureArgs: string[] | null;
    fsLimit: bigint | null;
    enableOverprov: boolean | null;
  };
  /** null: by a release before 3.2; such a pool may be started automatically. */
  started: boolean | null;
  features: string[];
  /** Unix seconds */
  lastReencrypt: bigint | null;
}

/** All members, of both tiers: data devices first. */
export const memberRecords = ({ dataTier, cacheTier }: PoolRecord): DeviceRecord[] => [
  ...dataTier.devices,
  ...(cacheTier?.devices ?? []),
];

/** All that upstream 3.9.2 knows, the first two of which it never writes (on-disk-format.md §11.6). */
export const KNOWN_FEATURES: readonly string[] = [
  "Raid",
  "Integrity",
  "Encryption",
  "KeyDescriptionEnabled",
  "ClevisEnabled",
];

const INTEGRITY_TAGS: readonly IntegrityTag[] = ["0b", "32b", "512b"];
const I64_MAX = 2n ** 63n - 1n;

/**
 * Parses a record, from any source. Throws DiskFormatError that names the place of the first thing that is wrong:
 * text that is not JSON, a missing key, a wrong type, an integer out of range, an unknown feature. Keys that are not
 * known are ignored.
 */
export function parsePoolRecord(json: Uint8Array | string): PoolRecord {
  const root = RecordReader.parse("Pool metadata", json);
  const features = readFeatures(root);
  const backstore = root.member("backstore");
  const cap = backstore.member("cap");
  const flex = root.member("flex_devs");
  const thinPool = root.member("thinpool_dev");
  const flexList = (key: string): Segment[] => readSegments(flex.member(key));
  return {
    name: root.member("name").name(),
    dataTier: readDataTier(backstore.member("data_tier")),
    cap: {
      allocations: readSegments(cap.member("allocs")),
      cryptMetaAllocations: readSegments(cap.memberIfPresent("crypt_meta_allocs")),
    },
    cacheTier: readCacheTier(backstore.memberUnlessNull("cache_tier")),
    flexDevices: {
      mdv: flexList("meta_dev"),
      thinMeta: flexList("thin_meta_dev"),
      thinData: flexList("thin_data_dev"),
      thinMetaSpare: flexList("thin_meta_dev_spare"),
    },
    thinPool: {
      dataBlockSize: thinPool.member("data_block_size").sectors(),
      featureArgs:
        thinPool
          .memberUnlessNull("feature_args")
          ?.list()
          .map((arg) => arg.string()) ?? null,
      fsLimit: thinPool.memberUnlessNull("fs_limit")?.u64() ?? null,
      enableOverprov: thinPool.memberUnlessNull("enable_overprov")?.boolean() ?? null,
    },
    started: root.memberUnlessNull("started")?.boolean() ?? null,
    features,
    lastReencrypt: root.memberIfPresent("last_reencrypt")?.integer(-I64_MAX - 1n, I64_MAX) ?? null,
  };
}

/** Read before anything else: a record with a feature that we don't know may have another shape altogether. */
function readFeatures(root: RecordReader): string[] {
  const list = root.memberIfPresent("features");
  if (list === null) return [];
  const features = list.list().map((feature) => feature.string());
  const unknown = features.filter((feature) => !KNOWN_FEATURES.includes(feature));
  if (unknown.length > 0)
    list.fail(
      `the pool has features that this version does not know, so it was made by a newer one: ` +
        unknown.map((feature) => JSON.stringify(feature)).join(", "),
    );
  return features;
}

const readSegments = (list: RecordReader | null): Segment[] =>
  list?.list().map((item) => item.segmentPair()) ?? [];

function readDeviceSegments(list: RecordReader): DeviceSegment[] {
  return list
    .list()
    .map((item) => ({ parent: item.member("parent").uuid() as DevUuid, ...item.segmentObject() }));
}

function readDevices(list: RecordReader): DeviceRecord[] {
  return list.list().map((item) => ({
    uuid: item.member("uuid").uuid() as DevUuid,
    integrityMetaAllocations: readSegments(item.memberIfPresent("integrity_meta_allocs")),
    userInfo: item.memberUnlessNull("user_info")?.string() ?? null,
    hardwareInfo: item.memberUnlessNull("hardware_info")?.string() ?? null,
  }));
}

function readDataTier(tier: RecordReader): PoolRecord["dataTier"] {
  const blockdev = tier.member("blockdev");
  const allocs = blockdev.member("allocs");
  const [allocations, ...more] = allocs.list();
  if (allocations === undefined || more.length > 0)
    return allocs.fail("a data tier has exactly one list of segments");
  const integrity = tier.memberUnlessNull("integrity_spec");
  return {
    allocations: readDeviceSegments(allocations),
    devices: readDevices(blockdev.member("devs")),
    integrity: integrity === null ? null : readIntegrity(integrity),
  };
}

function readIntegrity(spec: RecordReader): IntegrityRecord {
  const tag = spec.member("tag_spec");
  const text = tag.string();
  return {
    tagSpec: INTEGRITY_TAGS.find((known) => known === text) ?? tag.fail(`"${text}" is none of 0b, 32b, 512b`),
    journalSize: spec.member("journal_size").sectors(),
    // Reservations are computed by dividing by it.
    blockSize: bytes(spec.member("block_size").integer(512n, 2n ** 32n)),
    allocateSuperblock: spec.member("allocate_superblock").boolean(),
  };
}

function readCacheTier(tier: RecordReader | null): PoolRecord["cacheTier"] {
  if (tier === null) return null;
  const blockdev = tier.member("blockdev");
  const allocs = blockdev.member("allocs");
  const [cache, meta, ...more] = allocs.list();
  if (cache === undefined || meta === undefined || more.length > 0)
    return allocs.fail("a cache tier has exactly two lists of segments");
  return {
    cacheAllocations: readDeviceSegments(cache),
    metaAllocations: readDeviceSegments(meta),
    devices: readDevices(blockdev.member("devs")),
  };
}

const segmentsJson = (segments: readonly Segment[]): JsonValue =>
  segments.map(({ start, length }) => [start, length]);

/** Lists that upstream leaves out when they are empty. */
const segmentsUnlessEmpty = (segments: readonly Segment[]): JsonValue | undefined =>
  segments.length === 0 ? undefined : segmentsJson(segments);

const deviceSegmentsJson = (segments: readonly DeviceSegment[]): JsonValue =>
  segments.map(({ parent, start, length }) => ({ parent, start, length }));

const devicesJson = (devices: readonly DeviceRecord[]): JsonValue =>
  devices.map((device) =>
    presentMembers([
      ["uuid", device.uuid],
      ["integrity_meta_allocs", segmentsUnlessEmpty(device.integrityMetaAllocations)],
      ["user_info", device.userInfo === null ? undefined : cutForRecord(device.userInfo)],
      ["hardware_info", device.hardwareInfo === null ? undefined : cutForRecord(device.hardwareInfo)],
    ]),
  );

function dataTierJson({ allocations, devices, integrity }: PoolRecord["dataTier"]): JsonValue {
  return presentMembers([
    ["blockdev", { allocs: [deviceSegmentsJson(allocations)], devs: devicesJson(devices) }],
    [
      "integrity_spec",
      integrity === null
        ? undefined
        : {
            tag_spec: integrity.tagSpec,
            journal_size: integrity.journalSize,
            block_size: integrity.blockSize,
            allocate_superblock: integrity.allocateSuperblock,
          },
    ],
  ]);
}

function cacheTierJson(tier: PoolRecord["cacheTier"]): JsonValue | undefined {
  if (tier === null) return undefined;
  const allocs = [deviceSegmentsJson(tier.cacheAllocations), deviceSegmentsJson(tier.metaAllocations)];
  return { blockdev: { allocs, devs: devicesJson(tier.devices) } };
}

/** The record as JSON value, keys in upstream's order, absent values left out (on-disk-format.md §10). */
export function poolRecordJson(record: PoolRecord): JsonValue {
  const { cap, flexDevices, thinPool } = record;
  return presentMembers([
    ["name", cutForRecord(record.name)],
    [
      "backstore",
      presentMembers([
        ["data_tier", dataTierJson(record.dataTier)],
        [
          "cap",
          presentMembers([
            ["allocs", segmentsJson(cap.allocations)],
            ["crypt_meta_allocs", segmentsUnlessEmpty(cap.cryptMetaAllocations)],
          ]),
        ],
        ["cache_tier", cacheTierJson(record.cacheTier)],
      ]),
    ],
    [
      "flex_devs",
      {
        meta_dev: segmentsJson(flexDevices.mdv),
        thin_meta_dev: segmentsJson(flexDevices.thinMeta),
        thin_data_dev: segmentsJson(flexDevices.thinData),
        thin_meta_dev_spare: segmentsJson(flexDevices.thinMetaSpare),
      },
    ],
    [
      "thinpool_dev",
      presentMembers([
        ["data_block_size", thinPool.dataBlockSize],
        ["feature_args", thinPool.featureArgs === null ? undefined : [...thinPool.featureArgs].sort()],
        ["fs_limit", thinPool.fsLimit ?? undefined],
        ["enable_overprov", thinPool.enableOverprov ?? undefined],
      ]),
    ],
    ["started", record.started ?? undefined],
    ["features", record.features.length === 0 ? undefined : record.features],
    ["last_reencrypt", record.lastReencrypt ?? undefined],
  ]);
}

/** The bytes that upstream would write for this record: compact UTF-8 JSON without anything behind it. */
export const encodePoolRecord = (record: PoolRecord): Buffer =>
  Buffer.from(printJson(poolRecordJson(record)), "utf8");
