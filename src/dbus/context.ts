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

/** Where signals go to: the connection, or a list in a test. Must not throw. */
export type SignalSink = (signal: {
  path: string;
  interface: string;
  member: string;
  signature: string;
  body: unknown[];
}) => void;
