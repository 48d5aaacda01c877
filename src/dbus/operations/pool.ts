/** Pool methods about filesystems, devices and names (dbus-api.md §7.4). */
import { EngineError } from "../../engine/errors";
import type { CreateFilesystemRequest } from "../../engine/engine";
import { devUuid, simpleUuid, type DevUuid, type FilesystemUuid } from "../../uuid";
import { registerBlockDevs, registerFilesystems, removeGone } from "../reconcile";
import type { MethodCall } from "../table/rows";
import type { PoolEntry } from "../tree";
import { optional, optionalSize } from "./arguments";

type Call = MethodCall<"pool">;

/**
 * The pool's object. It can have gone while the operation ran only together with the pool, and then there is nothing
 * left to say about the outcome.
 */
export function entryOf({ service, target }: Call): PoolEntry {
  const entry = service.tree.pool(target.pool.uuid);
  if (entry === undefined)
    throw new EngineError(
      `No pool associated with uuid ${target.pool.uuid}: it was stopped or destroyed meanwhile`,
    );
  return entry;
}

/** "pool p1 (uuid)" for log messages. */
export const named = ({ target }: Call): string => `pool ${target.pool.name} (${target.pool.uuid})`;

const paths = (entries: readonly { path: string }[]): string[] => entries.map(({ path }) => path);

/** A filesystem as r6 and later specify it; r0 to r5 have no limit. */
export type FilesystemSpec = [name: string, size: [boolean, string], limit: [boolean, string]];

function filesystemRequest([name, size, limit]: FilesystemSpec): CreateFilesystemRequest {
  return {
    name,
    size: optionalSize(size, "filesystem size"),
    sizeLimit: optionalSize(limit, "filesystem size limit"),
  };
}

export async function createFilesystems(
  call: Call,
  specs: readonly FilesystemSpec[],
): Promise<[boolean, [string, string][]]> {
  if (specs.length > 1)
    throw new EngineError("Currently filesystem creation is limited to one filesystem at a time");
  const { created } = await call.target.pool.createFilesystems(specs.map(filesystemRequest));
  const entries = registerFilesystems(call.service, entryOf(call), created);
  const names = created.map(({ name }) => name);
  call.service.log.info(`CreateFilesystems: ${named(call)}: created [${names.join(", ")}]`);
  return [created.length > 0, entries.map(({ path }, index) => [path, names[index] ?? ""])];
}

/** When `work` fails midway, those filesystems that are gone already leave the bus, and new origins are told. */
async function telling<T>({ service, target }: Call, work: () => Promise<T>): Promise<T> {
  const { pool } = target;
  const before = new Map(pool.filesystems().map(({ uuid, origin }) => [uuid, origin]));
  try {
    return await work();
  } catch (error) {
    if (service.engine.getPool(pool.uuid) !== pool) throw error;
    removeGone(service, pool.uuid);
    for (const { uuid, origin } of pool.filesystems()) {
      const entry = service.tree.pool(pool.uuid)?.filesystems.get(uuid);
      if (entry !== undefined && before.has(uuid) && before.get(uuid) !== origin)
        service.announcer.filesystemChanged(entry, ["origin"]);
    }
    throw error;
  }
}

/** Paths that are no filesystem of this pool are ignored. */
export async function destroyFilesystems(
  call: Call,
  filesystems: readonly string[],
): Promise<[boolean, string[]]> {
  const { service, target } = call;
  const uuids = new Set<FilesystemUuid>();
  for (const path of filesystems) {
    const entry = service.tree.at(path);
    if (entry?.kind === "filesystem" && entry.pool === target.pool.uuid) uuids.add(entry.uuid);
  }
  const { deleted, updated } = await telling(call, () => target.pool.destroyFilesystems([...uuids]));
  const pool = entryOf(call);
  for (const uuid of deleted) {
    const entry = pool.filesystems.get(uuid);
    if (entry === undefined) continue;
    service.tree.removeFilesystem(pool, entry);
    service.announcer.removed([entry]);
  }
  for (const uuid of updated) {
    const entry = pool.filesystems.get(uuid);
    if (entry !== undefined) service.announcer.filesystemChanged(entry, ["origin"]);
  }
  service.log.info(`DestroyFilesystems: ${named(call)}: destroyed [${deleted.join(", ")}]`);
  return [deleted.length > 0, deleted.map(simpleUuid)];
}

