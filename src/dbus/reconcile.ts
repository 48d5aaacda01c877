/**
 * Objects on the bus follow what the engine has: after every operation, done or failed, and for changes in the
 * background. Adding what is there already, or removing what is gone, does nothing and announces nothing.
 */
import type { EngineChange, Filesystem, Pool } from "../engine/engine";
import type { DevUuid, PoolUuid } from "../uuid";
import type { ServiceContext } from "./context";
import type { BlockDevEntry, FilesystemEntry, ManagedEntry, ObjectTree, PoolEntry } from "./tree";

/** Objects for a pool and everything in it. Nobody is told: for when nobody can have known of others yet. */
export function addPool(tree: ObjectTree, pool: Pool): { entry: PoolEntry; added: ManagedEntry[] } {
  const added: ManagedEntry[] = [];
  let entry = tree.pool(pool.uuid);
  if (entry === undefined) {
    entry = tree.addPool(pool);
    added.push(entry);
  }
  for (const { uuid } of pool.filesystems())
    if (!entry.filesystems.has(uuid)) added.push(tree.addFilesystem(entry, uuid));
  for (const { uuid } of pool.blockDevs())
    if (!entry.blockDevs.has(uuid)) added.push(tree.addBlockDev(entry, uuid));
  return { entry, added };
}

/** Objects for a pool and everything in it, announced in the order pool, filesystems, block devices. */
export function registerPool({ tree, announcer }: ServiceContext, pool: Pool): PoolEntry {
  const { entry, added } = addPool(tree, pool);
  announcer.added(added);
  return entry;
}

/** Objects for filesystems that an operation made. */
export function registerFilesystems(
  { tree, announcer }: ServiceContext,
  pool: PoolEntry,
  filesystems: readonly Filesystem[],
): FilesystemEntry[] {
  return filesystems.map(({ uuid }) => {
    const known = pool.filesystems.get(uuid);
    if (known !== undefined) return known;
    const entry = tree.addFilesystem(pool, uuid);
    announcer.added([entry]);
    return entry;
  });
}

/** Objects for block devices that an operation added. */
export function registerBlockDevs(
  { tree, announcer }: ServiceContext,
  pool: PoolEntry,
  uuids: readonly DevUuid[],
): BlockDevEntry[] {
  return uuids.map((uuid) => {
    const known = pool.blockDevs.get(uuid);
    if (known !== undefined) return known;
    const entry = tree.addBlockDev(pool, uuid);
    announcer.added([entry]);
    return entry;
  });
}

/** An object for the operation in place that runs on a pool, or none; one that is there has gone on meanwhile. */
export function syncOperation({ engine, tree, announcer }: ServiceContext, uuid: PoolUuid): void {
  const [pool, entry] = [engine.getPool(uuid), tree.pool(uuid)];
  if (pool === undefined || entry === undefined) return;
  const [known, running] = [entry.operation, pool.inPlace];
  if (known !== null && known.operation === running?.kind) {
    announcer.propertiesChanged(known, ["DoneBytes", "TotalBytes", "RemainingSeconds"]);
    return;
  }
  if (known !== null) {
    tree.removeOperation(entry, known);
    announcer.removed([known]);
  }
  // Another one may have begun at once when it had ended.
  if (running !== null) announcer.added([tree.addOperation(entry, running.kind)]);
}

/** Takes a pool and everything in it off the bus. */
export function unregisterPool({ tree, announcer }: ServiceContext, uuid: PoolUuid): void {
  const entry = tree.pool(uuid);
  if (entry !== undefined) announcer.removed(tree.removePool(entry));
}

/** Takes off the bus what the engine no longer has of a pool. */
export function removeGone(service: ServiceContext, uuid: PoolUuid): void {
  const { engine, tree, announcer } = service;
  const pool = engine.getPool(uuid);
  if (pool === undefined) {
    unregisterPool(service, uuid);
    return;
  }
  const entry = tree.pool(uuid);
  if (entry === undefined) return;
  for (const filesystem of [...entry.filesystems.values()]) {
    if (pool.getFilesystem(filesystem.uuid) !== undefined) continue;
    tree.removeFilesystem(entry, filesystem);
    announcer.removed([filesystem]);
  }
  for (const device of [...entry.blockDevs.values()]) {
    if (pool.getBlockDev(device.uuid) !== undefined) continue;
    tree.removeBlockDev(entry, device);
    announcer.removed([device]);
  }
}

/** Makes the objects of one pool those that the engine has. */
export function syncPool(service: ServiceContext, uuid: PoolUuid): void {
  removeGone(service, uuid);
  const pool = service.engine.getPool(uuid);
  if (pool !== undefined) registerPool(service, pool);
}

/** Makes all objects those that the engine has. */
export function syncAll(service: ServiceContext): void {
  for (const { uuid } of service.tree.pools()) removeGone(service, uuid);
  for (const pool of service.engine.pools()) registerPool(service, pool);
}

/** What clients see of the pools that do not run. */
const stoppedPoolsSeen = ({ engine }: ServiceContext): string =>
  JSON.stringify(engine.stoppedPools(), (key, value: unknown) => (key === "reason" ? undefined : value));

/** When `work` fails after it has changed what pools do not run, or what is known of them, that is told. */
export async function tellingStopped<T>(service: ServiceContext, work: () => Promise<T>): Promise<T> {
  const before = stoppedPoolsSeen(service);
  try {
    return await work();
  } catch (error) {
    if (stoppedPoolsSeen(service) !== before) applyChange(service, { change: "stoppedPools" });
    throw error;
  }
}

/** Turns what changed in the engine into objects and signals. */
export function applyChange(service: ServiceContext, change: EngineChange): void {
  const { engine, tree, announcer } = service;
  switch (change.change) {
    case "poolAdded":
      // It may have been stopped again since.
      if (engine.getPool(change.pool.uuid) !== undefined) registerPool(service, change.pool);
      return;
    case "poolRemoved":
      unregisterPool(service, change.uuid);
      return;
    case "stoppedPools":
      announcer.stoppedPoolsChanged();
      announcer.lockedPoolsChanged();
      return;
    case "pool": {
      const entry = tree.pool(change.uuid);
      if (entry === undefined) return;
      announcer.poolChanged(entry, change.properties);
      if (change.properties.includes("inPlace")) syncOperation(service, change.uuid);
      return;
    }
    case "filesystem": {
      const entry = tree.pool(change.pool)?.filesystems.get(change.uuid);
      if (entry !== undefined) announcer.filesystemChanged(entry, change.properties);
      return;
    }
    case "filesystemRemoved": {
      const pool = tree.pool(change.pool);
      const entry = pool?.filesystems.get(change.uuid);
      if (pool === undefined || entry === undefined) return;
      tree.removeFilesystem(pool, entry);
      announcer.removed([entry]);
      return;
    }
    case "blockDev": {
      const entry = tree.pool(change.pool)?.blockDevs.get(change.uuid);
      if (entry !== undefined) announcer.blockDevChanged(entry, change.properties);
      return;
    }
  }
}
