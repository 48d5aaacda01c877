/** Filesystems of a pool that is being set up: reverts that were scheduled, then every filesystem (engine.md §20.4). */
import type { FilesystemRecord } from "../../disk/filesystem-record";
import { logger } from "../../log";
import type { FilesystemUuid } from "../../uuid";
import { errorText } from "../errors";
import { plannedReverts, type Revert } from "../revert";
import { withUndo } from "../undo";
import type { PoolCore } from "./core";
import { RealFilesystem } from "./filesystem";
import { sideBySide } from "./side-by-side";

const log = logger("stratisd::engine::setup");

export async function setUpFilesystems(core: PoolCore, found: FilesystemRecord[]): Promise<void> {
  const records = withoutTwins(core, await carryOutReverts(core, found));
  await core.thin.sweep([...records, ...core.unusable]);
  await sideBySide(records, (record) => setUpFilesystem(core, record));
}

/**
 * One thin device must never be two filesystems. Of a revert that could not be finished the origin has it; of any other
 * two none can be trusted.
 */
function withoutTwins(core: PoolCore, records: readonly FilesystemRecord[]): FilesystemRecord[] {
  return records.filter((record) => {
    const twins = records.filter(({ thinId }) => thinId === record.thinId);
    const isOwner = twins.every(({ uuid, merge, origin }) =>
      uuid === record.uuid ? !merge : merge && origin === record.uuid,
    );
    if (twins.length === 1 || isOwner) return true;
    log.warn(
      `Filesystem "${record.name}" of pool "${core.name}" is left out: its thin device ${record.thinId} is also that of ` +
        twins.flatMap(({ uuid, name }) => (uuid === record.uuid ? [] : [`"${name}"`])).join(", "),
    );
    core.unusable.push(record);
    return false;
  });
}

/** A filesystem that can't be set up is left out, with its record kept; the others must not suffer for it. */
async function setUpFilesystem(core: PoolCore, record: FilesystemRecord): Promise<void> {
  try {
    const device = await core.thin.ensure(record);
    const filesystem = new RealFilesystem(record, device, () => core.name);
    filesystem.mapped = await core.thin.mapped(record.uuid);
    core.filesystems.insert(filesystem);
  } catch (error) {
    log.warn(`Filesystem "${record.name}" of pool "${core.name}" could not be set up: ${errorText(error)}`);
    core.unusable.push(record);
  }
}

/** Returns the records as they are afterwards. A revert that can't be begun leaves both filesystems as they were. */
async function carryOutReverts(core: PoolCore, found: FilesystemRecord[]): Promise<FilesystemRecord[]> {
  const { reverts, refused } = plannedReverts(found);
  for (const reason of refused) log.warn(`Pool "${core.name}": ${reason}`);
  let records = found;
  for (const planned of reverts) {
    try {
      records = await revert(core, records, planned);
    } catch (error) {
      log.warn(
        `Reverting filesystem "${planned.origin.name}" of pool "${core.name}" to snapshot ` +
          `"${planned.snapshot.name}" failed, which leaves it scheduled: ${errorText(error)}`,
      );
    }
  }
  return records;
}

/**
 * The origin takes over the snapshot's thin device. What says so is the origin's record; an interruption before it is
 * saved repeats the revert, one after it finds two records with one thin device, and goes on from there.
 */
async function revert(
  core: PoolCore,
  records: FilesystemRecord[],
  { origin, snapshot }: Revert<FilesystemRecord>,
): Promise<FilesystemRecord[]> {
  const merged: FilesystemRecord = {
    ...origin,
    thinId: snapshot.thinId,
    size: snapshot.size,
    sizeLimit: snapshot.sizeLimit,
  };
  const done = origin.thinId === snapshot.thinId;
  await withUndo(async (undo) => {
    const device = await core.thin.ensure(merged, undo);
    if (done) return;
    await core.thin.giveUuid(device, origin.uuid);
    await core.mdv.save(merged);
  });
  const others = await forgetSnapshot(core, records, snapshot, origin);
  if (!done) await releaseThinId(core, origin);
  log.info(
    `Filesystem "${origin.name}" of pool "${core.name}" is reverted to snapshot "${snapshot.name}", which is gone`,
  );
  return others.flatMap((record) => {
    if (record.uuid === snapshot.uuid) return [];
    return record.uuid === origin.uuid ? [merged] : [record];
  });
}

/**
 * The snapshot is gone, whatever comes: its thin device is the origin's. What can't be recorded of that is made up for
 * at the next set-up, until which it keeps its name.
 */
async function forgetSnapshot(
  core: PoolCore,
  records: FilesystemRecord[],
  snapshot: FilesystemRecord,
  origin: FilesystemRecord,
): Promise<FilesystemRecord[]> {
  try {
    const adopted = await adoptSnapshots(core, records, snapshot.uuid, origin.uuid);
    await core.mdv.remove(snapshot.uuid);
    return adopted;
  } catch (error) {
    log.warn(
      `Filesystem "${origin.name}" of pool "${core.name}" has the content of snapshot "${snapshot.name}" now, whose ` +
        `record could not be removed: ${errorText(error)}`,
    );
    core.unusable.push(snapshot);
    return records;
  }
}

/** Snapshots of a snapshot that was merged have the filesystem that it was merged into as their origin. */
async function adoptSnapshots(
  core: PoolCore,
  records: FilesystemRecord[],
  from: FilesystemUuid,
  to: FilesystemUuid,
): Promise<FilesystemRecord[]> {
  const result: FilesystemRecord[] = [];
  for (const record of records) {
    const adopted = record.origin === from ? { ...record, origin: to } : record;
    if (adopted !== record) await core.mdv.save(adopted);
    result.push(adopted);
  }
  return result;
}

async function releaseThinId(core: PoolCore, { name, thinId }: FilesystemRecord): Promise<void> {
  try {
    await core.thin.deleteId(thinId);
  } catch (error) {
    // No record names it any more: the next set-up deletes it.
    log.warn(`The former content of filesystem "${name}" still takes space: ${errorText(error)}`);
  }
}

/** An origin whose destruction was interrupted is nobody's origin any more. */
export async function mendOrigins(core: PoolCore): Promise<void> {
  const known = new Set<FilesystemUuid>(core.allRecords().map((record) => record.uuid));
  for (const filesystem of core.filesystems.values()) {
    const { origin } = filesystem.record;
    if (origin === null || known.has(origin)) continue;
    log.warn(`The origin of filesystem "${filesystem.name}" is gone; it is recorded as having none`);
    await core.saveFilesystem(filesystem, { ...filesystem.record, origin: null, merge: false });
  }
}
