/**
 * The connection to the message bus: dbus-next authenticates and does the encoding, this file numbers messages,
 * matches replies to our own calls, and hands every other call to one handler. dbus-next's MessageBus is not used: it
 * would answer calls by itself, put stacks into replies, and not tell when the bus goes away.
 */
import createConnection from "dbus-next/lib/connection";
import { MessageType } from "dbus-next";
import { errorText } from "../engine/errors";
import type { Logger } from "../log";
import { parseBusAddress, type SocketPath } from "./address";
import { noDescriptors } from "./descriptors";
import { DbusError } from "./errors";
import type { IncomingCall, Reply } from "./call";
import { parseSignature, sendableText } from "./signature";
import { adaptStream, type ByteOrder } from "./stream";

type Received = createConnection.ReceivedMessage;

const NO_REPLY_EXPECTED = 1;
const MAX_SERIAL = 0xffffffff;
/** For the bus to authenticate us and to answer Hello. */
const CONNECT_TIMEOUT_MS = 30_000;
const BUS = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };

/** Why the connection is no more. `expected`: we closed it ourselves. */
export interface Closed {
  readonly expected: boolean;
  readonly reason: string;
}

/** Where a reply goes. */
export interface CallOrigin {
  readonly sender: string | undefined;
  readonly serial: number;
  readonly expectsReply: boolean;
}

export type CallHandler = (call: IncomingCall, origin: CallOrigin) => void;

interface PendingCall {
  readonly resolve: (body: unknown[]) => void;
  readonly reject: (error: Error) => void;
}

/** The text of an error reply: by convention its first argument. */
const errorMessage = ({ body, errorName }: Received): string =>
  typeof body[0] === "string" ? body[0] : `${errorName ?? "an error"} without a text`;

export class BusConnection {
  /** Settles once, when the connection has ended, and never rejects. */
  readonly closed: Promise<Closed>;
  /** Set before messages are expected. Must not throw. */
  onCall: CallHandler = () => undefined;
  readonly #connection: createConnection.Connection;
  readonly #log: Logger;
  readonly #pending = new Map<number, PendingCall>();
  readonly #byteOrder: () => ByteOrder;
  #serial = 0;
  #closing = false;
  #ended = false;
  #failure: string | null = null;

