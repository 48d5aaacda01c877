/** A client at the level of messages: what it receives is kept in the order in which it was on the wire. */
import { once } from "node:events";
import createConnection from "dbus-next/lib/connection";
import { MessageType, Variant } from "dbus-next";
import { BASE_PATH, BUS_NAME, PROPERTIES } from "../../../src/dbus/names";

export type Received = createConnection.ReceivedMessage;

const CALL_TIMEOUT_MS = 20_000;

export interface CallOptions {
  path?: string;
  interface?: string;
  destination?: string;
  flags?: number;
  signature?: string;
  body?: unknown[];
}

/** An error reply. */
export class RemoteError extends Error {
  constructor(
    readonly errorName: string,
    message: string,
  ) {
    super(message);
  }
}

/** Variants replaced by what they hold. */
export function plain(value: unknown): unknown {
  if (value instanceof Variant) return plain((value as Variant<unknown>).value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
  return value;
}

export class Client {
  /** Signals of the service and replies to our calls, as they came. */
  readonly received: Received[] = [];
  /** Called with each signal as it comes. */
  onSignal: (message: Received) => void = () => undefined;
  readonly #connection: createConnection.Connection;
  readonly #waiting = new Map<number, (reply: Received) => void>();
  #serial = 0;
  /** Signature under which the next message is announced on the wire, of the same length as its own. */
  #disguise: { from: string; to: string } | null = null;

  private constructor(
    address: string,
    readonly callTimeoutMs: number,
  ) {
    this.#connection = createConnection({
      busAddress: address.replace("unix:path=", "unix:socket="),
      authMethods: ["EXTERNAL"],
    });
    this.#connection.on("message", (message: Received) => {
      this.received.push(message);
      if (message.type === MessageType.SIGNAL) this.onSignal(message);
      const waiting = message.replySerial === undefined ? undefined : this.#waiting.get(message.replySerial);
      waiting?.(message);
    });
    // Streams that end while a test tears its bus down are no news.
    this.#connection.on("error", () => undefined);
    this.#disguiseWrites();
  }

  static async connect(address: string, callTimeoutMs = CALL_TIMEOUT_MS): Promise<Client> {
    const client = new Client(address, callTimeoutMs);
    await client.callBus("Hello");
    await client.callBus("AddMatch", "s", ["type='signal',path_namespace='/org/storage'"]);
    return client;
  }

  callBus(member: string, signature = "", body: unknown[] = []): Promise<unknown[]> {
    return this.call(member, {
      destination: "org.freedesktop.DBus",
      path: "/org/freedesktop/DBus",
      interface: "org.freedesktop.DBus",
      signature,
      body,
    });
  }

  /** Sends a call and does not wait; returns its serial. */
  send(member: string, options: CallOptions): number {
    const serial = ++this.#serial;
    this.#connection.message({
      type: MessageType.METHOD_CALL,
      destination: BUS_NAME,
      path: BASE_PATH,
      signature: "",
      body: [],
      ...options,
      serial,
      member,
    });
    return serial;
  }

  /** The reply's body. Rejects with RemoteError for an error reply. */
  async call(member: string, options: CallOptions): Promise<unknown[]> {
    const reply = await this.callForReply(member, options);
    if (reply.type === MessageType.ERROR)
      throw new RemoteError(reply.errorName ?? "", typeof reply.body[0] === "string" ? reply.body[0] : "");
    return reply.body;
  }

  async callForReply(member: string, options: CallOptions): Promise<Received> {
    let timer: NodeJS.Timeout | undefined;
    const serial = this.send(member, options);
    try {
      return await new Promise<Received>((resolve, reject) => {
        this.#waiting.set(serial, resolve);
        timer = setTimeout(() => {
          reject(new Error(`No reply to ${member} within ${this.callTimeoutMs} ms`));
        }, this.callTimeoutMs);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(serial);
    }
  }

  /**
   * As callForReply, for signatures with h: the encoder takes u, which has the same form on the wire, and the message
   * announces `signature`. No descriptor goes along.
   */
  callWithIndices(member: string, options: CallOptions & { signature: string }): Promise<Received> {
    const encoded = options.signature.replaceAll("h", "u");
    this.#disguise = { from: encoded, to: options.signature };
    return this.callForReply(member, { ...options, signature: encoded });
  }

  async get(path: string, name: string, property: string): Promise<unknown> {
    const [value] = await this.call("Get", {
      path,
      interface: PROPERTIES,
      signature: "ss",
      body: [name, property],
    });
    return plain(value);
  }

  async set(path: string, name: string, property: string, value: Variant<unknown>): Promise<void> {
    await this.call("Set", {
      path,
      interface: PROPERTIES,
      signature: "ssv",
      body: [name, property, value],
    });
  }

  /** Forgets what was received so far and returns it. */
  take(): Received[] {
    return this.received.splice(0);
  }

  async close(): Promise<void> {
    const { stream } = this.#connection;
    if (stream.closed) return;
    stream.end();
    await once(stream, "close", { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
  }

  #disguiseWrites(): void {
    const { stream } = this.#connection;
    const write: (data: Uint8Array | string) => boolean = stream.write.bind(stream);
    stream.write = (data: Uint8Array | string) => {
      const disguise = this.#disguise;
      if (disguise === null || typeof data === "string") return write(data);
      this.#disguise = null;
      const text = Buffer.from(data).toString("latin1").replace(`${disguise.from}\0`, `${disguise.to}\0`);
      return write(Buffer.from(text, "latin1"));
    };
  }
}
