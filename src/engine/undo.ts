/** Multi-step changes: each step registers how to take it back, and a failure runs them in reverse. */
import { errorText, UndoFailedError } from "./errors";
import { logger } from "../log";

const log = logger("stratisd::engine::undo");

export class UndoStack {
  readonly #steps: { what: string; undo: () => Promise<void> | void }[] = [];

  /** `what` says what undoing does: "wipe /dev/sda". */
  push(what: string, undo: () => Promise<void> | void): void {
    this.#steps.push({ what, undo });
  }

  /** The change is complete: nothing is to be taken back any more. */
  commit(): void {
    this.#steps.length = 0;
  }

  /**
   * Takes everything back, latest first, going on past failures. Returns the error to throw: `cause` itself, or one
   * that also names what could not be undone.
   */
  async rollBack(cause: unknown): Promise<Error> {
    const failures: string[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        failures.push(`could not ${step.what}: ${errorText(error)}`);
        log.warn(`While undoing a failed operation: could not ${step.what}: ${errorText(error)}`);
      }
    }
    const error = cause instanceof Error ? cause : new Error(String(cause));
    return failures.length === 0
      ? error
      : new UndoFailedError(`Rollback failed; causal_error: ${error.message}`, failures);
  }
}

/** Runs `work` with a fresh stack; on failure everything it registered is taken back. */
export async function withUndo<T>(work: (undo: UndoStack) => Promise<T>): Promise<T> {
  const undo = new UndoStack();
  try {
    const result = await work(undo);
    undo.commit();
    return result;
  } catch (error) {
    throw await undo.rollBack(error);
  }
}
