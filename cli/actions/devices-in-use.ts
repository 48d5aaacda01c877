/** Paths of devices that a command is given, and the check that no pool has them already (cli.md §4.6, §7.1). */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { devicesInUse, partialChange, type TierName } from "../errors";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { asInteger, asText } from "../values";

const TIER_NUMBERS: Readonly<Record<TierName, bigint>> = { DATA: 0n, CACHE: 1n };
const OTHER_TIER: Readonly<Record<TierName, TierName>> = { DATA: "CACHE", CACHE: "DATA" };

/** Absolute paths without "." and "..", each once, in the user's order. Links stay as they are. */
export const requestedPaths = (paths: readonly string[]): string[] => [
  ...new Set(
    paths.map((path) =>
      // POSIX leaves the meaning of exactly two leading slashes open, so they are kept.
      /^\/\/(?!\/)/.test(path) ? `/${resolve(path)}` : resolve(path),
    ),
  ),
];

/** The path without links; as it is if there is nothing at it, about which stratisd is to complain. */
async function target(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}

/** Requested paths, each with the names that a device may have to be the same. */
type Requested = ReadonlyMap<string, ReadonlySet<string>>;

async function withTargets(paths: readonly string[]): Promise<Requested> {
  return new Map(
    await Promise.all(
      paths.map(async (path): Promise<[string, Set<string>]> => [path, new Set([path, await target(path)])]),
    ),
  );
}

/** The requested paths that are devices of a tier, in the user's order, by the object path of the pool. */
async function usedPaths(
  objects: ManagedObjects,
  requested: Requested,
  tier: TierName,
): Promise<Map<string, string[]>> {
  const used = new Map<string, string[]>();
  const devices = objects
    .all("block device")
    .filter((device) => device.get("Tier", asInteger) === TIER_NUMBERS[tier]);
  const owners = new Map<string, string>();
  for (const device of devices) {
    const devnode = device.get("Devnode", asText);
    const owner = device.get("Pool", asText);
    owners.set(devnode, owner);
    owners.set(await target(devnode), owner);
  }
  for (const [path, names] of requested) {
    const owner = [...names].map((name) => owners.get(name)).find((found) => found !== undefined);
    if (owner !== undefined) used.set(owner, [...(used.get(owner) ?? []), path]);
  }
  return used;
}

function byPoolName(objects: ManagedObjects, used: ReadonlyMap<string, string[]>): Map<string, string[]> {
  const names = new Map(
    objects.all("pool").map((pool: ManagedObject) => [pool.path, pool.get("Name", asText)]),
  );
  return new Map([...used].map(([owner, paths]) => [names.get(owner) ?? owner, paths]));
}

/**
 * Throws if any of the absolute `paths` is a device of a pool already: of the other tier than `tier`, of the pool named
 * `ownPool` itself, or of another pool. `ownPool` is null for a pool that is yet to be made.
 */
export async function checkNotInUse(
  objects: ManagedObjects,
  paths: readonly string[],
  tier: TierName,
  ownPool: string | null,
): Promise<void> {
  const requested = await withTargets(paths);
  const other = OTHER_TIER[tier];
  const inOtherTier = byPoolName(objects, await usedPaths(objects, requested, other));
  if (inOtherTier.size > 0) throw devicesInUse(inOtherTier, other, tier);
  const inSameTier = byPoolName(objects, await usedPaths(objects, requested, tier));
  const own = ownPool === null ? undefined : inSameTier.get(ownPool);
  if (own !== undefined)
    throw partialChange(
      `add to ${tier.toLowerCase()}`,
      paths.filter((path) => !own.includes(path)),
      own,
    );
  if (inSameTier.size > 0) throw devicesInUse(inSameTier, tier, tier);
}
