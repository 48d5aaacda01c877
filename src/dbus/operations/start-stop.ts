/** StartPool, UnlockPool and StopPool (dbus-api.md §5.2, §10.4, §11.3). */
import { EngineError } from "../../engine/errors";
import type { Pool, PoolIdentifier, StartPoolRequest } from "../../engine/engine";
import type { Secret } from "../../native";
import { poolUuid, simpleUuid, type PoolUuid } from "../../uuid";
import type { ServiceContext } from "../context";
import { registerPool, syncPool, tellingStopped, unregisterPool } from "../reconcile";
import type { MethodCall } from "../table/rows";
import type { PoolEntry } from "../tree";
import { unlockWord } from "./arguments";

type Call = MethodCall<"Manager">;

const described = (pool: PoolIdentifier): string =>
  pool.by === "name" ? `pool ${pool.name}` : `pool with uuid ${pool.uuid}`;

/** (b(oaoao)): the pool, its block devices, its filesystems. */
export type StartedPool = [boolean, [string, string[], string[]]];

const paths = (entries: Iterable<{ path: string }>): string[] => [...entries].map(({ path }) => path);

/** Registers a pool that was started and announces what that changes about stopped and locked pools. */
function announceStarted(service: ServiceContext, pool: Pool): PoolEntry {
  const entry = registerPool(service, pool);
  if (pool.encrypted) service.announcer.lockedPoolsChanged();
  service.announcer.stoppedPoolsChanged();
  return entry;
}

/** Wipes the passphrase. */
export async function startPool({ service }: Call, request: StartPoolRequest): Promise<StartedPool> {
  let result;
  try {
    result = await tellingStopped(service, () => service.engine.startPool(request));
  } finally {
    request.passphrase?.wipe();
  }
  if (result.action === "identity") {
    service.log.info(`StartPool: ${described(request.pool)} is started already`);
    return [false, ["/", [], []]];
  }
  const entry = announceStarted(service, result.value);
  service.log.info(`StartPool: started pool ${result.value.name} with uuid ${entry.uuid}`);
  return [true, [entry.path, paths(entry.blockDevs.values()), paths(entry.filesystems.values())]];
}

/** The passphrase of a (bh) argument. The descriptor is not looked at when the boolean is false. */
export const passphrase = (
  { descriptors }: Call,
  [present, fd]: [boolean, number],
): Promise<Secret | null> => (present ? descriptors.readKey(fd) : Promise.resolve(null));

/**
 * r0 and r1: starts the pool, since unlocking alone no longer exists. The uuids are those of the devices that had to
 * be unlocked, which only V1 pools have. Unlike upstream the pool gets its objects.
 */
export async function unlockPool({ service }: Call, id: string, word: string): Promise<[boolean, string[]]> {
  const uuid = poolUuid(id);
  const result = await tellingStopped(service, () => service.engine.unlockPool(uuid, unlockWord(word)));
  if (result.action === "identity") {
    service.log.info(`UnlockPool: pool with uuid ${uuid} is started already`);
    return [false, []];
  }
  const pool = result.value;
  if (pool === null) return [true, []];
  announceStarted(service, pool);
  service.log.info(`UnlockPool: started pool ${pool.name} with uuid ${uuid}`);
  const unlocked = pool.metadataVersion === 1 && pool.encrypted ? pool.blockDevs() : [];
  return [true, unlocked.map((device) => simpleUuid(device.uuid))];
}

const LEFT_OVER = "Pool was stopped, but some component devices were not torn down";

/** Pools that StopPool may be about, to find their objects when it is done. */
function candidates(service: ServiceContext, pool: PoolIdentifier): PoolUuid[] {
  if (pool.by === "uuid") return [pool.uuid];
  return service.engine
    .pools()
    .filter(({ name }) => name === pool.name)
    .map(({ uuid }) => uuid);
}

const isLegacyEncrypted = (service: ServiceContext, uuid: PoolUuid): boolean => {
  const pool = service.engine.getPool(uuid);
  if (pool !== undefined) return pool.metadataVersion === 1 && pool.encrypted;
  return service.engine
    .stoppedPools()
    .some((stopped) => stopped.uuid === uuid && stopped.encryption !== null && stopped.metadataVersion !== 2);
};

/** r6 and later. */
export async function stopPoolById({ service }: Call, pool: PoolIdentifier): Promise<[boolean, string]> {
  const involved = candidates(service, pool);
  const legacyEncrypted = involved.filter((uuid) => isLegacyEncrypted(service, uuid));
  let result;
  try {
    result = await service.engine.stopPool(pool);
  } catch (error) {
    // Filesystems that were torn down before the failure lose their objects.
    for (const uuid of involved) syncPool(service, uuid);
    throw error;
  }
  service.log.info(`StopPool: ${described(pool)}: ${result.action}`);
  if (result.action === "identity") return [false, ""];
  if (result.action === "cleanedUp") {
    // Its devices are closed now.
    if (isLegacyEncrypted(service, result.value)) service.announcer.lockedPoolsChanged();
    return [true, simpleUuid(result.value)];
  }
  unregisterPool(service, result.value);
  service.announcer.stoppedPoolsChanged();
  if (legacyEncrypted.includes(result.value) || isLegacyEncrypted(service, result.value))
    service.announcer.lockedPoolsChanged();
  if (result.action === "partial") throw new EngineError(LEFT_OVER);
  return [true, simpleUuid(result.value)];
}

/** r2 to r5. */
export function stopPoolAtPath(call: Call, path: string): Promise<[boolean, string]> {
  const entry = call.service.tree.at(path);
  if (entry?.kind !== "pool")
    throw new EngineError(`No pool found in engine associated with object path ${path}`);
  return stopPoolById(call, { by: "uuid", uuid: entry.uuid });
}
