/** Who is behind a name on the bus: asked for beside the call, which does not wait for the answer. */
import { commandOf } from "../../history/process";
import { NOBODY, type Caller } from "../../history/record";
import { DbusError } from "../errors";
import type { AnyVariant } from "../wire";

/** Asks the bus itself; rejects with DbusError when it answers with an error, and otherwise when it has gone. */
export type AskBus = (member: string, signature: string, body: unknown[]) => Promise<unknown[]>;

/**
 * Callers that are remembered, the latest ones. The bus never gives a name to another connection, so that one that has
 * left is forgotten late, but nobody is taken for it.
 */
const MOST_REMEMBERED = 64;

const numberIn = (credentials: Readonly<Record<string, AnyVariant>>, name: string): number | null => {
  const value = credentials[name]?.value;
  return typeof value === "number" ? value : null;
};

export class Callers {
  readonly #known = new Map<string, Promise<Caller>>();

  constructor(
    private readonly ask: AskBus,
    private readonly readCommand = commandOf,
  ) {}

  get remembered(): number {
    return this.#known.size;
  }

  /** Never rejects: what cannot be found out is null. */
  of(sender: string | undefined): Promise<Caller> {
    if (sender === undefined) return Promise.resolve(NOBODY);
    const caller = this.#known.get(sender) ?? this.#find(sender);
    this.#known.delete(sender);
    this.#known.set(sender, caller);
    if (this.#known.size > MOST_REMEMBERED) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined) this.#known.delete(oldest);
    }
    return caller;
  }

  async #find(sender: string): Promise<Caller> {
    let credentials: Readonly<Record<string, AnyVariant>>;
    try {
      const [answer] = await this.ask("GetConnectionCredentials", "s", [sender]);
      credentials = (answer ?? {}) as typeof credentials;
    } catch (error) {
      const left = error instanceof DbusError && error.errorName.endsWith(".NameHasNoOwner");
      return { ...NOBODY, left };
    }
    const pid = numberIn(credentials, "ProcessID");
    // 0 is a process that is out of our sight, in another namespace.
    const command = pid === null || pid === 0 ? null : this.readCommand(pid);
    return { uid: numberIn(credentials, "UnixUserID"), pid, command, left: false };
  }
}
