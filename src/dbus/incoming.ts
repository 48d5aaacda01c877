/** From messages that are method calls to calls that are carried out: each sender in its turn, within limits. */
import { decodeBody, NO_REPLY_EXPECTED, type MessageHead } from "../bus/codec";
import { errorText } from "../engine/errors";
import type { Logger } from "../log";
import type { IncomingCall } from "./call";
import { ReceivedDescriptors } from "./descriptors";
import { limitExceeded, refused, type ErrorAnswer } from "./errors";
import { Turns } from "./turns";

/** More than any call needs: CreatePool with the paths of 10,000 devices has less. */
const MAX_CALL_BYTES = 1024 * 1024;
/**
 * While more than this waits to be sent, no call is started: its answer would only wait behind, and a bus that has much
 * to do takes little at a time.
 */
const MAX_QUEUED_BYTES = 64 * 1024;

/** Where a reply goes. */
export interface CallOrigin {
  readonly sender: string | undefined;
  readonly serial: number;
  readonly expectsReply: boolean;
}

/** What a call is for, as far as its header tells. */
export type CallHead = Pick<IncomingCall, "path" | "interface" | "member" | "signature">;

export interface CallHandler {
  /**
   * Whether a call has an effect besides its reply, and whether it takes descriptors. Without an effect it is dropped
   * when no reply is wanted; descriptors that it does not take are closed at once.
   */
  examine(call: CallHead): { hasEffect: boolean; takesDescriptors: boolean };
  /** Settles when the call has been answered: the descriptors that came with it are closed then. Must not reject. */
  answer(call: IncomingCall, origin: CallOrigin): Promise<void>;
}

type Refuse = (origin: CallOrigin, error: ErrorAnswer) => void;

/** Where replies go out. */
interface Outlet {
  readonly queuedBytes: number;
  drained(): Promise<void>;
}

/** Of senders whose refusal was logged, in the memory of the service. */
const MAX_COMPLAINTS = 1000;

export class IncomingCalls {
  readonly #handler: CallHandler;
  readonly #refuse: Refuse;
  readonly #outlet: Outlet;
  readonly #log: Logger;
  readonly #turns: Turns;
  #waitsForOutlet = false;
  /** Senders whose refusal was logged. */
  readonly #complaints = new Set<string>();

  constructor(handler: CallHandler, refuse: Refuse, outlet: Outlet, log: Logger) {
    this.#handler = handler;
    this.#refuse = refuse;
    this.#outlet = outlet;
    this.#log = log;
    this.#turns = new Turns(() => this.#isBlocked());
  }

  /** Takes over the descriptors. */
  received(head: MessageHead, bytes: Buffer, given: readonly number[]): void {
    const { path, member, sender, serial, flags, signature } = head;
    const descriptors = new ReceivedDescriptors(given);
    if (path === undefined || member === undefined) {
      descriptors.close(); // The bus lets no such call through.
      return;
    }
    const call: CallHead = { path, member, interface: head.interface, signature };
    const origin = { sender, serial, expectsReply: (flags & NO_REPLY_EXPECTED) === 0 };
    const { hasEffect, takesDescriptors } = this.#handler.examine(call);
    if (!takesDescriptors) descriptors.close();
    if (!hasEffect && !origin.expectsReply) return;
    const load = { bytes: bytes.length, descriptors: descriptors.count };
    const refusal =
      bytes.length > MAX_CALL_BYTES
        ? `the call has ${bytes.length} bytes, and ${MAX_CALL_BYTES} are allowed`
        : this.#turns.refusal(sender ?? "", load);
    if (refusal !== null) {
      descriptors.close();
      this.#complain(sender ?? "", call, refusal);
      this.#refuse(origin, limitExceeded(`Too much from one client: ${refusal}`));
      return;
    }
    this.#turns.add(sender ?? "", {
      ...load,
      start: this.#starter(head, Buffer.from(bytes), call, origin, descriptors),
      drop: () => {
        descriptors.close();
      },
    });
  }

  /** The calls that have not been started are never carried out. */
  end(): void {
    this.#turns.clear();
  }

  /** `bytes` is a copy: what came stands in a buffer with much else. Its arguments are decoded when its turn comes. */
  #starter(
    head: MessageHead,
    bytes: Buffer,
    call: CallHead,
    origin: CallOrigin,
    descriptors: ReceivedDescriptors,
  ): () => Promise<void> {
    return async () => {
      try {
        const body = this.#bodyOf(head, bytes, origin);
        if (body !== null) await this.#handler.answer({ ...call, body, descriptors }, origin);
      } finally {
        descriptors.close();
      }
    };
  }

  /** null: it could not be understood, which the sender has been told. */
  #bodyOf(head: MessageHead, bytes: Buffer, origin: CallOrigin): unknown[] | null {
    try {
      return decodeBody(bytes, head);
    } catch (error) {
      const text = `The arguments of the call could not be understood: ${errorText(error)}`;
      this.#log.warn(text);
      this.#refuse(origin, refused(text));
      return null;
    }
  }

  #isBlocked(): boolean {
    if (this.#outlet.queuedBytes <= MAX_QUEUED_BYTES) return false;
    if (!this.#waitsForOutlet) {
      this.#waitsForOutlet = true;
      void this.#outlet.drained().then(() => {
        this.#waitsForOutlet = false;
        this.#turns.resume();
      });
    }
    return true;
  }

  /** Once for each sender: there is no end to what it may send. */
  #complain(sender: string, { member, path }: CallHead, refusal: string): void {
    if (this.#complaints.has(sender)) return;
    if (this.#complaints.size >= MAX_COMPLAINTS) this.#complaints.clear();
    this.#complaints.add(sender);
    this.#log.warn(`Refusing ${member} on ${path}: ${refusal}; further refusals of ${sender} are not logged`);
  }
}
