/** Operations on the filesystems of a pool, each whole or not at all (engine.md §19, §20). */
import type { FilesystemRecord } from "../../disk/filesystem-record";
import { logger } from "../../log";
import { sectors, sectorsToBytes, sumSectors, type Sectors } from "../../units";
import { newFilesystemUuid, type FilesystemUuid } from "../../uuid";
import type {
  CreateAction,
  PropChangeAction,
  RenameAction,
  SetCreateAction,
  SetDeleteAction,
} from "../actions";
import type { CreateFilesystemRequest, Filesystem } from "../engine";
import { ChainedError, EngineError } from "../errors";
import { validateFilesystemRequests, type ValidatedFilesystemRequest } from "../requests";
import { checkDestroy, checkSchedule, originsAfterDestroy } from "../revert";
import { withUndo, type UndoStack } from "../undo";
import { validateFilesystemSize, validateName } from "../validation";
import { dataRoom, DEFAULT_FS_LIMIT } from "./backstore/allocation";
import type { PoolCore } from "./core";
import { RealFilesystem } from "./filesystem";
import { filesystemsInUse, removeDevices } from "./filesystem-devices";
import { freeThinId } from "./thinpool/thin-devices";

const log = logger("stratisd::engine::filesystem");

const nowInSeconds = (): bigint => BigInt(Math.floor(Date.now() / 1000));

export const fsLimit = (core: PoolCore): bigint => core.record.thinPool.fsLimit ?? DEFAULT_FS_LIMIT;

function requireFilesystem(core: PoolCore, uuid: FilesystemUuid): RealFilesystem {
  const filesystem = core.filesystems.byUuid(uuid);
  if (filesystem === undefined)
    throw new EngineError(`No filesystem with UUID ${uuid} in pool "${core.name}"`);
  return filesystem;
}

/** With overprovisioning off, all filesystems at their full size must fit on the devices. */
function requireRoom(core: PoolCore, increase: Sectors): void {
  if (core.record.thinPool.enableOverprov !== false) return;
  const limit = dataRoom(core.record, core.headers);
  const total = core.logicalSizes() + increase;
  if (total > limit)
    throw new EngineError(
      `Overprovisioning is disabled on pool "${core.name}" and its filesystems would need ${total} sectors, where ` +
        `there is room for ${limit} sectors`,
    );
}

function requireNoRecord(core: PoolCore, name: string): void {
  if (core.unusable.some((record) => record.name === name))
    throw new EngineError(`Pool ${core.name} already has a record of filesystem name ${name}`);
}

export async function createFilesystems(
  core: PoolCore,
  requests: CreateFilesystemRequest[],
): Promise<SetCreateAction<Filesystem>> {
  const existing = [...core.filesystems.values()].map(({ name, record }) => ({ name, size: record.size }));
  const wanted = validateFilesystemRequests(requests, existing, fsLimit(core), (total) => {
    requireRoom(core, total);
  });
  for (const { name } of wanted) requireNoRecord(core, name);
  return await withUndo(async (undo) => {
    const created: RealFilesystem[] = [];
    for (const request of wanted) created.push(await createOne(core, request, undo));
    return { created };
  });
}

async function createOne(
  core: PoolCore,
  request: ValidatedFilesystemRequest,
  undo: UndoStack,
): Promise<RealFilesystem> {
  const record: FilesystemRecord = {
    name: request.name,
    uuid: newFilesystemUuid(),
    thinId: freeThinId(core.allRecords()),
    size: request.size,
    created: nowInSeconds(),
    sizeLimit: request.sizeLimit,
    origin: null,
    merge: false,
  };
  try {
    const device = await core.thin.create(record, undo);
    return await enter(core, new RealFilesystem(record, device, () => core.name), undo);
  } catch (error) {
    throw new ChainedError(`Failed to create filesystem "${request.name}" in pool "${core.name}"`, error);
  }
}

/** A filesystem whose device is complete becomes one that exists: record, table, link. */
async function enter(core: PoolCore, filesystem: RealFilesystem, undo: UndoStack): Promise<RealFilesystem> {
  filesystem.mapped = await core.thin.mapped(filesystem.uuid);
  undo.push(`remove the record of filesystem "${filesystem.name}"`, async () => {
    core.filesystems.remove(filesystem.uuid);
    await core.mdv.remove(filesystem.uuid);
  });
  await core.mdv.save(filesystem.record);
  core.filesystems.insert(filesystem);
  await core.announceLink(filesystem);
  return filesystem;
}

export async function snapshotFilesystem(
  core: PoolCore,
  originUuid: FilesystemUuid,
  name: string,
): Promise<CreateAction<Filesystem>> {
  const limit = fsLimit(core);
  const count = BigInt(core.filesystems.size);
  if (count + 1n > limit)
    throw new EngineError(`The pool limit of ${limit} filesystems has already been reached: it has ${count}`);
  validateName(name);
  const origin = requireFilesystem(core, originUuid);
  requireRoom(core, origin.record.size);
  if (core.filesystems.byName(name) !== undefined) return { action: "identity" };
  requireNoRecord(core, name);
  const record: FilesystemRecord = {
    ...origin.record,
    name,
    uuid: newFilesystemUuid(),
    thinId: freeThinId(core.allRecords()),
    created: nowInSeconds(),
    origin: origin.uuid,
    merge: false,
  };
  try {
    return await withUndo(async (undo) => {
      const device = await core.thin.snapshot(origin.record, record, undo);
      const filesystem = await enter(core, new RealFilesystem(record, device, () => core.name), undo);
      return { action: "created", value: filesystem };
    });
  } catch (error) {
    throw new ChainedError(
      `Failed to make snapshot "${name}" of "${origin.name}" in pool "${core.name}"`,
      error,
    );
  }
}

