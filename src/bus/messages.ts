/** Messages over a channel: authentication, framing, and which descriptors belong to which message. */
import { Channel, type SocketPath } from "./channel";
import {
  decodeBody,
  decodeHead,
  encodeForEach,
  encodePieces,
  FIXED_BYTES,
  MalformedMessage,
  MESSAGE_TYPE,
  messageLength,
  type MessageHead,
  type OutgoingMessage,
  type OwnParts,
  type ReceivedMessage,
} from "./codec";
import { closeDescriptor } from "./descriptors";
import { MAX_BUS_MESSAGE_BYTES } from "./limits";

const MAX_LINE_BYTES = 16 * 1024;
/** Descriptors that may wait for the rest of their message: what the kernel passes with one at most. */
const MAX_WAITING_DESCRIPTORS = 253;

/** The receiver owns the descriptors, and closes each. Must not throw. */
export type MessageHandler = (message: ReceivedMessage, descriptors: number[]) => void;

/** A method call whose arguments are not decoded. The receiver owns the descriptors. Must not throw. */
export type CallReceiver = (head: MessageHead, bytes: Buffer, descriptors: number[]) => void;

/** The lines of the D-Bus specification's authentication protocol, sent at once; the server answers them in order. */
const greeting = (userId: number): string =>
  `\0AUTH EXTERNAL ${Buffer.from(userId.toString()).toString("hex")}\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n`;

export class MessageChannel {
  onMessage: MessageHandler = (_, descriptors) => {
    descriptors.forEach(closeDescriptor);
  };
  /** Who wants method calls, which are messages like others otherwise. */
  onCall: CallReceiver | null = null;
  /** A message that could not be decoded; the connection goes on. Must not throw. */
  onBadMessage: (error: Error) => void = () => undefined;
  /** Settles once and never rejects. null: the other side, or close(), ended it. */
  readonly closed: Promise<Error | null>;
  readonly #channel: Channel;
  #authenticated: ((refusal: Error | null) => void) | null = null;
  #answers = 0;
  #passesDescriptors = false;
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** How many bytes have to be there before there is anything to do: a message's fixed part, or all of it. */
  #expected = FIXED_BYTES;
  #descriptors: number[] = [];

  private constructor(channel: Channel) {
    this.#channel = channel;
    channel.onData = (data, descriptors) => {
      this.#received(data, descriptors);
    };
    this.closed = channel.closed.then((reason) => {
      this.#descriptors.splice(0).forEach(closeDescriptor);
      this.#authenticated?.(reason ?? new Error("the server closed the connection during authentication"));
      return reason;
    });
  }

  /** Connects and authenticates as this process's effective user. Bound the time it takes. */
  static async open(socket: SocketPath): Promise<MessageChannel> {
    const messages = new MessageChannel(await Channel.connect(socket));
    const refusal = await new Promise<Error | null>((resolve) => {
      messages.#authenticated = resolve;
      // The kernel tells the bus the effective user, and both have to agree.
      messages.#channel.write(Buffer.from(greeting(process.geteuid?.() ?? 0), "latin1"));
    });
    messages.#authenticated = null;
    if (refusal === null) return messages;
    messages.close();
    throw refusal;
  }

  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  /** Bytes that were sent and that the bus has not taken. */
  get queuedBytes(): number {
    return this.#channel.queuedBytes;
  }

  /** Resolves when the bus has taken all that was sent, or the connection has ended. */
  drained(): Promise<void> {
    return this.#channel.drained();
  }

  /**
   * Throws when the message cannot be encoded, TooLong when the bus would not let it through, and when it has
   * descriptors that the bus does not pass on.
   */
  send(message: OutgoingMessage): void {
    const { pieces, descriptors } = encodePieces(message, MAX_BUS_MESSAGE_BYTES);
    if (descriptors.length > 0 && !this.#passesDescriptors)
      throw new Error("The message bus does not pass on file descriptors");
    pieces.forEach((piece, index) => {
      this.#channel.write(piece, index === 0 ? descriptors : []);
    });
  }

  /** Sends messages that are alike: see encodeForEach(). */
  sendForEach(each: readonly OwnParts[], messageOf: (text: string) => Omit<OutgoingMessage, "serial">): void {
    for (const piece of encodeForEach(each, messageOf, MAX_BUS_MESSAGE_BYTES)) this.#channel.write(piece);
  }

  /** Sends what waits, and resolves when the other side has closed the connection. */
  end(): Promise<void> {
    return this.#channel.end();
  }

  close(reason: Error | null = null): void {
    this.#channel.close(reason);
  }

  #received(data: Buffer, descriptors: number[]): void {
    this.#descriptors.push(...descriptors);
    if (this.#descriptors.length > MAX_WAITING_DESCRIPTORS) {
      this.close(new MalformedMessage("more file descriptors came than a message can have"));
      return;
    }
    this.#chunks.push(data);
    this.#bytes += data.length;
    try {
      if (this.#answers < 2 && !this.#readAnswers()) return;
      this.#readMessages();
    } catch (error) {
      // What follows cannot be understood without what failed.
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** The bytes that have come, as one buffer. */
  #joined(): Buffer {
    const joined = this.#chunks.length === 1 ? this.#chunks[0] : undefined;
    if (joined !== undefined) return joined;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
  }

  /** Whether both answers have come: "OK guid", then "AGREE_UNIX_FD" or "ERROR text". */
  #readAnswers(): boolean {
    while (this.#answers < 2) {
      const text = this.#joined();
      const end = text.indexOf("\r\n");
      if (end < 0) {
        if (text.length > MAX_LINE_BYTES)
          throw new Error("the server's answer during authentication has no end");
        return false;
      }
      const line = text.toString("latin1", 0, end);
      this.#keep(text.subarray(end + 2));
      if (this.#answers === 0 && !line.startsWith("OK "))
        throw new Error(`the server refused this user (it answered "${line.slice(0, 80)}")`);
      if (this.#answers === 1) this.#passesDescriptors = line === "AGREE_UNIX_FD";
      this.#answers += 1;
    }
    this.#authenticated?.(null);
    return true;
  }

  #readMessages(): void {
    if (this.#bytes < this.#expected) return;
    const all = this.#joined();
    let at = 0;
    this.#expected = FIXED_BYTES;
    while (this.isOpen && all.length - at >= FIXED_BYTES) {
      const length = messageLength(all, at);
      if (all.length - at < length) {
        this.#expected = length;
        break;
      }
      at += length;
      this.#deliver(all.subarray(at - length, at), at === all.length);
    }
    this.#keep(all.subarray(at));
  }

  /** `isLast`: nothing that came later is there yet. */
  #deliver(bytes: Buffer, isLast: boolean): void {
    let head: MessageHead;
    let message: ReceivedMessage | null = null;
    try {
      head = decodeHead(bytes);
      if (this.onCall === null || head.type !== MESSAGE_TYPE.methodCall)
        message = { ...head, body: decodeBody(bytes, head) };
    } catch (error) {
      // Which descriptors were its own is not known either; those of later messages have not come yet.
      if (isLast) this.#descriptors.splice(0).forEach(closeDescriptor);
      this.onBadMessage(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    const count = head.unixFd ?? 0;
    if (count > this.#descriptors.length)
      throw new MalformedMessage(
        `a message of the bus announces ${count} file descriptors, and ${this.#descriptors.length} came`,
      );
    const descriptors = this.#descriptors.splice(0, count);
    if (message === null) this.onCall?.(head, bytes, descriptors);
    else this.onMessage(message, descriptors);
  }
}
