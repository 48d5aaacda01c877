/** What parts stratisd from stratisd-min: who may run beside it, and by what it is asked. */
import type { Engine, EngineChange } from "../engine/engine";
import type { WriteRecord } from "../history/recorder";
import type { FileLock } from "../native";

/** The way by which clients reach the engine. */
export interface Ipc {
  /** Settles with why it ended by itself; never after close(). */
  readonly failed: Promise<Error>;
  emitChanges(changes: readonly EngineChange[]): void;
  close(): Promise<void>;
}

/** Resolves when clients are answered. By then the engine has its pools. */
export type Serve = () => Promise<Ipc>;

export interface Program {
  readonly name: "stratisd" | "stratisd-min";
  /** Resolves to the lock, which holds as long as the process lives. Rejects when another one has it. */
  becomeOnlyInstance(): Promise<FileLock>;
  /**
   * What goes before Serve, and can be done while the engine still looks for its pools. `history`: of what clients ask
   * to be changed.
   */
  prepareIpc(engine: Engine, history: WriteRecord): Promise<Serve>;
  /** The line that tells why the program ended. */
  failureLine(text: string): string;
}
