/** A method call as it came in, and what every kind of method has in common. */
import type { Outcome } from "../history/record";
import type { ServiceContext } from "./context";
import type { MessageDescriptors } from "./descriptors";
import { refused } from "./errors";
import type { Entry } from "./tree";

export interface IncomingCall {
  readonly path: string;
  readonly interface: string | undefined;
  readonly member: string;
  readonly signature: string;
  readonly body: readonly unknown[];
  readonly descriptors: MessageDescriptors;
}

export interface Reply {
  readonly signature: string;
  readonly body: unknown[];
  /** What came of a call that was to change something. */
  readonly outcome?: Outcome;
}

/** Whether the call's arguments begin with those expected; more of them are ignored. */
export const hasSignature = (call: Pick<IncomingCall, "signature">, expected: string): boolean =>
  call.signature.startsWith(expected);

/** Throws DbusError unless it has. */
export function requireSignature(call: Pick<IncomingCall, "signature">, expected: string): void {
  if (!hasSignature(call, expected))
    throw refused(`Signature mismatch: got \`${call.signature}\`, expected \`${expected}\``);
}

/** Whatever an operation on a pool came to, it may have lowered what the pool permits. */
export function announceActions({ tree, announcer }: ServiceContext, entry: Entry | undefined): void {
  if (entry === undefined || entry.kind === "manager") return;
  const pool = tree.pool(entry.kind === "pool" ? entry.uuid : entry.pool);
  if (pool !== undefined) announcer.actionsIfChanged(pool);
}
