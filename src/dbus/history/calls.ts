/** Which calls on the bus have a record in the history, and what it says. */
import { Recorder, type Asked, type Attempt, type WriteRecord } from "../../history/recorder";
import { DONE, failure, UNCHANGED, type Outcome } from "../../history/record";
import { hasSignature, type IncomingCall } from "../call";
import { interfaceCalled } from "../interfaces";
import { PROPERTIES } from "../names";
import type { AnyVariant } from "../wire";
import { Callers, type AskBus } from "./callers";
import { subjectOfMethod, subjectOfProperty, type Known } from "./subject";

function changeOfProperty(known: Known, call: IncomingCall): Asked | null {
  if (call.member !== "Set" || !hasSignature(call, "ssv")) return null;
  const [name, member, value] = call.body as [string, string, AnyVariant];
  const property = interfaceCalled(name)?.properties.get(member);
  if (property?.access !== "readwrite") return null;
  const typed = value.signature === property.signature ? value : null;
  const subject = subjectOfProperty(known, call.path, typed);
  return { interface: name, operation: `Set ${member}`, subject };
}

/** null for a call that changes nothing, or of a member that the interface table has not. */
function changeOf(known: Known, call: IncomingCall): Asked | null {
  if (call.interface === PROPERTIES) return changeOfProperty(known, call);
  const method =
    call.interface === undefined ? undefined : interfaceCalled(call.interface)?.methods.get(call.member);
  if (call.interface === undefined || method === undefined || method.reads) return null;
  // Arguments of other types mean nothing: the call will be refused.
  const args = hasSignature(call, method.inSignature) ? method.in : [];
  return { interface: call.interface, operation: method.name, subject: subjectOfMethod(known, call, args) };
}

export class CallHistory {
  readonly #callers: Callers;
  readonly #recorder: Recorder;

  constructor(
    private readonly known: Known,
    ask: AskBus,
    write: WriteRecord,
  ) {
    this.#callers = new Callers(ask);
    this.#recorder = new Recorder(known.engine, write);
  }

  /** null for a call that has no record. */
  begin(call: IncomingCall, sender: string | undefined): Attempt | null {
    const change = changeOf(this.known, call);
    if (change === null) return null;
    return this.#recorder.begin(change, this.#callers.of(sender));
  }

  settled(): Promise<void> {
    return this.#recorder.settled();
  }
}

/**
 * What came of a method by the values that it returns before code and text. Every method of the table that tells
 * whether something was done tells it first.
 */
export function outcomeOf(result: unknown, code: number, text: string): Outcome {
  if (code !== 0) return failure(text);
  const [first] = Array.isArray(result) ? (result as unknown[]) : [result];
  return first === false ? UNCHANGED : DONE;
}
