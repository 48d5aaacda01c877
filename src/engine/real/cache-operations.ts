/** The cache of a running pool: putting one in, and adding devices to it (engine.md §17.2, §17.3; devicemapper.md §2.15). */
import type { PoolRecord } from "../../disk/pool-record";
import { SECTOR_BYTES } from "../../units";
import type { DevUuid } from "../../uuid";
import type { SetCreateAction } from "../actions";
import { ChainedError, EngineError, RollbackError } from "../errors";
import { requireSameDevices } from "../identity";
import { withUndo, type UndoStack } from "../undo";
import { validatePaths } from "../validation";
import { extendedCacheTier, newCacheTier } from "./backstore/cache";
import { withBlockFile } from "./block-file";
import type { RealBlockDev } from "./blockdev";
import type { PoolCore } from "./core";
import { requireUniformSectorSizes, type RequestedDevice } from "./discovery/requested";
import {
  addMembers,
  claimDevices,
  confirmAdded,
  examineForTier,
  requireSectorSizesOf,
  tierSectorSizes,
} from "./members";

/** What the kernel must find empty at the start of a cache's metadata to make a new one. */
const BLANK_META_SECTORS = 8n;

type CacheTier = NonNullable<PoolRecord["cacheTier"]>;

/** The logical size must agree with the data tier's; a larger physical one only costs speed. */
function requireLogicalSectorSize(core: PoolCore, devices: readonly RequestedDevice[]): void {
  const { logical } = tierSectorSizes(core, core.dataDevices());
  for (const { path, sectorSizes } of devices)
    if (sectorSizes.logical !== logical)
      throw new EngineError(
        `${path} has logical sectors of ${sectorSizes.logical} bytes, where the data devices of pool ` +
          `"${core.name}" have ${logical} bytes; it can't be used as a cache of them`,
      );
}

/** Puts a cache of these devices into a pool. A pool that has one of exactly these devices is left as it is. */
export async function initCache(core: PoolCore, paths: string[]): Promise<SetCreateAction<DevUuid>> {
  const requested = await examineForTier(core, paths, "cache");
  if (core.record.cacheTier !== null) {
    requireSameDevices(
      core.name,
      [...requested.owned, ...requested.unowned].map(({ path }) => path),
      core.cacheDevices().map(({ physicalPath }) => physicalPath),
    );
    return { created: [] };
  }
  if (requested.unowned.length === 0)
    throw new EngineError(`At least one device is required to initialize a cache of pool "${core.name}"`);
  requireUniformSectorSizes(requested.unowned);
  requireLogicalSectorSize(core, requested.unowned);
  return await claimDevices(requested.unowned, () =>
    changeCache(core, requested.unowned, async (added, headers) => {
      const tier = newCacheTier(
        added.map((device) => device.record),
        headers,
      );
      await blankCacheMetadata(core, tier);
      return tier;
    }),
  );
}

export async function addCacheDevices(core: PoolCore, paths: string[]): Promise<SetCreateAction<DevUuid>> {
  validatePaths(paths);
  const existing = core.record.cacheTier;
  if (existing === null)
    throw new EngineError(
      `No cache has been initialized for pool "${core.name}" with UUID ${core.uuid}; it is therefore impossible to ` +
        "add additional devices to the cache",
    );
  const requested = await examineForTier(core, paths, "cache");
  if (requested.unowned.length === 0) return { created: [] };
  requireUniformSectorSizes(requested.unowned);
  requireSectorSizesOf(core, "cache", requested.unowned);
  return await claimDevices(requested.unowned, () =>
    changeCache(core, requested.unowned, (added, headers) =>
      Promise.resolve(
        extendedCacheTier(
          existing,
          added.map((device) => device.record),
          headers,
        ),
      ),
    ),
  );
}

/** A cache is made anew where its metadata begins with zeros. Done before any record says that there is a cache. */
async function blankCacheMetadata(core: PoolCore, tier: CacheTier): Promise<void> {
  let missing = BLANK_META_SECTORS;
  for (const { parent, start, length } of tier.metaAllocations) {
    const device = core.devices.get(parent);
    if (device === undefined || missing === 0n) break;
    const part = length < missing ? length : missing;
    missing -= part;
    await withBlockFile(device.devnode, { write: true }, async (file) => {
      await file.zero(start * SECTOR_BYTES, part * SECTOR_BYTES);
      await file.sync();
    });
  }
}

/**
 * Initializes the devices, saves the record with the tier that `plan` makes of them, and makes the kernel follow.
 * When that fails, the previous record is saved again before the devices are wiped.
 */
async function changeCache(
  core: PoolCore,
  devices: readonly RequestedDevice[],
  plan: (added: RealBlockDev[], headers: PoolCore["headers"]) => Promise<CacheTier>,
): Promise<SetCreateAction<DevUuid>> {
  const isNew = core.record.cacheTier === null;
  try {
    const added = await withUndo(async (undo) => {
      const members = await initializeCacheMembers(core, devices, undo);
      const cacheTier = await plan(members, core.headers);
      const paths = members.map((device) => device.physicalPath).join(", ");
      try {
        await core.reshape(
          { ...core.record, cacheTier },
          `${isNew ? "got a cache of" : "has more cache on"} ${paths}`,
        );
      } catch (error) {
        // The record on disk may name the devices: they must stay members.
        if (error instanceof RollbackError) undo.commit();
        throw error;
      }
      undo.commit();
      return members;
    });
    await confirmAdded(core.name, added);
    return { created: added.map((device) => device.uuid) };
  } catch (error) {
    throw new ChainedError(
      `Failed to ${isNew ? "initialize the cache" : "add cache devices"} of pool "${core.name}"`,
      error,
    );
  }
}

function initializeCacheMembers(
  core: PoolCore,
  devices: readonly RequestedDevice[],
  undo: UndoStack,
): Promise<RealBlockDev[]> {
  return addMembers(
    core,
    devices,
    {
      tier: "cache",
      record: ({ devUuid }, hardwareInfo) => ({
        uuid: devUuid,
        integrityMetaAllocations: [],
        userInfo: null,
        hardwareInfo,
      }),
    },
    undo,
  );
}
