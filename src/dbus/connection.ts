/**
 * The connection to the message bus: src/bus/ authenticates and does the encoding, this file numbers messages,
 * matches replies to our own calls, and hands every other call on (incoming.ts). dbus-next's MessageBus is not used: it
 * would answer calls by itself, put stacks into replies, and not tell when the bus goes away.
 */
import { MESSAGE_TYPE, type OutgoingMessage, type ReceivedMessage } from "../bus/codec";
import { closeDescriptor } from "../bus/descriptors";
import { MessageChannel } from "../bus/messages";
import { errorText } from "../engine/errors";
import type { Logger } from "../log";
import { parseBusAddress, type SocketPath } from "./address";
import type { Reply } from "./call";
import type { Signal, SignalSink } from "./context";
import { DbusError, type ErrorAnswer } from "./errors";
import { IncomingCalls, type CallHandler, type CallOrigin } from "./incoming";
import { sendableText } from "./signature";

const MAX_SERIAL = 0xffffffff;
/** For the bus to authenticate us and to answer Hello. */
const CONNECT_TIMEOUT_MS = 30_000;
/** Of the text of an error, in UTF-16 units: it may quote what a client sent, which may be of any length. */
const MAX_ERROR_LENGTH = 16 * 1024;
const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };

/** Why the connection is no more. `expected`: we closed it ourselves. */
export interface Closed {
  readonly expected: boolean;
  readonly reason: string;
}

interface PendingCall {
  readonly resolve: (body: unknown[]) => void;
  readonly reject: (error: Error) => void;
}

/** The text of an error reply: by convention its first argument. */
const errorMessage = ({ body, errorName }: ReceivedMessage): string =>
  typeof body[0] === "string" ? body[0] : `${errorName ?? "an error"} without a text`;

const describe = ({ member, replySerial }: Partial<OutgoingMessage>): string =>
  member ?? `the reply to ${replySerial ?? 0}`;

export class BusConnection implements SignalSink {
  /** Settles once, when the connection has ended, and never rejects. */
  readonly closed: Promise<Closed>;
  readonly #messages: MessageChannel;
  readonly #log: Logger;
  readonly #pending = new Map<number, PendingCall>();
  #calls: IncomingCalls | null = null;
  #serial = 0;
  #closing = false;
  #ended = false;

