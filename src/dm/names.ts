/** Names of a pool's device-mapper devices; their uuids are the same strings (devicemapper.md §2.1). */
import { hyphenated, simpleUuid, type DevUuid, type FilesystemUuid, type PoolUuid } from "../uuid";

/** The "1" is the version of the naming scheme, not of the pool's metadata. */
const PREFIX = "stratis-1";

/** What names of devices below the filesystems begin with. */
export const PRIVATE_PREFIX = `${PREFIX}-private-`;

const privateName = (uuid: PoolUuid | DevUuid, role: string): string =>
  `${PRIVATE_PREFIX}${simpleUuid(uuid)}-${role}`;

/** Concatenation of the data tier. */
export const physicalOriginsub = (pool: PoolUuid): string => privateName(pool, "physical-originsub");
/** Metadata of the cache. */
export const physicalMetasub = (pool: PoolUuid): string => privateName(pool, "physical-metasub");
/** Blocks of the cache. */
export const physicalCachesub = (pool: PoolUuid): string => privateName(pool, "physical-cachesub");
/** The cache, or in V2 without one the linear device in its place. */
export const physicalCache = (pool: PoolUuid): string => privateName(pool, "physical-cache");
/** The one crypt device of an encrypted V2 pool. */
export const v2Crypt = (pool: PoolUuid): string => privateName(pool, "crypt");
/** A V1 pool has one crypt device for each block device. */
export const v1Crypt = (dev: DevUuid): string => privateName(dev, "crypt");
/**
 * What may be between a crypt device and what is below it while it is encrypted, re-encrypted or decrypted in place,
 * from the top down: the first two are libcryptsetup's.
 */
export const cryptHelpers = (crypt: string): readonly [overlay: string, hotzone: string, alias: string] => [
  `${crypt}-overlay`,
  `${crypt}-hotzone-forward`,
  `${crypt}-recovery`,
];
export const flexThinMeta = (pool: PoolUuid): string => privateName(pool, "flex-thinmeta");
export const flexThinMetaSpare = (pool: PoolUuid): string => privateName(pool, "flex-thinmetaspare");
export const flexThinData = (pool: PoolUuid): string => privateName(pool, "flex-thindata");
export const flexMdv = (pool: PoolUuid): string => privateName(pool, "flex-mdv");
export const thinPool = (pool: PoolUuid): string => privateName(pool, "thinpool-pool");
export const thinFilesystem = (pool: PoolUuid, fs: FilesystemUuid): string =>
  `${PREFIX}-${simpleUuid(pool)}-thin-fs-${simpleUuid(fs)}`;

/** null for a name that thinFilesystem() does not make. */
export function parseThinFilesystemName(name: string): { pool: PoolUuid; fs: FilesystemUuid } | null {
  const [, pool, fs] = /^stratis-1-([0-9a-f]{32})-thin-fs-([0-9a-f]{32})$/.exec(name) ?? [];
  if (pool === undefined || fs === undefined) return null;
  return { pool: hyphenated(pool) as PoolUuid, fs: hyphenated(fs) as FilesystemUuid };
}

const PRIVATE_NAME =
  /^stratis-1-private-([0-9a-f]{32})-(?:physical-(?:originsub|metasub|cachesub|cache)|crypt|flex-(?:thinmeta|thinmetaspare|thindata|mdv)|thinpool-pool)$/;

/**
 * The pool whose device this is; null for the name of a device that is not Stratis's. The name of a crypt device does
 * not tell V1 from V2: for that of a V1 pool the result is the UUID of the block device, which no pool has.
 */
export function poolOfDmName(name: string): PoolUuid | null {
  const [, pool] = PRIVATE_NAME.exec(name) ?? [];
  if (pool !== undefined) return hyphenated(pool) as PoolUuid;
  return parseThinFilesystemName(name)?.pool ?? null;
}

/**
 * Every device that a pool may have below its filesystems, from the top of the stack down, which is the order to
 * remove them in (engine.md §9.3). `v1Devices`: the block devices of a V1 pool, whose crypt devices come last.
 */
export function leftoverNames(pool: PoolUuid, v1Devices: readonly DevUuid[] = []): string[] {
  return [
    thinPool(pool),
    flexThinData(pool),
    flexThinMeta(pool),
    flexThinMetaSpare(pool),
    flexMdv(pool),
    v2Crypt(pool),
    ...cryptHelpers(v2Crypt(pool)),
    physicalCache(pool),
    physicalCachesub(pool),
    physicalMetasub(pool),
    physicalOriginsub(pool),
    ...v1Devices.map(v1Crypt).flatMap((crypt) => [crypt, ...cryptHelpers(crypt)]),
  ];
}
