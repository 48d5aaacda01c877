/** What a test makes the operations of an engine in memory do before they do their work. */

/** A promise that is settled from outside. */
export function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** A point at which an operation waits until the test lets it go on. */
export interface Gate {
  /** Resolves when an operation has arrived. */
  readonly entered: Promise<void>;
  release(): void;
}

export class Script {
  /** Names of the operations that were called, in order. */
  readonly calls: string[] = [];
  readonly #failures = new Map<string, Error>();
  readonly #gates = new Map<string, { arrive: () => void; wait: Promise<void> }>();

  /** The next call of `operation` rejects with `error` before it has changed anything. */
  failNext(operation: string, error: Error): void {
    this.#failures.set(operation, error);
  }

  /** The next call of `operation` waits until the gate is released. */
  gate(operation: string): Gate {
    const arrival = deferred();
    const release = deferred();
    this.#gates.set(operation, { arrive: arrival.resolve, wait: release.promise });
    return { entered: arrival.promise, release: release.resolve };
  }

  async begin(operation: string): Promise<void> {
    this.calls.push(operation);
    const gate = this.#gates.get(operation);
    this.#gates.delete(operation);
    if (gate !== undefined) {
      gate.arrive();
      await gate.wait;
    }
    const failure = this.#failures.get(operation);
    this.#failures.delete(operation);
    if (failure !== undefined) throw failure;
  }
}
