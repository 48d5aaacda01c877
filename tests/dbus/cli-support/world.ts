/** The sample objects of cli.md §12, as stratisd puts them on the bus. */
import { Variant } from "dbus-next";
import type { Answer } from "./fake";

const GIB = 1024n ** 3n;
export const TIB = 1024n ** 4n;

export const VAULT = "/org/storage/stratis3/0";
export const DATA = "/org/storage/stratis3/10";
export const WWW = "/org/storage/stratis3/11";
export const SNAPSHOT = "/org/storage/stratis3/12";
export const SDC = "/org/storage/stratis3/14";
const HAN = "/org/storage/stratis3/2";

export const DATA_UUID = "0c2caf641dde41beb40bed6911f75c74";
export const VAULT_UUID = "9f6cbd1f0d4e4a2ea9a84b1a7a3b1234";
export const WWW_UUID = "17101e39e72e423c90d8be5cb37c055b";
export const SNAPSHOT_UUID = "3bf22806a6df4660aa527d646209595f";

type Properties = Record<string, Variant<unknown>>;
export type Objects = Record<string, Record<string, Properties>>;

const v = (signature: string, value: unknown): Variant<unknown> => new Variant<unknown>(signature, value);
const bytes = (value: bigint): Variant<unknown> => v("s", value.toString());
const maybeBytes = (value: bigint | null): Variant<unknown> =>
  v("(bs)", value === null ? [false, ""] : [true, value.toString()]);

const uuidOf = (digit: string): string => digit.repeat(32);

const vault: Properties = {
  Uuid: v("s", VAULT_UUID),
  Name: v("s", "vault"),
  Encrypted: v("b", true),
  AvailableActions: v("s", "fully_operational"),
  HasCache: v("b", false),
  TotalPhysicalSize: bytes(2198989701120n),
  TotalPhysicalUsed: maybeBytes(1331691520n),
  AllocatedSize: bytes(60129542144n),
  FsLimit: v("t", 100n),
  Overprovisioning: v("b", true),
  NoAllocSpace: v("b", false),
  KeyDescriptions: v("a(us)", [[0, "vaultkey"]]),
  ClevisInfos: v("a(u(ss))", [
    [1, ["tang", '{"url":"http://tang.example:8080","stratis:tang:trust_url":true}']],
  ]),
  FreeTokenSlots: v("(by)", [true, 13]),
  VolumeKeyLoaded: v("b", true),
  MetadataVersion: v("t", 2n),
  LastReencryptedTimestamp: v("(bs)", [true, "2026-05-01T08:05:09Z"]),
};

const data: Properties = {
  Uuid: v("s", DATA_UUID),
  Name: v("s", "data"),
  Encrypted: v("b", false),
  AvailableActions: v("s", "no_ipc_requests"),
  HasCache: v("b", true),
  TotalPhysicalSize: bytes(107374182400n),
  TotalPhysicalUsed: maybeBytes(572522496n),
  AllocatedSize: bytes(60129542144n),
  FsLimit: v("t", 100n),
  Overprovisioning: v("b", false),
  NoAllocSpace: v("b", true),
  KeyDescriptions: v("s", "Unencrypted"),
  ClevisInfos: v("s", "Unencrypted"),
  FreeTokenSlots: v("(by)", [false, 0]),
  VolumeKeyLoaded: v("b", false),
  MetadataVersion: v("t", 2n),
  LastReencryptedTimestamp: v("(bs)", [false, ""]),
};

const filesystem = (name: string, pool: string, uuid: string, devnode: string): Properties => ({
  Created: v("s", "2026-02-07T14:33:20Z"),
  Devnode: v("s", devnode),
  Name: v("s", name),
  Pool: v("o", pool),
  Size: bytes(TIB),
  Used: maybeBytes(572522496n),
  Uuid: v("s", uuid),
  SizeLimit: maybeBytes(null),
  MergeScheduled: v("b", false),
  Origin: v("(bs)", [false, "0".repeat(32)]),
});

const blockdev = (pool: string, uuid: string, node: string, size: bigint): Properties => ({
  Devnode: v("s", node),
  Pool: v("o", pool),
  Uuid: v("s", uuid),
  Tier: v("q", 0),
  PhysicalPath: v("s", node),
  TotalPhysicalSize: bytes(size),
  NewPhysicalSize: maybeBytes(null),
});

