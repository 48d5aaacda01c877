/**
 * Results of operations: asking for a state that already holds succeeds and says "identity", so that callers know
 * whether there is something to announce (engine.md §2).
 */

export type CreateAction<T> = { action: "created"; value: T } | { action: "identity" };
export type DeleteAction<T> = { action: "deleted"; value: T } | { action: "identity" };
export type RenameAction<T> =
  { action: "renamed"; value: T } | { action: "identity" } | { action: "noSource" };
export type PropChangeAction<T> = { action: "newValue"; value: T } | { action: "identity" };
export type StartAction<T> = { action: "started"; value: T } | { action: "identity" };
/**
 * cleanedUp: was partially constructed, is fully down now. partial: stopped, but device-mapper devices are left.
 */
export type StopAction<T> =
  { action: "stopped" | "cleanedUp" | "partial"; value: T } | { action: "identity" };
/** Of the oldest D-Bus revisions; null where a yes means nothing. */
export type UnlockAction<T> = { action: "started"; value: T | null } | { action: "identity" };
export type GrowAction = "grown" | "identity";
export type MappingCreateAction = "created" | "valueChanged" | "identity";

/** A list of what was made; empty means that nothing had to be done. */
export interface SetCreateAction<T> {
  created: T[];
}
export interface SetDeleteAction<T, U> {
  deleted: T[];
  /** Things that changed because of the deletion. */
  updated: U[];
}
