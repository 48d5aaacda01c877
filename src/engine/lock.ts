/**
 * Mutual exclusion of operations that await (engine.md §24). Each pool has a lock of its own, so that a long operation
 * on one pool holds up no other; what has no pool yet is kept apart by its name. Properties are read from memory
 * without any lock.
 */
import { EngineError } from "./errors";

/** Mutual exclusion: first come, first served. */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();
  #holders = 0;

  /** Held, or waited for, by someone. */
  get busy(): boolean {
    return this.#holders > 0;
  }

  /** Runs `work` when all earlier callers are done; their failures don't matter to it. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#holders += 1;
    const previous = this.#tail;
    let release: () => void = () => undefined;
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await previous;
      return await work();
    } finally {
      this.#holders -= 1;
      release();
    }
  }
}

type Mode = "shared" | "exclusive";

interface Waiter {
  readonly mode: Mode;
  readonly admit: () => void;
}

/** An operation whose long part needs no more than that nothing else changes the pool. */
export interface PhasedWork<S, L, F> {
  /** Alone. */
  readonly start: () => Promise<S>;
  /** Beside readers. Null from `start` says that there is nothing to do: the other parts are left out. */
  readonly long: (started: NonNullable<S>) => Promise<L>;
  /** Alone again, and nothing came in between. */
  readonly finish: (result: L) => Promise<F>;
}

/**
 * Many readers or one writer. Waiters are served in order of arrival, so that readers do not starve a writer, with one
 * exception: while the long part of a phased operation runs, which no writer can end, readers go ahead of the writers
 * that wait for it.
 */
export class SharedLock {
  #readers = 0;
  #writing = false;
  /** The long part of a phased operation is one of the readers. */
  #phased = false;
  /** Woken when the last other reader is gone: the phased operation, going on alone. */
  #upgrade: (() => void) | null = null;
  readonly #queue: Waiter[] = [];

  /** Held, or waited for, by someone. */
  get busy(): boolean {
    return this.#writing || this.#readers > 0 || this.#queue.length > 0;
  }

  /** Runs `work` beside other readers. */
  async shared<T>(work: () => Promise<T>): Promise<T> {
    await this.#acquire("shared");
    try {
      return await work();
    } finally {
      this.#readers -= 1;
      this.#wake();
    }
  }

  /** Runs `work` alone. */
  async exclusive<T>(work: () => Promise<T>): Promise<T> {
    await this.#acquire("exclusive");
    try {
      return await work();
    } finally {
      this.#writing = false;
      this.#wake();
    }
  }

  /** Resolves to what `finish` gives, or to null when `start` gave null. */
  async phased<S, L, F>({ start, long, finish }: PhasedWork<S, L, F>): Promise<F | null> {
    await this.#acquire("exclusive");
    try {
      const started = await start();
      if (started === null || started === undefined) return null;
      this.#downgrade();
      let result: L;
      try {
        result = await long(started);
      } finally {
        await this.#promote();
      }
      return await finish(result);
    } finally {
      this.#writing = false;
      this.#wake();
    }
  }

  #acquire(mode: Mode): Promise<void> {
    if (this.#admits(mode, this.#queue.length === 0)) {
      this.#take(mode);
      return Promise.resolve();
    }
    return new Promise((admit) => {
      this.#queue.push({ mode, admit });
    });
  }

  #admits(mode: Mode, isNext: boolean): boolean {
    if (this.#writing || this.#upgrade !== null) return false;
    return mode === "exclusive" ? isNext && this.#readers === 0 : isNext || this.#phased;
  }

  #take(mode: Mode): void {
    if (mode === "exclusive") this.#writing = true;
    else this.#readers += 1;
  }

  /** Admits whoever may go now, in order of arrival. */
  #wake(): void {
    if (this.#upgrade !== null) {
      if (this.#readers > 0) return;
      const go = this.#upgrade;
      this.#upgrade = null;
      this.#writing = true;
      go();
      return;
    }
    for (let index = 0; index < this.#queue.length;) {
      const waiter = this.#queue[index];
      if (waiter !== undefined && this.#admits(waiter.mode, index === 0)) {
        this.#queue.splice(index, 1);
        this.#take(waiter.mode);
        waiter.admit();
      } else if (this.#phased) {
        index += 1;
      } else {
        return;
      }
    }
  }

  #downgrade(): void {
    this.#writing = false;
    this.#readers += 1;
    this.#phased = true;
    this.#wake();
  }

  /** Ahead of all waiters. */
  #promote(): Promise<void> {
    this.#phased = false;
    this.#readers -= 1;
    return new Promise((go) => {
      this.#upgrade = go;
      this.#wake();
    });
  }
}

/** A lock for each key, and one for all keys at once, also those that are not known yet. */
export class KeyedLock<K> {
  readonly #all = new SharedLock();
  readonly #byKey = new Map<K, Mutex>();

  /** Runs `work` when no other work of this key runs, nor any of all(): those are served in order of arrival. */
  one<T>(key: K, work: () => Promise<T>): Promise<T> {
    return this.#all.shared(async () => {
      const lock = this.#byKey.get(key) ?? new Mutex();
      this.#byKey.set(key, lock);
      try {
        return await lock.run(work);
      } finally {
        if (!lock.busy) this.#byKey.delete(key);
      }
    });
  }

  /** Runs `work` alone. It must not ask for this lock again. */
  all<T>(work: () => Promise<T>): Promise<T> {
    return this.#all.exclusive(work);
  }

  /** What `look` finds while no work of all() runs. */
  between<T>(look: () => T): Promise<T> {
    return this.#all.shared(() => Promise.resolve(look()));
  }
}

/** Names that something is about to get: a pool that is being made, renamed or started. */
export class NameClaims {
  readonly #names = new Set<string>();

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Keeps `name` until what is returned is called. Throws EngineError when it is being kept for another. */
  take(name: string): () => void {
    if (this.#names.has(name))
      throw new EngineError(
        `Entry with name ${name} already exists: another request is making, renaming or starting a pool of that name`,
      );
    this.#names.add(name);
    return () => {
      this.#names.delete(name);
    };
  }

  /** Keeps `name` while `work` runs. Rejects at once, without waiting, when it is being kept for another. */
  async hold<T>(name: string, work: () => Promise<T>): Promise<T> {
    const release = this.take(name);
    try {
      return await work();
    } finally {
      release();
    }
  }
}
