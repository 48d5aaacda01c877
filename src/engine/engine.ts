/**
 * What Stratis is: the interfaces that the D-Bus layer calls, and that the real engine and the simulator implement.
 *
 * Reading (properties, reports) is synchronous and from memory: `used` figures are those of the last check or
 * operation, at most one check interval (10 s) old. Everything that changes something, or reads disks, is a promise.
 * Failures are EngineError. Objects stay valid until their pool is stopped or destroyed.
 */
import type {
  CreateAction,
  DeleteAction,
  GrowAction,
  MappingCreateAction,
  PropChangeAction,
  RenameAction,
  SetCreateAction,
  SetDeleteAction,
  StartAction,
  StopAction,
  UnlockAction,
} from "./actions";
import type { ActionAvailability } from "./errors";
import type { Bytes, Sectors } from "../units";
import type { DevUuid, FilesystemUuid, PoolUuid } from "../uuid";
import type { DmListEntry, Secret, UdevDevice } from "../native";

export type BlockDevTier = "data" | "cache";
export type MetadataVersion = 1 | 2;

export type IntegrityTagSpec = "0b" | "32b" | "512b";
/** Reservation at the end of each data device (engine.md §4.4). Absent members take the default. */
export interface IntegrityRequest {
  /** Default 128 MiB; a multiple of 4096. */
  journalSize?: Bytes;
  /** Default "512b". Unknown words are refused. */
  tagSpec?: string;
  /** Default true. */
  allocateSuperblock?: boolean;
}

/** Unlock methods for a new or an unencrypted pool; both lists empty means unencrypted. */
export interface EncryptionRequest {
  keys: { slot: number | null; description: string }[];
  clevis: { slot: number | null; pin: string; config: string }[];
}

export interface CreatePoolRequest {
  name: string;
  /** Absolute paths. */
  devices: string[];
  encryption: EncryptionRequest;
  integrity: IntegrityRequest;
}

export type PoolIdentifier = { by: "name"; name: string } | { by: "uuid"; uuid: PoolUuid };
/** null: none; any: try all; a number: that token slot. */
export type UnlockMethod = "any" | number | null;

export interface StartPoolRequest {
  pool: PoolIdentifier;
  unlock: UnlockMethod;
  /** Read from the caller's descriptor; the caller wipes it. */
  passphrase: Secret | null;
  removeCache: boolean;
}

export interface CreateFilesystemRequest {
  name: string;
  /** Bytes; null takes the default of 1 TiB. */
  size: bigint | null;
  /** Bytes; null is no limit. */
  sizeLimit: bigint | null;
}

/** A pool that is known but not running (dbus-api.md §10). */
export interface StoppedPool {
  uuid: PoolUuid;
  /** null: unknown, or shared with another stopped pool. */
  name: string | null;
  devices: { path: string; uuid: DevUuid }[];
  /** null: mixed versions. */
  metadataVersion: MetadataVersion | null;
  /** null: pool metadata could not be read. Names of dbus-api.md §10.1 that are true. */
  features: ("encryption" | "key_description_present" | "clevis_present")[] | null;
  /** V1 encrypted pools; the simulator shows those of V2 as well, as upstream's does. */
  encryption: LegacyEncryptionInfo | null;
  partiallyConstructed: boolean;
  /** Why it does not run, for people: "waiting for device ..."; null for a pool stopped on request. */
  reason: string | null;
}

/** A value that every device of a V1 pool records for itself, so that they may disagree. */
export type PerDevice<T> = { consistent: true; value: T } | { consistent: false };
/** V1 pools; a value of null means that there is no such binding. */
export interface LegacyEncryptionInfo {
  keyDescription: PerDevice<string | null>;
  clevis: PerDevice<{ pin: string; config: string } | null>;
}
/** V2 pools: bindings by token slot. */
export interface TokenBindings {
  keys: { slot: number; description: string }[];
  clevis: { slot: number; pin: string; config: string }[];
  freeSlots: number;
}

/** What changed in the background or as a side effect, by object; the D-Bus layer turns it into signals. */
export type EngineChange =
  | { change: "poolAdded"; pool: Pool }
  | { change: "poolRemoved"; uuid: PoolUuid }
  | { change: "pool"; uuid: PoolUuid; properties: PoolProperty[] }
  | { change: "filesystem"; pool: PoolUuid; uuid: FilesystemUuid; properties: FilesystemProperty[] }
  | { change: "filesystemRemoved"; pool: PoolUuid; uuid: FilesystemUuid }
  | { change: "blockDev"; pool: PoolUuid; uuid: DevUuid; properties: BlockDevProperty[] }
  | { change: "stoppedPools" };

