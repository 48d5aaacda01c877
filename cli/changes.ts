/** That something has changed, as stratisd and the message bus signal it. */
import { MESSAGE_BUS, type Bus } from "./bus";
import { NoBusError } from "./errors";
import { BUS_NAME, TOP_OBJECT } from "./names";

const TIMEOUT_MS = 25_000;

/** All signals of stratisd, and that it comes or goes. */
const RULES = [
  `type='signal',sender='${BUS_NAME}',path_namespace='${TOP_OBJECT}'`,
  `type='signal',sender='${MESSAGE_BUS}',interface='${MESSAGE_BUS}',member='NameOwnerChanged',arg0='${BUS_NAME}'`,
];

export class Changes {
  #pending = false;
  #failure: Error | null = null;
  #wake: (() => void) | null = null;

  private constructor(bus: Bus) {
    bus.onSignal = ({ member }) => {
      // What the bus sends to this connection alone, such as its own name, is no change.
      if (member !== "NameAcquired") this.#changed(null);
    };
    void bus.ended.then(({ message }) => {
      this.#changed(new NoBusError(`lost the message bus: ${message}`));
    });
  }

  static async of(bus: Bus): Promise<Changes> {
    const changes = new Changes(bus);
    for (const rule of RULES)
      await bus.call({
        destination: MESSAGE_BUS,
        path: "/org/freedesktop/DBus",
        interface: MESSAGE_BUS,
        member: "AddMatch",
        signature: "s",
        body: [rule],
        timeoutMs: TIMEOUT_MS,
      });
    return changes;
  }

  /** Resolves when something has changed since the last call, or since forget(). Rejects when the bus is gone. */
  async next(): Promise<void> {
    if (!this.#pending)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#pending = false;
    if (this.#failure !== null) throw this.#failure;
  }

  /** What has changed so far does not count. */
  forget(): void {
    if (this.#failure === null) this.#pending = false;
  }

  #changed(failure: Error | null): void {
    this.#failure ??= failure;
    this.#pending = true;
    this.#wake?.();
    this.#wake = null;
  }
}
