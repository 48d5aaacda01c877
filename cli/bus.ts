/**
 * The connection to the message bus. dbus-next authenticates, encodes and decodes; its MessageBus is not used, because
 * it does not tell when the bus goes away, has no timeouts, and loads an XML library that a client without
 * introspection never needs.
 */
import createConnection from "dbus-next/lib/connection";
import { messageOf, NoBusError } from "./errors";
import { busSockets } from "./bus-address";
import { ERROR } from "./names";

type Received = createConnection.ReceivedMessage;

const METHOD_CALL = 1;
const METHOD_RETURN = 2;
const ERROR_REPLY = 3;
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
  readonly body: unknown[];
  /** Milliseconds to wait for the reply; 0: not at all. */
  readonly timeoutMs: number;
}

interface Waiting {
  readonly resolve: (reply: Received) => void;
  readonly reject: (error: Error) => void;
}

const describe = ({ interface: name, member }: MethodCall): string => `${name}.${member}`;

export class Bus {
  readonly #connection: createConnection.Connection;
  readonly #waiting = new Map<number, Waiting>();
  #serial = 0;
  #ended: Error | null = null;
  /** Set while a message is written whose signature on the wire differs from the one that it is encoded by. */
  #announced: { readonly encoded: string; readonly signature: string } | null = null;

  private constructor(socket: string) {
    this.#connection = createConnection({ busAddress: `unix:socket=${socket}`, authMethods: ["EXTERNAL"] });
    const { stream } = this.#connection;
    this.#adaptWrites();
    this.#connection.on("message", (message: Received) => {
      this.#received(message);
    });
    this.#connection.on("error", (error: unknown) => {
      this.#end(error instanceof Error ? error : new Error(String(error)));
      stream.destroy();
    });
    stream.once("close", () => {
      this.#end(new Error("the message bus closed the connection"));
    });
  }

  /** Connects to the first bus of the list that answers. Rejects with what was tried and why it failed. */
  static async open(address: string): Promise<Bus> {
    const failures: string[] = [];
    for (const socket of busSockets(address)) {
      const bus = new Bus(socket);
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
        failures.push(`${socket.replace("\0", "@")}: ${messageOf(error)}`);
      }
    }
    throw new NoBusError(`could not connect to the message bus at ${address}: ${failures.join("; ")}`);
  }

  /** The body of the reply. Rejects with DbusError for an error reply, for none in time, and when the bus is gone. */
  async call(call: MethodCall): Promise<unknown[]> {
    const serial = ++this.#serial;
    let timer: NodeJS.Timeout | undefined;
    try {
      const reply = await new Promise<Received>((resolve, reject) => {
        this.#waiting.set(serial, { resolve, reject });
        this.#send(call, serial);
        timer = setTimeout(() => {
          const text = `no reply to ${describe(call)} within ${call.timeoutMs} ms`;
          reject(new DbusError(ERROR.noReply, text, null));
        }, call.timeoutMs);
      });
      if (reply.type === METHOD_RETURN) return reply.body;
      const text = typeof reply.body[0] === "string" ? reply.body[0] : "";
      throw new DbusError(reply.errorName ?? "", text, reply.sender ?? null);
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(serial);
    }
  }

  close(): void {
    this.#end(new Error("the connection to the message bus was closed"));
    this.#connection.stream.destroy();
  }

  #send(call: MethodCall, serial: number): void {
    if (this.#ended !== null) throw new DbusError(ERROR.disconnected, this.#ended.message, null);
    const { destination, path, interface: interfaceName, member, signature, body } = call;
    // An index of a descriptor has the form of a u. dbus-next would announce a descriptor for every h, also for one
    // that an accompanying false makes meaningless, and the bus refuses messages without the descriptors announced.
    const encoded = signature.replaceAll("h", "u");
    this.#announced = encoded === signature ? null : { encoded, signature };
    try {
      this.#connection.message({
        type: METHOD_CALL,
        serial,
        destination,
        path,
        interface: interfaceName,
        member,
        signature: encoded,
        body,
      });
    } finally {
      this.#announced = null;
    }
  }

  #received(message: Received): void {
    if (message.type !== METHOD_RETURN && message.type !== ERROR_REPLY) return;
    this.#waiting.get(message.replySerial ?? 0)?.resolve(message);
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#waiting.values())
      reject(new DbusError(ERROR.disconnected, this.#ended.message, null));
    this.#waiting.clear();
  }

  #adaptWrites(): void {
    const { stream } = this.#connection;
    const write: (data: Uint8Array | string) => boolean = stream.write.bind(stream);
    stream.write = (data: Uint8Array | string): boolean => {
      if (typeof data === "string") return write(withEffectiveUser(data));
      if (this.#announced === null) return write(data);
      const { encoded, signature } = this.#announced;
      // The header, with the signature and its final NUL, comes before the body.
      const text = Buffer.from(data).toString("latin1").replace(`${encoded}\0`, `${signature}\0`);
      return write(Buffer.from(text, "latin1"));
    };
  }
}

/** dbus-next claims to be the real user, but the kernel tells the bus the effective one, and both have to agree. */
function withEffectiveUser(line: string): string {
  if (!line.startsWith("AUTH EXTERNAL ") || process.geteuid === undefined) return line;
  return `AUTH EXTERNAL ${Buffer.from(process.geteuid().toString()).toString("hex")}\r\n`;
}