  private constructor(socket: SocketPath, log: Logger) {
    this.#log = log;
    this.#connection = createConnection({ busAddress: `unix:socket=${socket}`, authMethods: ["EXTERNAL"] });
    const { stream } = this.#connection;
    this.#byteOrder = adaptStream(stream);
    stream.on("error", (error) => {
      this.#failure = error.message;
    });
    this.#connection.on("error", (error: unknown) => {
      // Errors of the stream come here too; what else does is a message that could not be decoded.
      log.warn(`D-Bus connection: ${errorText(error)}`);
    });
    this.#connection.on("message", (message: Received) => {
      this.#received(message);
    });
    this.closed = new Promise((resolve) => {
      stream.once("close", () => {
        resolve(this.#end());
      });
    });
  }

  /** Connects, authenticates and says Hello. Rejects with what was tried and why it failed. */
  static async open(address: string, log: Logger): Promise<BusConnection> {
    const failures: string[] = [];
    for (const socket of parseBusAddress(address)) {
      const connection = new BusConnection(socket, log);
      try {
        await connection.#greet();
        return connection;
      } catch (error) {
        failures.push(`${socket.replace("\0", "@")}: ${errorText(error)}`);
        connection.#connection.stream.destroy();
      }
    }
    throw new Error(`Could not connect to the message bus at ${address}: ${failures.join("; ")}`);
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
      this.#connection.message({
        ...BUS,
        type: MessageType.METHOD_CALL,
        interface: "org.freedesktop.DBus",
        serial,
        member,
        signature,
        body,
      });
    });
  }

  reply(origin: CallOrigin, { signature, body }: Reply): void {
    if (!origin.expectsReply) return;
    this.#send({
      type: MessageType.METHOD_RETURN,
      replySerial: origin.serial,
      ...(origin.sender === undefined ? {} : { destination: origin.sender }),
      signature,
      body,
    });
  }

  replyError(origin: CallOrigin, { errorName, message }: DbusError): void {
    if (!origin.expectsReply) return;
    this.#send({
      type: MessageType.ERROR,
      errorName,
      replySerial: origin.serial,
      ...(origin.sender === undefined ? {} : { destination: origin.sender }),
      signature: "s",
      body: [sendableText(message)],
    });
  }

  signal(signal: {
    path: string;
    interface: string;
    member: string;
    signature: string;
    body: unknown[];
  }): void {
    this.#send({ ...signal, type: MessageType.SIGNAL });
  }

  /** Sends what is still waiting to be sent and ends the connection. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#connection.stream.end();
    await this.closed;
  }

  async #greet(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`));
      }, CONNECT_TIMEOUT_MS);
    });
    const failed = new Promise<never>((_, reject) => {
      this.#connection.once("error", (error: unknown) => {
        reject(new Error(errorText(error)));
      });
    });
    const ended = this.closed.then(({ reason }) => Promise.reject(new Error(reason)));
    try {
      await Promise.race([this.callBus("Hello", "", []), failed, ended, timeout]);
    } finally {
      clearTimeout(timer);
      // The losers of the race may still reject; nobody is waiting for them then.
      failed.catch(() => undefined);
      ended.catch(() => undefined);
    }
  }

  /** A message that cannot go out is logged: its receiver, or the bus, is gone, which `closed` tells. */
  #send(message: Omit<createConnection.OutgoingMessage, "serial">): void {
    const what = message.member ?? `the reply to ${message.replySerial ?? 0}`;
    if (this.#ended || this.#closing) {
      this.#log.debug(`Not sending ${what}: the connection has ended`);
      return;
    }
    try {
      const body = parseSignature(message.signature).length;
      if (body !== message.body.length)
        throw new Error(`${message.body.length} values for the signature ${message.signature}`);
      this.#connection.message({ ...message, serial: this.#nextSerial() });
    } catch (error) {
      this.#log.error(`Could not send ${what}: ${errorText(error)}`);
    }
  }

  #nextSerial(): number {
    this.#serial = this.#serial === MAX_SERIAL ? 1 : this.#serial + 1;
    return this.#serial;
  }

  #received(message: Received): void {
    switch (message.type) {
      case MessageType.METHOD_CALL:
        this.#receivedCall(message);
        return;
      case MessageType.METHOD_RETURN:
        this.#takePending(message)?.resolve(message.body);
        return;
      case MessageType.ERROR:
        this.#takePending(message)?.reject(new DbusError(message.errorName ?? "", errorMessage(message)));
        return;
      default:
        // Signals that the bus addresses to us, such as NameAcquired: nothing here waits for any.
        return;
    }
  }

  #takePending({ replySerial }: Received): PendingCall | undefined {
    if (replySerial === undefined) return undefined;
    const pending = this.#pending.get(replySerial);
    this.#pending.delete(replySerial);
    return pending;
  }

  #receivedCall(message: Received): void {
    const { path, member, sender, serial, signature, body } = message;
    const origin = { sender, serial, expectsReply: (message.flags & NO_REPLY_EXPECTED) === 0 };
    if (path === undefined || member === undefined) return; // The bus lets no such call through.
    if (this.#byteOrder() === "big") {
      this.replyError(
        origin,
        new DbusError(
          "org.freedesktop.DBus.Error.NotSupported",
          "Messages in big-endian byte order are not supported",
        ),
      );
      return;
    }
    this.onCall(
      { path, interface: message.interface, member, signature, body, descriptors: noDescriptors },
      origin,
    );
  }

  #end(): Closed {
    this.#ended = true;
    const reason = this.#closing
      ? "the connection was closed"
      : `the message bus closed the connection${this.#failure === null ? "" : `: ${this.#failure}`}`;
    for (const { reject } of this.#pending.values()) reject(new Error(reason));
    this.#pending.clear();
    return { expected: this.#closing, reason };
  }
}