/**
 * Destroys filesystems, once none of them has a device any more: whoever asks for several wants all or none of them
 * gone. Each is gone at the moment its record is removed. A failure from then on ends it, with those before it destroyed.
 */
export async function destroyFilesystems(
  core: PoolCore,
  uuids: FilesystemUuid[],
): Promise<SetDeleteAction<FilesystemUuid, FilesystemUuid>> {
  const doomed = new Set(uuids.filter((uuid) => core.filesystems.byUuid(uuid) !== undefined));
  checkDestroy(core.origins(), doomed);
  const filesystems = [...doomed].map((uuid) => requireFilesystem(core, uuid));
  const [open] = await filesystemsInUse(core, filesystems);
  if (open !== undefined)
    throw new EngineError(
      `Failed to destroy filesystem "${open.name}" of pool "${core.name}": its device is in use; is it mounted? ` +
        "Nothing was destroyed",
    );
  const updated = new Set<FilesystemUuid>();
  await withUndo(async (undo) => {
    await removeDevices(core, filesystems, undo);
    for (const [index, filesystem] of filesystems.entries()) {
      const origins = originsAfterDestroy([...core.filesystems.values()], new Set([filesystem.uuid]));
      try {
        await destroyOne(core, filesystem, origins);
      } catch (error) {
        if (index === 0) throw error;
        const gone = filesystems.slice(0, index).map(({ name }) => `"${name}"`);
        const what = `Of the filesystems that were to be destroyed only ${gone.join(", ")} are`;
        throw new ChainedError(what, error);
      }
      core.outOfMetadataSpace = false;
      for (const changed of origins.keys()) if (!doomed.has(changed)) updated.add(changed);
    }
  });
  return { deleted: filesystems.map(({ uuid }) => uuid), updated: [...updated] };
}

/** `filesystem` has no device any more. */
async function destroyOne(
  core: PoolCore,
  filesystem: RealFilesystem,
  origins: ReadonlyMap<FilesystemUuid, FilesystemUuid | null>,
): Promise<void> {
  await withUndo(async (undo) => {
    for (const [uuid, origin] of origins) {
      const snapshot = requireFilesystem(core, uuid);
      const before = snapshot.record;
      await core.saveFilesystem(snapshot, { ...before, origin });
      undo.push(`put back the origin of "${snapshot.name}"`, () => core.saveFilesystem(snapshot, before));
    }
    undo.push(`keep the record of "${filesystem.name}"`, () => core.mdv.save(filesystem.record));
    await core.mdv.remove(filesystem.uuid);
  });
  core.filesystems.remove(filesystem.uuid);
  try {
    await core.thin.deleteId(filesystem.record.thinId);
  } catch (error) {
    // The space comes back when the pool is set up again, or when the id is used again.
    log.warn(
      `Filesystem "${filesystem.name}" is destroyed, but its space was not released: ${String(error)}`,
    );
  }
}

export async function renameFilesystem(
  core: PoolCore,
  uuid: FilesystemUuid,
  name: string,
): Promise<RenameAction<FilesystemUuid>> {
  validateName(name);
  const filesystem = core.filesystems.byUuid(uuid);
  if (filesystem === undefined) return { action: "noSource" };
  if (filesystem.name === name) return { action: "identity" };
  if (core.filesystems.byName(name) !== undefined)
    throw new EngineError(`Entry with name ${name} already exists`);
  requireNoRecord(core, name);
  await core.mdv.save({ ...filesystem.record, name });
  core.filesystems.rename(uuid, () => {
    filesystem.record = { ...filesystem.record, name };
  });
  await core.moveLink(filesystem);
  return { action: "renamed", value: uuid };
}

export async function setSizeLimit(
  core: PoolCore,
  uuid: FilesystemUuid,
  limit: bigint | null,
): Promise<PropChangeAction<Sectors | null>> {
  const filesystem = requireFilesystem(core, uuid);
  const sizeLimit = limit === null ? null : validateFilesystemSize(limit, "Filesystem size limit");
  if (sizeLimit !== null && sizeLimit < filesystem.record.size)
    throw new EngineError(
      `Limit requested of ${sectorsToBytes(sizeLimit)} bytes is smaller than the current size of ` +
        `${sectorsToBytes(filesystem.record.size)} bytes of filesystem "${filesystem.name}"`,
    );
  if (sizeLimit === filesystem.record.sizeLimit) return { action: "identity" };
  await core.saveFilesystem(filesystem, { ...filesystem.record, sizeLimit });
  return { action: "newValue", value: sizeLimit };
}

/** A scheduled revert happens when the pool is set up next. */
export async function setMergeScheduled(
  core: PoolCore,
  uuid: FilesystemUuid,
  scheduled: boolean,
): Promise<PropChangeAction<boolean>> {
  const filesystem = requireFilesystem(core, uuid);
  if (!checkSchedule(core.origins(), filesystem, scheduled)) return { action: "identity" };
  await core.saveFilesystem(filesystem, { ...filesystem.record, merge: scheduled });
  return { action: "newValue", value: scheduled };
}

/** Room left for the growth of filesystems; null: no limit. */
export function growthRoom(core: PoolCore): Sectors | null {
  if (core.record.thinPool.enableOverprov !== false) return null;
  const room =
    dataRoom(core.record, core.headers) - sumSectors(core.allRecords().map((record) => record.size));
  return sectors(room < 0n ? 0n : room);
}
