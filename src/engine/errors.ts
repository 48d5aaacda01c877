/** Errors of the engine. Their messages go to clients as they are, so each says what was tried on what, and why it failed. */

/** What a pool still permits, most permissive first (engine.md §22). */
export const ACTION_AVAILABILITY = ["fully_operational", "no_ipc_requests", "no_pool_changes"] as const;
export type ActionAvailability = (typeof ACTION_AVAILABILITY)[number];

const STATE_NAMES: Record<ActionAvailability, string> = {
  fully_operational: "Full",
  no_ipc_requests: "NoRequests",
  no_pool_changes: "NoPoolChanges",
};

export const isAtLeast = (level: ActionAvailability, limit: ActionAvailability): boolean =>
  ACTION_AVAILABILITY.indexOf(level) >= ACTION_AVAILABILITY.indexOf(limit);

/** The plain failure of an operation: nothing was changed, or all changes were undone. */
export class EngineError extends Error {
  override name = "EngineError";
}

/** `outer; inner`, with the inner error kept as cause. */
export class ChainedError extends EngineError {
  override name = "ChainedError";
  constructor(what: string, cause: unknown) {
    super(`${what}; ${errorText(cause)}`, { cause });
  }
}

/** Several things failed independently of each other. */
export class BestEffortError extends EngineError {
  override name = "BestEffortError";
  readonly failures: readonly unknown[];
  constructor(what: string, failures: readonly unknown[]) {
    super([what, ...failures.map(errorText)].join("; "));
    this.failures = failures;
  }
}

/** An operation failed, and undoing it failed too; the pool is left at `level`. */
export class RollbackError extends EngineError {
  override name = "RollbackError";
  readonly level: ActionAvailability;
  constructor(causal: unknown, rollback: unknown, level: ActionAvailability) {
    super(
      `Rollback failed; causal_error: ${errorText(causal)}, rollback error: ${errorText(rollback)}; ` +
        `putting pool in action availability state ${level}`,
      { cause: causal },
    );
    this.level = level;
  }
}

/** Not all that an operation had done could be taken back. */
export class UndoFailedError extends BestEffortError {
  override name = "UndoFailedError";
}

/** The most restrictive level that an error, or any that it was caused by, asks for. */
export function levelOf(error: unknown): ActionAvailability {
  const parts: unknown[] = error instanceof Error ? [error.cause] : [];
  if (error instanceof BestEffortError) parts.push(...error.failures);
  const own = error instanceof RollbackError ? error.level : "fully_operational";
  return parts
    .filter((part) => part instanceof Error)
    .map(levelOf)
    .reduce((strictest, level) => (isAtLeast(level, strictest) ? level : strictest), own);
}

/** The pool's state forbids the operation. */
export class ActionDisabledError extends EngineError {
  override name = "ActionDisabledError";
  constructor(level: ActionAvailability) {
    super(
      `Pool is in state ${STATE_NAMES[level]} where this action cannot be performed until the issue is ` +
        "resolved manually",
    );
  }
}

export class OutOfSpaceError extends EngineError {
  override name = "OutOfSpaceError";
  constructor(what: string) {
    super(`Pool is out of space and cannot be extended: ${what}`);
  }
}

/** An invariant of the engine does not hold: a defect of ours, reported with what was expected and found. */
export class InvariantError extends EngineError {
  override name = "InvariantError";
  constructor(what: string) {
    super(`Internal error: ${what}`);
  }
}

export function assertInvariant(condition: boolean, what: string): asserts condition {
  if (!condition) throw new InvariantError(what);
}

/** Whether a call failed because the file that it was about, or a folder on the way to it, is not there. */
export const isMissing = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

/** The text of anything that was thrown, without a stack. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
