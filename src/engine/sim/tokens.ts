/** The token slots of a simulated encrypted pool: which unlock method is bound to which (engine.md §21, §25.1). */
import type { CreateAction, DeleteAction, RenameAction } from "../actions";
import type { EncryptionRequest, LegacyEncryptionInfo, TokenBindings, TokenSlotInput } from "../engine";
import { EngineError } from "../errors";
import { MAX_TOKENS, validateEncryption, validateTokenSlot } from "../validation";

interface KeyToken {
  kind: "key";
  description: string;
}
interface ClevisToken {
  kind: "clevis";
  pin: string;
  config: string;
}
export type Token = KeyToken | ClevisToken;
type Kind = Token["kind"];

const KIND_NAMES: Record<Kind, string> = { key: "a key description", clevis: "a Clevis binding" };

const describe = (token: Token): string =>
  token.kind === "key" ? `key description ${token.description}` : `Clevis pin ${token.pin}`;

function sameToken(a: Token, b: Token): boolean {
  if (a.kind === "key") return b.kind === "key" && a.description === b.description;
  return b.kind === "clevis" && a.pin === b.pin && a.config === b.config;
}

export class TokenSlots {
  readonly #tokens = new Map<number, Token>();

  /** Slots that were asked for are kept; the other methods take what those leave free. */
  constructor(request: EncryptionRequest) {
    const { keys, clevis } = validateEncryption(request);
    const wanted: { slot: number | null; token: Token }[] = [
      ...keys.map(({ slot, description }) => ({
        slot,
        token: { kind: "key", description } as const,
      })),
      ...clevis.map(({ slot, pin, config }) => ({
        slot,
        token: { kind: "clevis", pin, config } as const,
      })),
    ];
    if (wanted.length === 0) throw new EngineError("No unlock methods provided");
    for (const { slot, token } of wanted) if (slot !== null) this.#tokens.set(slot, token);
    for (const { slot, token } of wanted) if (slot === null) this.#tokens.set(this.#freeSlot(), token);
  }

  /** By slot, ascending. */
  bindings(): TokenBindings {
    const result: TokenBindings = { keys: [], clevis: [], freeSlots: MAX_TOKENS - this.#tokens.size };
    for (const [slot, token] of [...this.#tokens].sort(([a], [b]) => a - b)) {
      if (token.kind === "key") result.keys.push({ slot, description: token.description });
      else result.clevis.push({ slot, pin: token.pin, config: token.config });
    }
    return result;
  }

  /** For clients that know one binding of each kind: those in the lowest slots. */
  legacyInfo(): LegacyEncryptionInfo {
    const { keys, clevis } = this.bindings();
    const pair = clevis[0];
    return {
      keyDescription: { consistent: true, value: keys[0]?.description ?? null },
      clevis: { consistent: true, value: pair === undefined ? null : { pin: pair.pin, config: pair.config } },
    };
  }

  #freeSlot(): number {
    let slot = 0;
    while (this.#tokens.has(slot)) slot += 1;
    return slot;
  }

  #lowest<K extends Kind>(kind: K): { slot: number; token: Token & { kind: K } } | null {
    let best: { slot: number; token: Token & { kind: K } } | null = null;
    for (const [slot, token] of this.#tokens)
      if (isKind(token, kind) && (best === null || slot < best.slot)) best = { slot, token };
    return best;
  }

  /** A pool with all slots in use refuses every binding, also one that it has already. */
  bind(token: Token, slot: TokenSlotInput): CreateAction<number> {
    if (this.#tokens.size >= MAX_TOKENS)
      throw new EngineError(
        `Failed to bind ${describe(token)}: reached limit of ${MAX_TOKENS} token and keyslots for pool`,
      );
    if (slot !== "legacy") validateTokenSlot(slot);
    if (this.#isBound(token, slot)) return { action: "identity" };
    const chosen = typeof slot === "number" ? slot : this.#freeSlot();
    this.#tokens.set(chosen, token);
    return { action: "created", value: chosen };
  }

  /** Throws EngineError where something else is bound in the place that `token` should have. */
  #isBound(token: Token, slot: TokenSlotInput): boolean {
    // Several Clevis bindings of one configuration are several ways in; a key description is but one.
    if (slot === null)
      return token.kind === "key" && [...this.#tokens.values()].some((held) => sameToken(held, token));
    const held = slot === "legacy" ? this.#lowest(token.kind)?.token : this.#tokens.get(slot);
    if (held === undefined) return false;
    if (sameToken(held, token)) return true;
    const where = slot === "legacy" ? "The pool" : `Token slot ${slot}`;
    throw new EngineError(
      `${where} has already been bound with ${describe(held)}; requested ${describe(token)} can't be bound`,
    );
  }

  /** The last unlock method can't go, which is checked before whether there is anything to unbind. */
  unbind(kind: Kind, slot: number | null): DeleteAction<number> {
    if (this.#tokens.size < 2)
      throw new EngineError(
        `There is one remaining unlock method; removing ${KIND_NAMES[kind]} would remove the ability to open ` +
          "this pool; aborting",
      );
    const held = slot === null ? this.#lowest(kind)?.slot : slot;
    const token = held === undefined ? undefined : this.#tokens.get(held);
    if (held === undefined || token === undefined) return { action: "identity" };
    if (token.kind !== kind)
      throw new EngineError(
        `Token slot ${held} could not be unbound from ${KIND_NAMES[kind]}; it is bound to ${describe(token)}`,
      );
    this.#tokens.delete(held);
    return { action: "deleted", value: held };
  }

  rebindKey(description: string, slot: number | null): RenameAction<string> {
    const found = this.#requireBound("key", slot);
    if (found.token.description === description) return { action: "identity" };
    this.#tokens.set(found.slot, { kind: "key", description });
    return { action: "renamed", value: description };
  }

  /** Nothing that can be seen changes: the same configuration is bound anew. */
  rebindClevis(slot: number | null): void {
    this.#requireBound("clevis", slot);
  }

  #requireBound<K extends Kind>(kind: K, slot: number | null): { slot: number; token: Token & { kind: K } } {
    const refuse = (why: string): EngineError => new EngineError(`Cannot rebind ${KIND_NAMES[kind]}: ${why}`);
    if (slot === null) {
      const found = this.#lowest(kind);
      if (found === null) throw refuse("the pool has no such binding");
      return found;
    }
    const token = this.#tokens.get(slot);
    if (token === undefined) throw refuse(`token slot ${slot} is unbound`);
    if (!isKind(token, kind)) throw refuse(`token slot ${slot} is bound to ${describe(token)}`);
    return { slot, token };
  }
}

const isKind = <K extends Kind>(token: Token, kind: K): token is Token & { kind: K } => token.kind === kind;