  private constructor(messages: MessageChannel, log: Logger) {
    this.#messages = messages;
    this.#log = log;
    messages.onMessage = (message, descriptors) => {
      descriptors.forEach(closeDescriptor);
      this.#receivedAnswer(message);
    };
    messages.onBadMessage = (error) => {
      log.warn(`A message of the bus could not be understood: ${error.message}`);
    };
    this.closed = messages.closed.then((reason) => this.#end(reason));
  }

  /** Connects, authenticates and says Hello. Rejects with what was tried and why it failed. */
  static async open(address: string, log: Logger): Promise<BusConnection> {
    const failures: string[] = [];
    for (const socket of parseBusAddress(address)) {
      try {
        return await BusConnection.#greeted(socket, log);
      } catch (error) {
        failures.push(`${socket.replace("\0", "@")}: ${errorText(error)}`);
      }
    }
    throw new Error(`Could not connect to the message bus at ${address}: ${failures.join("; ")}`);
  }

  /** Calls that came before this are ignored. */
  handleCalls(handler: CallHandler): void {
    const refuse = (origin: CallOrigin, error: ErrorAnswer): void => {
      this.replyError(origin, error);
    };
    const calls = new IncomingCalls(handler, refuse, this.#messages, this.#log);
    this.#calls = calls;
    this.#messages.onCall = (head, bytes, descriptors) => {
      calls.received(head, bytes, descriptors);
    };
  }

  /** Calls a method of the bus itself. Rejects with DbusError for an error reply. */
  callBus(member: string, signature: string, body: unknown[]): Promise<unknown[]> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(new Error(`Could not call ${member} of the message bus: the connection has ended`));
        return;
      }
      const serial = this.#nextSerial();
      this.#pending.set(serial, { resolve, reject });
      this.#messages.send({
        ...BUS,
        type: MESSAGE_TYPE.methodCall,
        interface: "org.freedesktop.DBus",
        serial,
        member,
        signature,
        body,
      });
    });
  }

  /** Throws when the reply cannot be encoded, TooLong when the bus would not let it through. */
  reply(origin: CallOrigin, { signature, body }: Reply): void {
    if (!origin.expectsReply) return;
    this.#sendOrThrow({
      type: MESSAGE_TYPE.methodReturn,
      replySerial: origin.serial,
      ...(origin.sender === undefined ? {} : { destination: origin.sender }),
      signature,
      body,
    });
  }

  replyError(origin: CallOrigin, { errorName, message }: ErrorAnswer): void {
    if (!origin.expectsReply) return;
    this.#send({
      type: MESSAGE_TYPE.error,
      errorName,
      replySerial: origin.serial,
      ...(origin.sender === undefined ? {} : { destination: origin.sender }),
      signature: "s",
      body: [sendableText(message.slice(0, MAX_ERROR_LENGTH))],
    });
  }

  signal(signal: Signal): void {
    this.#send({ ...signal, type: MESSAGE_TYPE.signal });
  }

  signalForEach(texts: readonly string[], signalOf: (text: string) => Signal): void {
    const [first] = texts;
    if (first === undefined || this.#isOver(signalOf(first))) return;
    const each = texts.map((text) => ({ serial: this.#nextSerial(), text }));
    try {
      this.#messages.sendForEach(each, (text) => ({ ...signalOf(text), type: MESSAGE_TYPE.signal }));
    } catch (error) {
      this.#log.error(`Could not send ${describe(signalOf(first))}: ${errorText(error)}`);
    }
  }

  /** Sends what is still waiting to be sent and ends the connection. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#messages.end();
    await this.closed;
  }

  static async #greeted(socket: SocketPath, log: Logger): Promise<BusConnection> {
    let timer: NodeJS.Timeout | undefined;
    let messages: MessageChannel | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`));
      }, CONNECT_TIMEOUT_MS);
    });
    try {
      messages = await Promise.race([MessageChannel.open(socket), timeout]);
      const connection = new BusConnection(messages, log);
      await Promise.race([connection.callBus("Hello", "", []), timeout]);
      return connection;
    } catch (error) {
      messages?.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** A message that cannot go out is logged. */
  #send(message: Omit<OutgoingMessage, "serial">): void {
    try {
      this.#sendOrThrow(message);
    } catch (error) {
      this.#log.error(`Could not send ${describe(message)}: ${errorText(error)}`);
    }
  }

  #sendOrThrow(message: Omit<OutgoingMessage, "serial">): void {
    if (!this.#isOver(message)) this.#messages.send({ ...message, serial: this.#nextSerial() });
  }

  /** Without a connection nothing is sent: its receiver, or the bus, is gone, which `closed` tells. */
  #isOver(message: Partial<OutgoingMessage>): boolean {
    const isOver = this.#ended || this.#closing;
    if (isOver) this.#log.debug(`Not sending ${describe(message)}: the connection has ended`);
    return isOver;
  }

  #nextSerial(): number {
    this.#serial = this.#serial === MAX_SERIAL ? 1 : this.#serial + 1;
    return this.#serial;
  }

  #receivedAnswer(message: ReceivedMessage): void {
    // Signals that the bus addresses to us, such as NameAcquired: nothing here waits for any.
    if (message.type === MESSAGE_TYPE.methodReturn) this.#takePending(message)?.resolve(message.body);
    else if (message.type === MESSAGE_TYPE.error)
      this.#takePending(message)?.reject(new DbusError(message.errorName ?? "", errorMessage(message)));
  }

  #takePending({ replySerial }: ReceivedMessage): PendingCall | undefined {
    if (replySerial === undefined) return undefined;
    const pending = this.#pending.get(replySerial);
    this.#pending.delete(replySerial);
    return pending;
  }

  #end(failure: Error | null): Closed {
    this.#ended = true;
    this.#calls?.end();
    const reason = this.#closing
      ? "the connection was closed"
      : `the message bus closed the connection${failure === null ? "" : `: ${failure.message}`}`;
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
    return { expected: this.#closing, reason };
  }
}