export type PoolProperty =
  | "name"
  | "availableActions"
  | "hasCache"
  | "totalPhysicalSize"
  | "totalPhysicalUsed"
  | "allocatedSize"
  | "noAllocSpace"
  | "fsLimit"
  | "overprovisioning"
  | "encryption"
  | "lastReencrypted"
  | "inPlace";
export type FilesystemProperty =
  "name" | "devnode" | "size" | "used" | "sizeLimit" | "origin" | "mergeScheduled";
export type BlockDevProperty = "totalPhysicalSize" | "newPhysicalSize" | "userInfo";

export interface Engine {
  readonly isSimulator: boolean;

  pools(): readonly Pool[];
  getPool(uuid: PoolUuid): Pool | undefined;
  stoppedPools(): readonly StoppedPool[];

  createPool(request: CreatePoolRequest): Promise<CreateAction<Pool>>;
  /** Identity when no running pool has this uuid; an error while it has filesystems. */
  destroyPool(uuid: PoolUuid): Promise<DeleteAction<PoolUuid>>;
  renamePool(uuid: PoolUuid, name: string): Promise<RenameAction<PoolUuid>>;
  startPool(request: StartPoolRequest): Promise<StartAction<Pool>>;
  /** Starts an encrypted pool: the oldest D-Bus revisions have this beside no startPool. */
  unlockPool(uuid: PoolUuid, unlock: UnlockMethod): Promise<UnlockAction<Pool>>;
  /** Takes down what is up of the pool, also of one that is partially constructed. */
  stopPool(pool: PoolIdentifier): Promise<StopAction<PoolUuid>>;
  /** Forget everything in memory and discover anew. */
  refreshState(): Promise<EngineChange[]>;

  listKeys(): Promise<string[]>;
  /** The caller wipes the key. */
  setKey(description: string, key: Secret): Promise<MappingCreateAction>;
  unsetKey(description: string): Promise<"deleted" | "identity">;

  /** JSON values of engine.md §5.5; bigint where a number may exceed 2^53. */
  engineStateReport(): object;
  /** Throws EngineError for a name that is not known. */
  report(name: string): object;

  /** udev events, in the order in which they came. Resolves when all that they lead to is done. */
  handleUdevEvents(events: UdevDevice[]): Promise<EngineChange[]>;
  /** Some device-mapper event numbers moved; `devices` is the list read after re-arming. */
  handleDmEvents(devices: DmListEntry[]): Promise<EngineChange[]>;
  /** The 10-second check of pools and filesystems. Pools that are busy are left out. */
  periodicCheck(): Promise<EngineChange[]>;

  /** Orderly exit: waits for running operations, unmounts private mounts; pools stay up. */
  shutdown(): Promise<void>;
}

/** An encryption, re-encryption or decryption in place that is running. */
export interface InPlaceProgress {
  readonly kind: "encrypt" | "reencrypt" | "decrypt";
  /** Of `total`, which is 0 before the work has begun. */
  readonly done: Bytes;
  readonly total: Bytes;
  /** An estimate by the speed so far; null: there is none yet. */
  readonly remainingSeconds: number | null;
}

export interface Pool {
  readonly uuid: PoolUuid;
  readonly name: string;
  readonly metadataVersion: MetadataVersion;
  readonly availableActions: ActionAvailability;
  readonly encrypted: boolean;
  /** V1: per-device summary; V2: token slots; null when not encrypted. */
  readonly encryptionInfo: LegacyEncryptionInfo | TokenBindings | null;
  /** V2: the volume key is in the process keyring; an Error when that could not be found out. */
  readonly volumeKeyLoaded: boolean | Error;
  readonly lastReencrypted: Date | null;
  /** null: none is running. */
  readonly inPlace: InPlaceProgress | null;
  readonly hasCache: boolean;
  readonly totalPhysicalSize: Bytes;
  /** null: the thin pool's status is not a working one. */
  readonly totalPhysicalUsed: Bytes | null;
  readonly allocatedSize: Bytes;
  readonly noAllocSpace: boolean;
  /** The thin pool can't take any more data; absent: not known of this kind of pool. */
  readonly outOfSpace?: boolean;
  /** The thin pool's metadata device; null: its status is not a working one; absent: there is none. */
  readonly thinMetadata?: { readonly used: Bytes; readonly size: Bytes } | null;
  readonly fsLimit: bigint;
  readonly overprovisioning: boolean;

