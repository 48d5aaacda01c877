/** What can be asked of any pool, running or not (system.md §18.3). */
import type { Engine, PerDevice, Pool, PoolIdentifier, StoppedPool } from "../engine/engine";
import { EngineError } from "../engine/errors";

const described = (id: PoolIdentifier): string => (id.by === "name" ? `name ${id.name}` : `UUID ${id.uuid}`);

export function runningPool(engine: Engine, id: PoolIdentifier): Pool | undefined {
  if (id.by === "uuid") return engine.getPool(id.uuid);
  return engine.pools().find(({ name }) => name === id.name);
}

/** Throws EngineError when it does not run. */
export function requireRunning(engine: Engine, id: PoolIdentifier): Pool {
  const pool = runningPool(engine, id);
  if (pool === undefined) throw new EngineError(`Pool with ${described(id)} not found`);
  return pool;
}

export function requireNamed(engine: Engine, name: string): Pool {
  const pool = runningPool(engine, { by: "name", name });
  if (pool === undefined) throw new EngineError(`No pool named ${name} found`);
  return pool;
}

type Found = { running: Pool } | { stopped: StoppedPool };

function find(engine: Engine, id: PoolIdentifier): Found {
  const running = runningPool(engine, id);
  if (running !== undefined) return { running };
  const stopped = engine
    .stoppedPools()
    .find((pool) => (id.by === "uuid" ? pool.uuid === id.uuid : pool.name === id.name));
  if (stopped !== undefined) return { stopped };
  if (id.by === "name") throw new EngineError(`Could not find pool with name ${id.name}`);
  throw new EngineError(`Pool with ${described(id)} not found`);
}

type Feature = NonNullable<StoppedPool["features"]>[number];

/** Throws EngineError when the pool's metadata could not be read: nothing is known then, which is not a no. */
function hasFeature({ uuid, features }: StoppedPool, feature: Feature): boolean {
  if (features === null)
    throw new EngineError(
      `The metadata of pool with UUID ${uuid}, which has its features, could not be read`,
    );
  return features.includes(feature);
}

function requireVersion({ metadataVersion }: StoppedPool): 1 | 2 {
  if (metadataVersion === null) throw new EngineError("Found multiple metadata versions");
  return metadataVersion;
}

function agreed(value: PerDevice<unknown>, what: string): boolean {
  if (!value.consistent) throw new EngineError(`${what} is inconsistent across devices`);
  return value.value !== null;
}

export const isStopped = (engine: Engine, id: PoolIdentifier): boolean => "stopped" in find(engine, id);

export function isEncrypted(engine: Engine, id: PoolIdentifier): boolean {
  const found = find(engine, id);
  if ("running" in found) return found.running.encrypted;
  const { stopped } = found;
  return requireVersion(stopped) === 1 ? stopped.encryption !== null : hasFeature(stopped, "encryption");
}

export function hasPassphrase(engine: Engine, id: PoolIdentifier): boolean {
  const found = find(engine, id);
  if ("running" in found) {
    const { encryptionInfo: info } = found.running;
    if (info === null) return false;
    return "keys" in info ? info.keys.length > 0 : agreed(info.keyDescription, "Key description");
  }
  const { stopped } = found;
  if (requireVersion(stopped) === 2) return hasFeature(stopped, "key_description_present");
  return stopped.encryption !== null && agreed(stopped.encryption.keyDescription, "Key description");
}

/** Whether Clevis can unlock it. */
export function isBound(engine: Engine, id: PoolIdentifier): boolean {
  const found = find(engine, id);
  if ("running" in found) {
    const { encryptionInfo: info } = found.running;
    if (info === null) return false;
    // Both kinds have a member of this name.
    return Array.isArray(info.clevis) ? info.clevis.length > 0 : agreed(info.clevis, "Clevis information");
  }
  const { stopped } = found;
  if (requireVersion(stopped) === 2) return hasFeature(stopped, "clevis_present");
  return stopped.encryption !== null && agreed(stopped.encryption.clevis, "Clevis information");
}
