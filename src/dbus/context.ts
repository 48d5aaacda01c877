/** What every part of the service works with. */
import type { Engine } from "../engine/engine";
import type { Logger } from "../log";
import type { Announcer } from "./announcer";
import type { ObjectTree } from "./tree";

export interface ServiceContext {
  readonly engine: Engine;
  readonly tree: ObjectTree;
  readonly announcer: Announcer;
  readonly log: Logger;
  /** While the engine refreshes its state: settles, and never rejects, when it has. */
  refreshing?: Promise<void> | undefined;
}

export interface Signal {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  readonly body: unknown[];
}

/** Where signals go to: the connection, or a list in a test. Must not throw. */
export interface SignalSink {
  signal(signal: Signal): void;
  /** The signal once for each of `firsts`, in their order, with it as the argument before those of its body. */
  signalForEach(firsts: readonly string[], signal: Signal): void;
}
