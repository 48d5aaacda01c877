/**
 * Deciding what becomes of a pool whose devices are known: it is set up, it waits, or it is the remains of an
 * interrupted creation or destruction, which are cleared away (engine.md §9).
 */
import type { PoolRecord } from "../../../disk/pool-record";
import { logger } from "../../../log";
import { EngineError, errorText } from "../../errors";
import { withUndo, type UndoStack } from "../../undo";
import { RealBlockDev } from "../blockdev";
import { recoverHeaders } from "../crypt/header-backup";
import type { Unlock } from "../crypt/request";
import type { PoolCore } from "../core";
import { setUpPool, type FoundPool } from "../pool-setup";
import { hasLeftovers, removeLeftovers } from "../thinpool/stack";
import type { LinkNotifier } from "../uevent";
import { clearAway } from "./clear-away";
import { newestRecord } from "./newest-record";
import { describePool, lockedDevices, type LiminalPool } from "./liminal";
import { members, recordedDevices } from "./recorded";
import { dropUncommitted, hasFlag } from "./uncommitted";
import { forgetClosed, unlockDevices } from "./unlock";

const log = logger("stratisd::engine::discovery");

/**
 * running: set up. waits: stays liminal, with the reason noted in it. gone: its devices belong to nobody any more.
 */
export type SetUpOutcome =
  { outcome: "running"; core: PoolCore } | { outcome: "waits" } | { outcome: "gone" };

const FEATURE_NAMES = {
  Encryption: "encryption",
  KeyDescriptionEnabled: "key_description_present",
  ClevisEnabled: "clevis_present",
} as const;

export function visibleFeatures(record: PoolRecord): NonNullable<LiminalPool["features"]> {
  return Object.entries(FEATURE_NAMES).flatMap(([feature, name]) =>
    record.features.includes(feature) ? [name] : [],
  );
}

export interface SetUpOptions {
  /** On request, so that a recorded stop does not count. */
  start: boolean;
  /**
   * No more devices are to be expected. Without that an interrupted creation or destruction is left as it is: a device
   * that is still to come may hold the record, and must not be left behind alone.
   */
  allSeen: boolean;
  /** Set up without the cache, whose devices are free afterwards. */
  removeCache?: boolean;
  /** How an encrypted pool is opened. */
  unlock: Unlock;
  /** Takes the name for the pool, in its turn. Throws when a running pool has it, or is about to. */
  claimName: (name: string) => void | Promise<void>;
}

/** Never throws: what goes wrong is the reason why the pool waits. */
export async function trySetUp(
  pool: LiminalPool,
  links: LinkNotifier,
  options: SetUpOptions,
): Promise<SetUpOutcome> {
  try {
    const decided = await withUndo((undo) => decide(pool, links, options, undo));
    // It waits for nothing any more.
    if (decided.outcome === "gone") pool.reason = null;
    return decided;
  } catch (error) {
    pool.reason = errorText(error);
    log.info(`Not setting up ${describePool(pool)} now, which may succeed later: ${pool.reason}`);
    pool.partiallyConstructed = await leftoversExist(pool);
    return { outcome: "waits" };
  }
}

function requireAllSeen(what: "creation" | "destruction", { allSeen }: SetUpOptions): void {
  if (!allSeen)
    throw new EngineError(
      `its ${what} was interrupted; what is left of it is cleared away when stratisd starts, or by "stratis debug refresh"`,
    );
}

async function leftoversExist(pool: LiminalPool): Promise<boolean> {
  try {
    return await hasLeftovers(pool.uuid, [...pool.luks.keys()]);
  } catch (error) {
    log.warn(`Could not list device-mapper devices: ${errorText(error)}`);
    return pool.partiallyConstructed;
  }
}

