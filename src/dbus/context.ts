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
  /** The signals for each of the texts, in their order; they must differ by it alone, in their bodies. */
  signalForEach(texts: readonly string[], signalOf: (text: string) => Signal): void;
}
