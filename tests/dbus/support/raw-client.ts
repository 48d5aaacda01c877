/**
 * A client that leaves messages as they are: it knows when the last byte of a reply was there, and can send what was
 * encoded before, as fast as the bus takes it.
 */
import { Channel } from "../../../src/bus/channel";
import {
  decodeBody,
  decodeHead,
  encode,
  FIXED_BYTES,
  MESSAGE_TYPE,
  messageLength,
  type MessageHead,
} from "../../../src/bus/codec";
import { closeDescriptor } from "../../../src/bus/descriptors";
import { BASE_PATH, BUS_NAME } from "../../../src/dbus/names";

const CALL_TIMEOUT_MS = 60_000;
const BUS = "org.freedesktop.DBus";

export interface RawMessage {
  readonly head: MessageHead;
  readonly bytes: Buffer;
  /** When its last byte had come, in milliseconds of performance.now(). */
  readonly at: number;
}

export interface RawCall {
  readonly path?: string;
  readonly interface?: string;
  readonly destination?: string;
  readonly flags?: number;
  readonly signature?: string;
  readonly body?: unknown[];
}

export class RawClient {
  /** Called with each message that is no reply to call(). */
  onMessage: (message: RawMessage) => void = () => undefined;
  readonly #channel: Channel;
  readonly #waiting = new Map<number, (reply: RawMessage) => void>();
  #chunks: Buffer[] = [];
  #bytes = 0;
  #expected = FIXED_BYTES;
  #greeted: (() => void) | null = null;
  #serial = 0;

  private constructor(channel: Channel) {
    this.#channel = channel;
    channel.onData = (data, descriptors) => {
      descriptors.forEach(closeDescriptor);
      this.#received(data, performance.now());
    };
  }

  /** `address` is a private bus's: "unix:path=…". */
  static async connect(address: string): Promise<RawClient> {
    const client = new RawClient(await Channel.connect(address.replace("unix:path=", "")));
    const user = Buffer.from(String(process.geteuid?.() ?? 0)).toString("hex");
    const greeted = new Promise<void>((resolve) => (client.#greeted = resolve));
    client.write(Buffer.from(`\0AUTH EXTERNAL ${user}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`, "latin1"));
    await greeted;
    await client.callBus("Hello");
    return client;
  }

  /** Bytes of one or more whole messages. */
  write(data: Uint8Array, descriptors: readonly number[] = []): void {
    this.#channel.write(data, descriptors);
  }

  /** From now on nothing that comes is looked at. */
  ignoreEverything(): void {
    this.#channel.onData = (_, descriptors) => {
      descriptors.forEach(closeDescriptor);
    };
  }

  /** Resolves when the bus has taken all that was written. */
  drained(): Promise<void> {
    return this.#channel.drained();
  }

  /** A call as bytes, with the next serial. */
  encodeCall(
    member: string,
    call: RawCall,
  ): { serial: number; data: Buffer; descriptors: readonly number[] } {
    const serial = ++this.#serial;
    const message = {
      ...{ type: MESSAGE_TYPE.methodCall, destination: BUS_NAME, path: BASE_PATH, signature: "", body: [] },
      ...call,
    };
    return { serial, ...encode({ ...message, serial, member }) };
  }

  /** Resolves to the reply, whatever it is. */
  call(member: string, call: RawCall): Promise<RawMessage> {
    const { serial, data, descriptors } = this.encodeCall(member, call);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(serial);
        reject(new Error(`No reply to ${member} within ${CALL_TIMEOUT_MS} ms`));
      }, CALL_TIMEOUT_MS);
      this.#waiting.set(serial, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
      this.write(data, descriptors);
    });
  }

  /** The body of the reply. Rejects for an error reply. */
  async callForBody(member: string, call: RawCall): Promise<unknown[]> {
    const { head, bytes } = await this.call(member, call);
    const body = decodeBody(bytes, head);
    if (head.type === MESSAGE_TYPE.error)
      throw new Error(`${member}: ${head.errorName ?? ""}: ${String(body[0])}`);
    return body;
  }

  callBus(member: string, signature = "", body: unknown[] = []): Promise<unknown[]> {
    return this.callForBody(member, {
      ...{ destination: BUS, path: "/org/freedesktop/DBus", interface: BUS },
      ...{ signature, body },
    });
  }

  close(): void {
    this.#channel.close();
  }

  #received(data: Buffer, at: number): void {
    this.#chunks.push(data);
    this.#bytes += data.length;
    if (this.#greeted !== null && !this.#readGreeting()) return;
    while (this.#bytes >= this.#expected) {
      const all = this.#joined();
      const length = messageLength(all);
      this.#expected = length;
      if (all.length < length) return;
      this.#keep(all.subarray(length));
      this.#expected = FIXED_BYTES;
      this.#deliver({ head: decodeHead(all.subarray(0, length)), bytes: all.subarray(0, length), at });
    }
  }

  #readGreeting(): boolean {
    const all = this.#joined();
    const first = all.indexOf("\r\n");
    const second = first < 0 ? -1 : all.indexOf("\r\n", first + 2);
    if (second < 0) return false;
    this.#keep(all.subarray(second + 2));
    this.#greeted?.();
    this.#greeted = null;
    return true;
  }

  #joined(): Buffer {
    const all = this.#chunks.length === 1 ? this.#chunks[0] : undefined;
    const joined = all ?? Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }

  #deliver(message: RawMessage): void {
    const { replySerial } = message.head;
    const waiting = replySerial === undefined ? undefined : this.#waiting.get(replySerial);
    if (replySerial === undefined || waiting === undefined) {
      this.onMessage(message);
      return;
    }
    this.#waiting.delete(replySerial);
    waiting(message);
  }
}
