/** A byte stream to a message bus over a Unix socket, with the file descriptors that travel along. */
import { closeDescriptor } from "./descriptors";
import { native, type FdPoll, type UnixSocket } from "../native";

const READ_BYTES = 64 * 1024;
/** What one wake-up reads at most, so that a flood leaves the event loop some time for everything else. */
const READS_AT_ONCE = 16;
const CONNECT_ATTEMPTS = 50;
const CONNECT_PAUSE_MS = 20;
/** Pieces that are written in a row are sent together, up to this many bytes. */
const JOINED_BYTES = 64 * 1024;
/** Where they are put together: they are sent before anything else is. */
const joined = Buffer.alloc(JOINED_BYTES);
/** For the other side to close the connection when we have ended ours. */
const END_TIMEOUT_MS = 5_000;

/** Path of a socket; one that begins with NUL is in the abstract namespace. */
export type SocketPath = string;

interface Outgoing {
  data: Uint8Array;
  /** Sent with the first byte. */
  descriptors: readonly number[];
}

const isBusy = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "EAGAIN";

export class Channel {
  /** The receiver owns the descriptors. Must not throw. */
  onData: (data: Buffer, descriptors: number[]) => void = (_, descriptors) => {
    descriptors.forEach(closeDescriptor);
  };
  /** Settles once, with the reason for the end: null for an end of the stream, or because of close(). */
  readonly closed: Promise<Error | null>;
  readonly #socket: UnixSocket;
  readonly #readable: FdPoll;
  readonly #writable: FdPoll;
  readonly #queue: Outgoing[] = [];
  #settle: (reason: Error | null) => void = () => undefined;
  #open = true;
  #draining: (() => void)[] = [];
  #queuedBytes = 0;
  /** A flush is to come, by itself or when the socket takes bytes again. */
  #flushing = false;

  private constructor(path: SocketPath) {
    const addon = native();
    this.#socket = new addon.UnixSocket(Buffer.from(path));
    this.closed = new Promise((resolve) => {
      this.#settle = resolve;
    });
    this.#readable = new addon.FdPoll(this.#socket.readableFd, () => {
      this.#read();
    });
    this.#writable = new addon.FdPoll(
      this.#socket.writableFd,
      () => {
        this.#flush();
      },
      true,
    );
    this.#readable.start();
  }

  /** Tries again for a second while the server's queue of connections is full. */
  static async connect(path: SocketPath): Promise<Channel> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return new Channel(path);
      } catch (error) {
        if (!isBusy(error) || attempt === CONNECT_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, CONNECT_PAUSE_MS));
      }
    }
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Bytes that were written and that the other side has not taken. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * Sent when what runs now has ended, together with what it writes further. The descriptors have to stay open until
   * the data is sent: see drained().
   */
  write(data: Uint8Array, descriptors: readonly number[] = []): void {
    if (!this.#open || data.length === 0) return;
    this.#queue.push({ data, descriptors });
    this.#queuedBytes += data.length;
    if (this.#flushing) return;
    this.#flushing = true;
    // Behind the promises that are settled by now: what a call announces goes out together with its reply.
    process.nextTick(() => {
      this.#flush();
    });
  }

  /** Resolves when all that was written has been taken, or the channel has ended. */
  drained(): Promise<void> {
    if (!this.#open || this.#queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => this.#draining.push(resolve));
  }

  /** Sends what waits and lets the other side close the connection: by then it has dealt with all of it. */
  async end(): Promise<void> {
    await this.drained();
    if (!this.#open) return;
    const timer = setTimeout(() => {
      this.close();
    }, END_TIMEOUT_MS);
    try {
      this.#socket.endWriting();
      await this.closed;
    } catch {
      // The other side was faster.
      this.close();
    } finally {
      clearTimeout(timer);
    }
  }

  close(reason: Error | null = null): void {
    if (!this.#open) return;
    this.#open = false;
    this.#readable.close();
    this.#writable.close();
    this.#socket.close();
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#signalDrained();
    this.#settle(reason);
  }

  #signalDrained(): void {
    const waiting = this.#draining;
    this.#draining = [];
    for (const resolve of waiting) resolve();
  }

  #read(): void {
    try {
      for (let reads = 0; reads < READS_AT_ONCE && this.#open; reads += 1) {
        const received = this.#socket.receive(READ_BYTES);
        if (received === null) return;
        if (received.data.length === 0) {
          received.descriptors.forEach(closeDescriptor);
          this.close();
          return;
        }
        this.onData(received.data, received.descriptors);
        // Nothing more is there, or only what has descriptors of its own, which wakes us again.
        if (received.data.length < READ_BYTES) return;
      }
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #flush(): void {
    if (!this.#open) return;
    try {
      while (this.#queue.length > 0) {
        const { data, descriptors } = this.#next();
        const sent = this.#socket.send(data, descriptors);
        this.#drop(sent);
        if (sent > 0) continue;
        this.#writable.start();
        return;
      }
      this.#writable.stop();
      this.#flushing = false;
      this.#signalDrained();
    } catch (error) {
      this.close(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What to send next of the queue, which is not empty: a piece with descriptors alone, others together. */
  #next(): Outgoing {
    const [first, second] = this.#queue;
    if (first === undefined) throw new Error("Nothing is queued");
    if (second === undefined || first.descriptors.length > 0 || first.data.length >= JOINED_BYTES)
      return first;
    let length = 0;
    for (const { data, descriptors } of this.#queue) {
      if (length === JOINED_BYTES || descriptors.length > 0) break;
      const part = data.subarray(0, JOINED_BYTES - length);
      joined.set(part, length);
      length += part.length;
    }
    return { data: joined.subarray(0, length), descriptors: [] };
  }

  /** Takes bytes that were sent out of the queue. */
  #drop(bytes: number): void {
    this.#queuedBytes -= bytes;
    let left = bytes;
    let whole = 0;
    for (const { data } of this.#queue) {
      if (left < data.length) break;
      left -= data.length;
      whole += 1;
    }
    this.#queue.splice(0, whole);
    const first = this.#queue[0];
    if (left > 0 && first !== undefined)
      this.#queue[0] = { data: first.data.subarray(left), descriptors: [] };
  }
}
