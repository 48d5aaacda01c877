/** Rules about snapshots, origins and scheduled reverts, the same for every engine (engine.md §19.2, §20). */
import type { FilesystemUuid } from "../uuid";
import { EngineError } from "./errors";

export interface OriginAndMerge {
  readonly uuid: FilesystemUuid;
  readonly name: string;
  readonly origin: FilesystemUuid | null;
  readonly mergeScheduled: boolean;
}

/** Throws EngineError when one of `doomed` takes part in a scheduled revert. */
export function checkDestroy(all: readonly OriginAndMerge[], doomed: ReadonlySet<FilesystemUuid>): void {
  const scheduled = all.filter(({ mergeScheduled }) => mergeScheduled);
  for (const snapshot of scheduled) {
    if (doomed.has(snapshot.uuid))
      throw new EngineError(
        `Filesystem ${snapshot.name} with UUID ${snapshot.uuid} is scheduled to be merged into its origin; it ` +
          "can't be destroyed unless that is cancelled",
      );
    const origin = all.find(({ uuid }) => uuid === snapshot.origin);
    if (origin !== undefined && doomed.has(origin.uuid))
      throw new EngineError(
        `Snapshot ${snapshot.name} is scheduled to be merged into filesystem ${origin.name} with UUID ` +
          `${origin.uuid}; that filesystem can't be destroyed unless the merge is cancelled`,
      );
  }
}

/**
 * The new origins of the snapshots that survive the destruction of `doomed`: the nearest ancestor that survives, null
 * when there is none. Only those whose origin changes are in it.
 */
export function originsAfterDestroy(
  all: readonly OriginAndMerge[],
  doomed: ReadonlySet<FilesystemUuid>,
): Map<FilesystemUuid, FilesystemUuid | null> {
  const origins = new Map(all.map(({ uuid, origin }) => [uuid, origin]));
  const changed = new Map<FilesystemUuid, FilesystemUuid | null>();
  for (const { uuid, origin } of all) {
    if (doomed.has(uuid) || origin === null || !doomed.has(origin)) continue;
    let ancestor: FilesystemUuid | null = origin;
    // Damaged records could name each other as origins; every step takes one of the doomed away.
    const passed = new Set<FilesystemUuid>();
    while (ancestor !== null && doomed.has(ancestor) && !passed.has(ancestor)) {
      passed.add(ancestor);
      ancestor = origins.get(ancestor) ?? null;
    }
    changed.set(uuid, ancestor !== null && doomed.has(ancestor) ? null : ancestor);
  }
  return changed;
}

/**
 * Whether scheduling the revert of a snapshot, or cancelling it, changes anything. Throws EngineError for a filesystem
 * without an origin, which has nothing to be reverted to, and for a revert that would not be the only one its
 * filesystems take part in.
 */
export function checkSchedule(
  all: readonly OriginAndMerge[],
  snapshot: OriginAndMerge,
  scheduled: boolean,
): boolean {
  // One that is not there is none; cancelling what waits for it is possible.
  const hasOrigin = all.some(({ uuid }) => uuid === snapshot.origin);
  if (!hasOrigin && (scheduled || !snapshot.mergeScheduled))
    throw new EngineError(
      `Filesystem ${snapshot.name} with UUID ${snapshot.uuid} has no origin; a revert of it can be neither ` +
        "scheduled nor cancelled",
    );
  if (snapshot.mergeScheduled === scheduled) return false;
  if (!scheduled) return true;
  const refuse = (why: string): EngineError =>
    new EngineError(
      `A revert of filesystem ${snapshot.name} with UUID ${snapshot.uuid} can't be scheduled: ${why}`,
    );
  for (const other of all) {
    if (!other.mergeScheduled) continue;
    if (other.uuid === snapshot.origin)
      throw refuse(`its origin ${other.name} is itself scheduled to be merged into its origin`);
    if (other.origin === snapshot.origin)
      throw refuse(`filesystem ${other.name} is scheduled to be merged into the same origin`);
    if (other.origin === snapshot.uuid)
      throw refuse(`its own snapshot ${other.name} is scheduled to be merged into it`);
  }
  return true;
}

/** What a record says of a scheduled revert. */
export interface RevertRecord {
  readonly uuid: FilesystemUuid;
  readonly name: string;
  readonly origin: FilesystemUuid | null;
  readonly merge: boolean;
}

export interface Revert<T extends RevertRecord> {
  origin: T;
  snapshot: T;
}

/**
 * The reverts to carry out among those that records ask for (engine.md §20.4), and for each that is not possible, why.
 * checkSchedule() lets none of these happen; records may come from elsewhere.
 */
export function plannedReverts<T extends RevertRecord>(
  records: readonly T[],
): { reverts: Revert<T>[]; refused: string[] } {
  const byUuid = new Map(records.map((record) => [record.uuid, record]));
  const scheduled = records.filter(({ merge }) => merge);
  const reverts: Revert<T>[] = [];
  const refused: string[] = [];
  for (const snapshot of scheduled) {
    const refuse = (why: string): void => {
      refused.push(
        `Filesystem "${snapshot.name}" is scheduled to be merged into its origin, but ${why}; ignoring it`,
      );
    };
    const origin = snapshot.origin === null ? undefined : byUuid.get(snapshot.origin);
    if (snapshot.origin === null) refuse("it has none");
    else if (origin === undefined) refuse("that does not exist");
    else if (origin.merge) refuse("that is itself scheduled to be merged");
    else if (scheduled.some((other) => other !== snapshot && other.origin === snapshot.origin))
      refuse("another snapshot is scheduled for the same one");
    else if (scheduled.some((other) => other.origin === snapshot.uuid))
      refuse("a snapshot of its own is scheduled too");
    else reverts.push({ origin, snapshot });
  }
  return { reverts, refused };
}