/** A fresh copy, which a test may change. */
export const sampleObjects = (): Objects => ({
  [VAULT]: { "org.storage.stratis3.pool.r9": { ...vault } },
  "/org/storage/stratis3/1": {
    "org.storage.stratis3.blockdev.r9": blockdev(VAULT, uuidOf("1"), "/dev/sdb", 2198989701120n),
  },
  [HAN]: {
    "org.storage.stratis3.filesystem.r9": {
      ...filesystem("漢字", VAULT, "4ecacb15fb64453191d7da731c5f1601", "/dev/stratis/vault/漢字"),
      Used: maybeBytes(null),
    },
  },
  [DATA]: { "org.storage.stratis3.pool.r9": { ...data } },
  [SNAPSHOT]: {
    "org.storage.stratis3.filesystem.r9": {
      ...filesystem("www-snap", DATA, SNAPSHOT_UUID, "/dev/stratis/data/www-snap"),
      SizeLimit: maybeBytes(2n * TIB),
      MergeScheduled: v("b", true),
      Origin: v("(bs)", [true, WWW_UUID]),
    },
  },
  [WWW]: { "org.storage.stratis3.filesystem.r9": filesystem("www", DATA, WWW_UUID, "/dev/stratis/data/www") },
  [SDC]: {
    "org.storage.stratis3.blockdev.r9": {
      ...blockdev(DATA, uuidOf("2"), "/dev/sdc", 100n * GIB),
      NewPhysicalSize: maybeBytes(150n * GIB),
    },
  },
  "/org/storage/stratis3/15": {
    "org.storage.stratis3.blockdev.r9": {
      ...blockdev(DATA, uuidOf("3"), "/dev/nvme0n1", 10n * GIB),
      Devnode: v("s", "/dev/mapper/x-crypt"),
      Tier: v("q", 1),
    },
  },
});

/** The properties of an object of the sample, to be changed. */
export function propertiesOf(objects: Objects, path: string): Properties {
  const [properties] = Object.values(objects[path] ?? {});
  if (properties === undefined) throw new Error(`The sample has no object ${path}`);
  return properties;
}

export const managedObjects = (objects: Objects): Answer => ({
  signature: "a{oa{sa{sv}}}",
  body: [objects],
});

const version = (number: bigint | null): Variant<unknown> =>
  number === null ? v("(bi)", [false, 0]) : v("(bt)", [true, number]);
const features = (names: string[] | null): Variant<unknown> =>
  v("(ba{sb})", [names !== null, Object.fromEntries((names ?? []).map((name) => [name, true]))]);
const devices = (...pairs: [string, string][]): Variant<unknown> =>
  v(
    "aa{ss}",
    pairs.map(([uuid, devnode]) => ({ uuid, devnode })),
  );

const hex = (digit: string): string => `${digit.repeat(12)}4${digit.repeat(19)}`;

/** Content of the property StoppedPools. */
export const stoppedPools = (): Record<string, Properties> => ({
  [hex("a")]: {
    name: v("s", "backup"),
    devs: devices([uuidOf("4"), "/dev/sdd"], [uuidOf("5"), "/dev/sde"]),
    metadata_version: version(2n),
    features: features(["encryption", "key_description_present"]),
  },
  [hex("b")]: {
    devs: devices([uuidOf("6"), "/dev/sdf"]),
    metadata_version: version(2n),
    features: features(null),
  },
  [hex("c")]: {
    name: v("s", "old"),
    devs: devices([uuidOf("7"), "/dev/sdg"]),
    metadata_version: version(1n),
    features: features([]),
    key_description: v("(bv)", [true, v("(bs)", [true, "oldkey"])]),
    clevis_info: v("(bv)", [true, v("(b(ss))", [false, ["", ""]])]),
  },
  [hex("d")]: {
    name: v("s", "plain"),
    devs: devices([uuidOf("8"), "/dev/sdh"]),
    metadata_version: version(2n),
    features: features([]),
  },
});

export const STOPPED_UUIDS = { backup: hex("a"), unnamed: hex("b"), old: hex("c"), plain: hex("d") };
export const property = (signature: string, value: unknown): Answer => ({
  signature: "v",
  body: [v(signature, value)],
});
export const stopped = (pools: Record<string, Properties>): Answer => property("a{sa{sv}}", pools);
export const variant = v;

/** The reply of a method: its result, code 0 and Ok. */
export const ok = (signature: string, result: unknown): Answer => ({
  signature: `${signature}qs`,
  body: [result, 0, "Ok"],
});