export async function snapshotFilesystem(call: Call, path: string, name: string): Promise<[boolean, string]> {
  const origin = call.service.tree.at(path);
  if (origin?.kind !== "filesystem") throw new EngineError(`No filesystem UUID associated with path ${path}`);
  const result = await call.target.pool.snapshotFilesystem(origin.uuid, name);
  if (result.action === "identity") {
    call.service.log.info(`SnapshotFilesystem: ${named(call)}: ${name} exists already`);
    return [false, "/"];
  }
  const [entry] = registerFilesystems(call.service, entryOf(call), [result.value]);
  call.service.log.info(`SnapshotFilesystem: ${named(call)}: created ${name} of ${origin.uuid}`);
  return [true, entry?.path ?? "/"];
}

function devicesAdded(call: Call, method: string, created: readonly DevUuid[]): [boolean, string[]] {
  const entries = registerBlockDevs(call.service, entryOf(call), created);
  call.service.log.info(`${method}: ${named(call)}: added [${created.join(", ")}]`);
  return [created.length > 0, paths(entries)];
}

export async function addDataDevs(call: Call, devices: string[]): Promise<[boolean, string[]]> {
  const { created, changed } = await call.target.pool.addDataDevs(devices);
  call.service.announcer.poolChanged(entryOf(call), changed);
  return devicesAdded(call, "AddDataDevs", created);
}

export async function addCacheDevs(call: Call, devices: string[]): Promise<[boolean, string[]]> {
  const { created } = await call.target.pool.addCacheDevs(devices);
  return devicesAdded(call, "AddCacheDevs", created);
}

/** Revisions before r5 refuse a cache on an encrypted pool. */
export async function initCache(call: Call, devices: string[]): Promise<[boolean, string[]]> {
  const { created } = await call.target.pool.initCache(devices, call.revision >= 5);
  if (created.length > 0) call.service.announcer.poolChanged(entryOf(call), ["hasCache"]);
  return devicesAdded(call, "InitCache", created);
}

export async function renamePool(call: Call, name: string): Promise<[boolean, string]> {
  const { service, target } = call;
  const before = target.pool.name;
  const result = await service.engine.renamePool(target.pool.uuid, name);
  switch (result.action) {
    case "noSource":
      throw new EngineError(`engine doesn't know about pool ${target.pool.uuid}`);
    case "identity":
      service.log.info(`SetName: ${named(call)} has this name already`);
      return [false, ""];
    case "renamed":
      service.announcer.poolChanged(entryOf(call), ["name"]);
      service.log.info(`SetName: renamed pool ${before} (${target.pool.uuid}) to ${name}`);
      return [true, simpleUuid(result.value)];
  }
}

/** `device` is a uuid. Size and observed size of the device are announced with the pool's totals. */
export async function growPhysicalDevice(call: Call, device: string): Promise<boolean> {
  const uuid = devUuid(device);
  const { action, changed } = await call.target.pool.growPhysical(uuid);
  const entry = entryOf(call);
  call.service.announcer.poolChanged(entry, changed);
  const deviceEntry = entry.blockDevs.get(uuid);
  if (action === "grown" && deviceEntry !== undefined)
    call.service.announcer.blockDevChanged(deviceEntry, ["totalPhysicalSize", "newPhysicalSize"]);
  call.service.log.info(`GrowPhysicalDevice: ${named(call)}: device ${uuid}: ${action}`);
  return action === "grown";
}

export const metadata = ({ target }: Call, current: boolean): Promise<string> =>
  target.pool.metadata(current);

export const filesystemMetadata = (
  { target }: Call,
  name: [boolean, string],
  current: boolean,
): Promise<string> => target.pool.filesystemMetadata(optional(name), current);
