/** Space of a cache tier: all of every cache device is taken at once (on-disk-format.md §11.1, §11.2). */
import type { DeviceRecord, DeviceSegment, PoolRecord } from "../../../disk/pool-record";
import { bdaExtendedSize } from "../../../disk/static-header";
import { sectors, sumSectors, type Sectors } from "../../../units";
import { assertInvariant, EngineError } from "../../errors";
import type { Headers } from "./allocation";

/** Metadata of the cache, from the front of its first devices: 512 MiB, never grown. */
export const CACHE_META_SECTORS = sectors(1048576n);
/** What that much metadata can describe: 32 TiB. */
const MAX_CACHE_SECTORS = sectors(68719476736n);

type CacheTier = NonNullable<PoolRecord["cacheTier"]>;

const lengths = (segments: readonly DeviceSegment[]): Sectors =>
  sumSectors(segments.map(({ length }) => length));

/** Everything behind the metadata of each device. */
function freeSpace(devices: readonly DeviceRecord[], headers: Headers): DeviceSegment[] {
  return devices.map(({ uuid }) => {
    const header = headers.get(uuid);
    assertInvariant(header !== undefined, `cache device ${uuid} has no static header`);
    const start = bdaExtendedSize(header);
    return { parent: uuid, start, length: sectors(header.deviceSize - start) };
  });
}

function requireWithinLimit(tier: CacheTier): CacheTier {
  const size = lengths(tier.cacheAllocations);
  if (size > MAX_CACHE_SECTORS)
    throw new EngineError(
      `The cache would have ${size} sectors, more than the limit of ${MAX_CACHE_SECTORS} sectors (32 TiB)`,
    );
  return tier;
}

/** A new tier of these devices, all of which `headers` know. Throws EngineError when they are too small or too large. */
export function newCacheTier(devices: DeviceRecord[], headers: Headers): CacheTier {
  const metaAllocations: DeviceSegment[] = [];
  const cacheAllocations: DeviceSegment[] = [];
  let missing: bigint = CACHE_META_SECTORS;
  for (const { parent, start, length } of freeSpace(devices, headers)) {
    const meta = missing < length ? missing : length;
    missing -= meta;
    if (meta > 0n) metaAllocations.push({ parent, start, length: sectors(meta) });
    if (length > meta)
      cacheAllocations.push({ parent, start: sectors(start + meta), length: sectors(length - meta) });
  }
  if (cacheAllocations.length === 0)
    throw new EngineError(
      `The cache devices have no space left beside the ${CACHE_META_SECTORS} sectors of the cache's metadata`,
    );
  return requireWithinLimit({ metaAllocations, cacheAllocations, devices });
}

/** The tier with more devices, all of whose space holds cached blocks. */
export function extendedCacheTier(tier: CacheTier, added: DeviceRecord[], headers: Headers): CacheTier {
  return requireWithinLimit({
    ...tier,
    cacheAllocations: [...tier.cacheAllocations, ...freeSpace(added, headers)],
    devices: [...tier.devices, ...added],
  });
}

/** Throws EngineError unless all space of the cache devices is taken, as set-up requires. */
export function requireAllTaken(tier: CacheTier, headers: Headers): void {
  const free = lengths(freeSpace(tier.devices, headers));
  const taken = sectors(lengths(tier.metaAllocations) + lengths(tier.cacheAllocations));
  if (free !== taken)
    throw new EngineError(
      `The cache devices have ${free} sectors for the cache, but ${taken} are recorded as taken`,
    );
}