async function decide(
  pool: LiminalPool,
  links: LinkNotifier,
  options: SetUpOptions,
  undo: UndoStack,
): Promise<SetUpOutcome> {
  await recoverHeaders([...pool.luks.values()]);
  if (await endDestruction(pool, options)) return { outcome: "gone" };
  if (!options.start) await finishPartialStop(pool);
  await unlockDevices(pool, options, undo);
  if (await endDestruction(pool, options)) return { outcome: "gone" };
  const devices = [...pool.devices.values()];
  const newest = await newestRecord(devices);
  if (newest === null) {
    if (devices.every(({ header }) => hasFlag(header, "creating"))) {
      requireAllSeen("creation", options);
      await clearAway(pool, devices, "creation");
      return { outcome: "gone" };
    }
    throw new EngineError("no device found so far holds metadata of the pool");
  }
  const { record, copy } = newest;
  await dropUncommitted(pool, record);
  describe(pool, record);
  requireExactDevices(pool, record);
  if (record.started === false && !options.start) {
    pool.reason = null;
    await finishStop(pool, record.name);
    pool.partiallyConstructed = await leftoversExist(pool);
    return { outcome: "waits" };
  }
  try {
    await options.claimName(record.name);
  } catch (error) {
    // What was unlocked on request stays open, as upstream leaves it: the pool can be set up when the name is free.
    undo.commit();
    throw error;
  }
  const removesCache = options.removeCache === true && record.cacheTier !== null;
  const found: FoundPool = {
    uuid: pool.uuid,
    record: removesCache ? { ...record, cacheTier: null } : record,
    time: copy.time,
    unlock: options.unlock,
    devices: members(pool, removesCache ? { ...record, cacheTier: null } : record),
  };
  const formerCache = removesCache ? [...members(pool, record).values()].filter(isOfCache) : [];
  if (removesCache) await requireNoCacheLive(pool, record);
  return { outcome: "running", core: await setUpPool(found, links, formerCache) };
}

/** False: none of the devices that are open tells of one. */
async function endDestruction(pool: LiminalPool, options: SetUpOptions): Promise<boolean> {
  const devices = [...pool.devices.values()];
  if (!devices.some(({ header }) => hasFlag(header, "destroying"))) return false;
  requireAllSeen("destruction", options);
  await clearAway(pool, devices, "destruction");
  return true;
}

/** The same as finishStop() where some of the encrypted devices of a pool are closed, and others are not. */
async function finishPartialStop(pool: LiminalPool): Promise<void> {
  if (pool.devices.size === 0 || lockedDevices(pool).length === 0) return;
  const newest = await newestRecord([...pool.devices.values()]);
  if (newest?.record.started === false) await finishStop(pool, newest.record.name);
}

/** Devices of a pool that is recorded as stopped are left from a stop, or from a start, that was interrupted. */
async function finishStop(pool: LiminalPool, name: string): Promise<void> {
  if (!(await leftoversExist(pool))) return;
  log.info(`Pool "${name}" is stopped, but devices of it are active; removing them`);
  try {
    await removeLeftovers(pool.uuid, [...pool.luks.keys()]);
  } catch (error) {
    log.warn(`Not all devices of stopped pool "${name}" could be removed: ${errorText(error)}`);
  }
  await forgetClosed(pool);
}

const isOfCache = (device: RealBlockDev): boolean => device.tier === "cache";

/** A live cache is still written through by whoever uses it; what is in its place must not be made beside it. */
async function requireNoCacheLive(pool: LiminalPool, record: PoolRecord): Promise<void> {
  if (!(await hasLeftovers(pool.uuid))) return;
  log.info(`Removing what is left of pool "${record.name}" before it is started without its cache`);
  await removeLeftovers(pool.uuid);
}

function describe(pool: LiminalPool, record: PoolRecord): void {
  const recorded = new Set(recordedDevices(record));
  const exact = recorded.size === pool.devices.size && [...recorded].every((uuid) => pool.devices.has(uuid));
  pool.name = exact ? record.name : null;
  pool.incompleteName = exact ? null : record.name;
  pool.features = exact ? visibleFeatures(record) : null;
}

function requireExactDevices(pool: LiminalPool, record: PoolRecord): void {
  const recorded = recordedDevices(record);
  const missing = recorded.filter((uuid) => !pool.devices.has(uuid));
  if (missing.length > 0)
    throw new EngineError(`waiting for device ${missing.join(", ")} of pool "${record.name}"`);
  const strangers = [...pool.devices].filter(([uuid]) => !recorded.includes(uuid));
  if (strangers.length > 0)
    throw new EngineError(
      `${strangers.map(([, { path }]) => path).join(", ")} carries the pool's UUID but is not in its metadata`,
    );
}
