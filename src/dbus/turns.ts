/**
 * Calls of all senders in turns: one of each sender, then the next of each, so that nobody waits because another one
 * sends without end. What waits is bounded, for each sender and for all together.
 */

/** How long calls are started before the event loop gets to everything else, in milliseconds. */
const SLICE_MS = 8;
/** What a waiting call takes in memory besides its bytes. */
const CALL_BYTES = 1024;

export interface Limits {
  /** Calls of one sender that run at the same time. */
  readonly running: number;
  /** Those of them that hold descriptors. */
  readonly runningWithDescriptors: number;
  /** Bytes of waiting calls: of one sender; of all, when each has no more than its share of that; of all in any case. */
  readonly senderBytes: number;
  readonly sharedBytes: number;
  readonly mostBytes: number;
  /** Descriptors of calls that wait or run: of all, when each has no more than its share of that; in any case. */
  readonly sharedDescriptors: number;
  readonly mostDescriptors: number;
}

/**
 * A sender is refused before the bus, with max_replies_per_connection, refuses it; the descriptors leave room for the
 * daemon's own within the usual limit of 1024.
 */
export const LIMITS: Limits = {
  running: 64,
  runningWithDescriptors: 4,
  senderBytes: 4 * 1024 * 1024,
  sharedBytes: 16 * 1024 * 1024,
  mostBytes: 32 * 1024 * 1024,
  sharedDescriptors: 64,
  mostDescriptors: 256,
};

/** What a call takes up. */
export interface Load {
  /** Of its message, while it waits. */
  readonly bytes: number;
  /** That it holds until it has ended. */
  readonly descriptors: number;
}

/** A call that waits for its turn. */
export interface WaitingCall extends Load {
  /** Settles when the call has ended; never rejects. */
  start(): Promise<void>;
  /** Instead of start(): lets go of what it holds. */
  drop(): void;
}

interface Sender {
  readonly name: string;
  readonly waiting: WaitingCall[];
  bytes: number;
  descriptors: number;
  running: number;
  runningWithDescriptors: number;
  /** Stands in the line of those whose turn comes. */
  inLine: boolean;
}

/** Resolves when promises that are settled have been dealt with, and what came of that. */
async function settled(): Promise<void> {
  // From within a promise's callback: before that, ticks come first.
  await Promise.resolve();
  await new Promise<void>((resolve) => {
    process.nextTick(resolve);
  });
}

export class Turns {
  readonly #senders = new Map<string, Sender>();
  /** Those that have a call that may start. */
  readonly #line: Sender[] = [];
  readonly #isBlocked: () => boolean;
  readonly #limits: Limits;
  #bytes = 0;
  #descriptors = 0;
  #scheduled = false;

  /** While `isBlocked` no call is started; resume() tells that it may have ended. */
  constructor(isBlocked: () => boolean, limits = LIMITS) {
    this.#isBlocked = isBlocked;
    this.#limits = limits;
  }

  /** Calls that wait or run. */
  get size(): number {
    let size = 0;
    for (const { waiting, running } of this.#senders.values()) size += waiting.length + running;
    return size;
  }

  /** Why a call of this sender can't wait for its turn: too much waits already. null: it can. */
  refusal(name: string, load: Load): string | null {
    const { senderBytes, sharedBytes, mostBytes, sharedDescriptors, mostDescriptors } = this.#limits;
    const sender = this.#senders.get(name);
    const senders = this.#senders.size + (sender === undefined ? 1 : 0);
    const isOver = (own: number, all: number, shared: number, most: number): boolean =>
      all > most || (all > shared && own > shared / senders);
    const bytes = load.bytes + CALL_BYTES;
    const own = (sender?.bytes ?? 0) + bytes;
    if (own > senderBytes || isOver(own, this.#bytes + bytes, sharedBytes, mostBytes))
      return `${sender?.waiting.length ?? 0} calls of this connection wait already`;
    if (load.descriptors === 0) return null;
    const held = sender?.descriptors ?? 0;
    const all = this.#descriptors + load.descriptors;
    if (isOver(held + load.descriptors, all, sharedDescriptors, mostDescriptors))
      return `calls of this connection hold ${held} file descriptors already`;
    return null;
  }

  /** Lets a call that is not refused wait for its sender's turn. */
  add(name: string, call: WaitingCall): void {
    const sender = this.#senders.get(name) ?? this.#newSender(name);
    sender.waiting.push(call);
    this.#account(sender, call.bytes + CALL_BYTES, call.descriptors);
    this.#join(sender);
  }

  resume(): void {
    this.#schedule();
  }

  /** Drops the calls that wait. */
  clear(): void {
    this.#line.length = 0;
    for (const sender of this.#senders.values()) {
      sender.inLine = false;
      for (const call of sender.waiting.splice(0)) {
        this.#account(sender, -call.bytes - CALL_BYTES, -call.descriptors);
        call.drop();
      }
      this.#forgetIdle(sender);
    }
  }

  #newSender(name: string): Sender {
    const sender: Sender = {
      ...{ name, waiting: [], bytes: 0, descriptors: 0, running: 0, runningWithDescriptors: 0 },
      inLine: false,
    };
    this.#senders.set(name, sender);
    return sender;
  }

  #account(sender: Sender, bytes: number, descriptors: number): void {
    sender.bytes += bytes;
    sender.descriptors += descriptors;
    this.#bytes += bytes;
    this.#descriptors += descriptors;
  }

  /** Puts a sender at the end of the line if it has a call that may start. */
  #join(sender: Sender): void {
    const [next] = sender.waiting;
    if (sender.inLine || next === undefined || sender.running >= this.#limits.running) return;
    if (next.descriptors > 0 && sender.runningWithDescriptors >= this.#limits.runningWithDescriptors) return;
    sender.inLine = true;
    this.#line.push(sender);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.#line.length === 0 || this.#isBlocked()) return;
    this.#scheduled = true;
    // After what is to be read, so that a call that has just come does not wait behind those that came before.
    setImmediate(() => {
      void this.#slice();
    });
  }

  async #slice(): Promise<void> {
    const end = performance.now() + SLICE_MS;
    do {
      const sender = this.#line.shift();
      if (sender === undefined) break;
      sender.inLine = false;
      const call = sender.waiting.shift();
      if (call !== undefined) void this.#run(sender, call);
      this.#join(sender);
      // A call that has nothing to wait for has sent its answer by then, and the way out may be blocked.
      await settled();
    } while (!this.#isBlocked() && performance.now() < end);
    this.#scheduled = false;
    this.#schedule();
  }

  async #run(sender: Sender, call: WaitingCall): Promise<void> {
    const withDescriptors = call.descriptors > 0 ? 1 : 0;
    this.#account(sender, -call.bytes - CALL_BYTES, 0);
    sender.running += 1;
    sender.runningWithDescriptors += withDescriptors;
    try {
      await call.start();
    } finally {
      sender.running -= 1;
      sender.runningWithDescriptors -= withDescriptors;
      this.#account(sender, 0, -call.descriptors);
      this.#join(sender);
      this.#forgetIdle(sender);
    }
  }

  #forgetIdle(sender: Sender): void {
    if (sender.running === 0 && sender.waiting.length === 0) this.#senders.delete(sender.name);
  }
}