  filesystems(): readonly Filesystem[];
  getFilesystem(uuid: FilesystemUuid): Filesystem | undefined;
  blockDevs(): readonly BlockDev[];
  getBlockDev(uuid: DevUuid): BlockDev | undefined;

  createFilesystems(requests: CreateFilesystemRequest[]): Promise<SetCreateAction<Filesystem>>;
  /** Unknown uuids are ignored. `updated`: snapshots whose origin changed. */
  destroyFilesystems(uuids: FilesystemUuid[]): Promise<SetDeleteAction<FilesystemUuid, FilesystemUuid>>;
  renameFilesystem(uuid: FilesystemUuid, name: string): Promise<RenameAction<FilesystemUuid>>;
  snapshotFilesystem(origin: FilesystemUuid, name: string): Promise<CreateAction<Filesystem>>;
  /** Bytes; null removes the limit. */
  setFilesystemSizeLimit(
    uuid: FilesystemUuid,
    limit: bigint | null,
  ): Promise<PropChangeAction<Sectors | null>>;
  setFilesystemMergeScheduled(uuid: FilesystemUuid, scheduled: boolean): Promise<PropChangeAction<boolean>>;

  addDataDevs(paths: string[]): Promise<SetCreateAction<DevUuid> & { changed: PoolProperty[] }>;
  addCacheDevs(paths: string[]): Promise<SetCreateAction<DevUuid>>;
  /** `encryptedAllowed`: false from the D-Bus revisions that refuse caches on encrypted pools. */
  initCache(paths: string[], encryptedAllowed: boolean): Promise<SetCreateAction<DevUuid>>;
  growPhysical(device: DevUuid): Promise<{ action: GrowAction; changed: PoolProperty[] }>;
  setBlockDevUserInfo(device: DevUuid, info: string | null): Promise<RenameAction<DevUuid>>;

  setFsLimit(limit: bigint): Promise<void>;
  setOverprovisioning(enabled: boolean): Promise<void>;

  /** Pool-level metadata as JSON text: what would be written now, or what was last written. */
  metadata(current: boolean): Promise<string>;
  /** Filesystem records as JSON text by hyphenated uuid; `name` restricts it to one filesystem. */
  filesystemMetadata(name: string | null, current: boolean): Promise<string>;

  bindKeyring(description: string, slot: TokenSlotInput): Promise<CreateAction<number>>;
  bindClevis(pin: string, config: string, slot: TokenSlotInput): Promise<CreateAction<number>>;
  rebindKeyring(description: string, slot: number | null): Promise<RenameAction<string>>;
  rebindClevis(slot: number | null): Promise<void>;
  unbindKeyring(slot: number | null): Promise<DeleteAction<number>>;
  unbindClevis(slot: number | null): Promise<DeleteAction<number>>;
  encrypt(request: EncryptionRequest): Promise<CreateAction<true>>;
  reencrypt(): Promise<void>;
  decrypt(): Promise<DeleteAction<true>>;
}

/** "legacy": one slot per kind (D-Bus revisions before r8); null: any free slot. */
export type TokenSlotInput = "legacy" | number | null;

export interface Filesystem {
  readonly uuid: FilesystemUuid;
  readonly name: string;
  /** "/dev/stratis/POOL/FILESYSTEM" */
  readonly mountPath: string;
  /** Whole seconds. */
  readonly created: Date;
  readonly size: Bytes;
  /** null: could not be obtained. */
  readonly used: Bytes | null;
  readonly sizeLimit: Bytes | null;
  readonly origin: FilesystemUuid | null;
  readonly mergeScheduled: boolean;
}

export interface BlockDev {
  readonly uuid: DevUuid;
  readonly tier: BlockDevTier;
  /** The path that carries the Stratis metadata. */
  readonly devnode: string;
  readonly physicalPath: string;
  readonly userInfo: string | null;
  readonly hardwareInfo: string | null;
  /** Whole seconds. */
  readonly initializationTime: Date;
  /** As recorded in the static header. */
  readonly size: Bytes;
  /** A size other than the recorded one that was seen. */
  readonly newSize: Bytes | null;
  /** false: it was removed while the pool runs. */
  readonly present?: boolean;
}
