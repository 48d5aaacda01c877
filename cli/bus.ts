/**
 * The connection to the message bus. src/bus/ authenticates, encodes and decodes; dbus-next's MessageBus is not used,
 * because it does not tell when the bus goes away, has no timeouts, and loads an XML library that a client without
 * introspection never needs.
 */
import { closeDescriptor } from "../src/bus/descriptors";
import { MESSAGE_TYPE, type ReceivedMessage } from "../src/bus/codec";
import { MessageChannel } from "../src/bus/messages";
import { messageOf, NoBusError } from "./errors";
import { busSockets } from "./bus-address";
import { ERROR } from "./names";
import { secondsText } from "./timeout";

/** For the bus to authenticate us and to answer Hello. */
const CONNECT_TIMEOUT_MS = 25_000;
export const MESSAGE_BUS = "org.freedesktop.DBus";

/** An error reply, or what stands for one. */
export class DbusError extends Error {
  override name = "DbusError";
  constructor(
    readonly errorName: string,
    message: string,
    /** The connection that replied; null when there was no reply. */
    readonly sender: string | null,
    /** How long a reply was waited for that did not come. */
    readonly timeoutMs: number | null = null,
  ) {
    super(message);
  }
}

export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature: string;
  /** An argument of type h is a descriptor, which has to stay open until the reply has come. */
  readonly body: unknown[];
  /** Milliseconds to wait for the reply; 0: not at all. */
  readonly timeoutMs: number;
}

interface Waiting {
  readonly resolve: (reply: ReceivedMessage) => void;
  readonly reject: (error: Error) => void;
}

const describe = ({ interface: name, member }: MethodCall): string => `${name}.${member}`;

export class Bus {
  /** Must not throw. */
  onSignal: (message: ReceivedMessage) => void = () => undefined;
  /** Settles when the connection has ended, with the reason, and never rejects. */
  readonly ended: Promise<Error>;
  #settleEnded: (reason: Error) => void = () => undefined;
  readonly #messages: MessageChannel;
  readonly #waiting = new Map<number, Waiting>();
  #serial = 0;
  #ended: Error | null = null;

  private constructor(messages: MessageChannel) {
    this.#messages = messages;
    this.ended = new Promise((resolve) => {
      this.#settleEnded = resolve;
    });
    messages.onMessage = (message, descriptors) => {
      // No answer of stratisd has any.
      descriptors.forEach(closeDescriptor);
      this.#received(message);
    };
    void messages.closed.then((reason) => {
      this.#end(reason ?? new Error("the message bus closed the connection"));
    });
  }

  /** Connects to the first bus of the list that answers. Rejects with what was tried and why it failed. */
  static async open(address: string): Promise<Bus> {
    const failures: string[] = [];
    for (const socket of busSockets(address)) {
      try {
        return await Bus.#greeted(socket);
      } catch (error) {
        failures.push(`${socket.replace("\0", "@")}: ${messageOf(error)}`);
      }
    }
    throw new NoBusError(`could not connect to the message bus at ${address}: ${failures.join("; ")}`);
  }

  static async #greeted(socket: string): Promise<Bus> {
    const bus = new Bus(await opened(socket));
    try {
      await bus.call({
        destination: MESSAGE_BUS,
        path: "/org/freedesktop/DBus",
        interface: MESSAGE_BUS,
        member: "Hello",
        signature: "",
        body: [],
        timeoutMs: CONNECT_TIMEOUT_MS,
      });
      return bus;
    } catch (error) {
      bus.close();
      throw error;
    }
  }

  /** The body of the reply. Rejects with DbusError for an error reply, for none in time, and when the bus is gone. */
  async call(call: MethodCall): Promise<unknown[]> {
    const serial = ++this.#serial;
    let timer: NodeJS.Timeout | undefined;
    try {
      const reply = await new Promise<ReceivedMessage>((resolve, reject) => {
        this.#waiting.set(serial, { resolve, reject });
        this.#send(call, serial);
        timer = setTimeout(() => {
          const text = `no reply to ${describe(call)} within ${secondsText(call.timeoutMs)}`;
          reject(new DbusError(ERROR.noReply, text, null, call.timeoutMs));
        }, call.timeoutMs);
      });
      if (reply.type === MESSAGE_TYPE.methodReturn) return reply.body;
      const text = typeof reply.body[0] === "string" ? reply.body[0] : "";
      throw new DbusError(reply.errorName ?? "", text, reply.sender ?? null);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(serial);
    }
  }

  close(): void {
    this.#end(new Error("the connection to the message bus was closed"));
    this.#messages.close();
  }

  #send(call: MethodCall, serial: number): void {
    if (this.#ended !== null) throw new DbusError(ERROR.disconnected, this.#ended.message, null);
    const { destination, path, interface: interfaceName, member, signature, body } = call;
    this.#messages.send({
      type: MESSAGE_TYPE.methodCall,
      serial,
      destination,
      path,
      interface: interfaceName,
      member,
      signature,
      body,
    });
  }

  #received(message: ReceivedMessage): void {
    if (message.type === MESSAGE_TYPE.signal) this.onSignal(message);
    if (message.type !== MESSAGE_TYPE.methodReturn && message.type !== MESSAGE_TYPE.error) return;
    this.#waiting.get(message.replySerial ?? 0)?.resolve(message);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values())
      reject(new DbusError(ERROR.disconnected, this.#ended.message, null));
    this.#waiting.clear();
    this.#settleEnded(this.#ended);
  }
}

/** A server that accepts the connection and then says nothing must not keep us. */
async function opened(socket: string): Promise<MessageChannel> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer within ${CONNECT_TIMEOUT_MS / 1000} s`));
    }, CONNECT_TIMEOUT_MS);
  });
  try {
    return await Promise.race([MessageChannel.open(socket), late]);
  } finally {
    clearTimeout(timer);
  }
}
