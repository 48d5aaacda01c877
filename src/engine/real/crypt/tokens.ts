/** Unlock methods of a LUKS2 header: what its tokens say (encryption.md §9, §10.3). */
import { isJsonArray, isJsonObject, parseJson, type JsonObject, type JsonValue } from "../../../disk/json";
import { ChainedError, EngineError } from "../../errors";
import type { TokenBindings } from "../../engine";
import { MAX_TOKENS } from "../../validation";
import { descriptionIn } from "../keys";
import { configOfJwe } from "./clevis-config";

/** A token as the header has it. */
export interface RawToken {
  slot: number;
  json: string;
}

interface Common {
  slot: number;
  /** The keyslot that it opens. null: none, or several, as during a re-encryption. */
  keyslot: number | null;
}
export interface KeyMethod extends Common {
  kind: "key";
  description: string;
}
export interface ClevisMethod extends Common {
  kind: "clevis";
  pin: string;
  /** JSON text. */
  config: string;
}
export type UnlockToken = KeyMethod | ClevisMethod;

function objectOf(token: RawToken): JsonObject {
  const value = parseJson(token.json);
  if (!isJsonObject(value)) throw new EngineError("it is not a JSON object");
  return value;
}

function keyslotOf(token: JsonObject): number | null {
  const list = token["keyslots"];
  if (list === undefined || !isJsonArray(list)) return null;
  const numbers = list.flatMap((item) =>
    typeof item === "string" && /^\d+$/.test(item) ? [Number(item)] : [],
  );
  return numbers.length === 1 ? (numbers[0] ?? null) : null;
}

function textOf(value: JsonValue | undefined, what: string): string {
  if (typeof value !== "string") throw new EngineError(`its ${what} is not text`);
  return value;
}

/** null for tokens of other programs, which are none of our business. */
function methodOf(token: RawToken): UnlockToken | null {
  const object = objectOf(token);
  const common = { slot: token.slot, keyslot: keyslotOf(object) };
  const { type } = object;
  switch (typeof type === "string" ? type : "") {
    case "luks2-keyring": {
      const description = descriptionIn(textOf(object["key_description"], "key description"));
      return description === null ? null : { ...common, kind: "key", description };
    }
    case "clevis":
      return { ...common, kind: "clevis", ...configOfJwe(object["jwe"]) };
    default:
      return null;
  }
}

/** The unlock methods among the tokens, by slot. Throws EngineError for one of ours that makes no sense. */
export function unlockTokens(tokens: readonly RawToken[]): UnlockToken[] {
  const found: UnlockToken[] = [];
  for (const token of tokens) {
    try {
      const method = methodOf(token);
      if (method !== null) found.push(method);
    } catch (error) {
      throw new ChainedError(`Token ${token.slot} of the LUKS2 header can't be understood`, error);
    }
  }
  return found.sort((a, b) => a.slot - b.slot);
}

export function bindingsOf(tokens: readonly UnlockToken[]): TokenBindings {
  const bindings: TokenBindings = {
    keys: [],
    clevis: [],
    freeSlots: Math.max(0, MAX_TOKENS - tokens.length),
  };
  for (const token of tokens)
    if (token.kind === "key") bindings.keys.push({ slot: token.slot, description: token.description });
    else bindings.clevis.push({ slot: token.slot, pin: token.pin, config: token.config });
  return bindings;
}

/** The lowest slot that no token has, of ours or of others. */
export function freeSlot(tokens: readonly { slot: number }[]): number {
  const used = new Set(tokens.map(({ slot }) => slot));
  let slot = 0;
  while (used.has(slot)) slot += 1;
  return slot;
}

/** What a pool's record says of its encryption (on-disk-format.md §11.6). */
export function featuresOf(tokens: readonly UnlockToken[]): string[] {
  return [
    "Encryption",
    ...(tokens.some(({ kind }) => kind === "key") ? ["KeyDescriptionEnabled"] : []),
    ...(tokens.some(({ kind }) => kind === "clevis") ? ["ClevisEnabled"] : []),
  ];
}

/** Members of the engine's reports by token slot (encryption.md §17.1). */
export const methodsReport = (tokens: readonly UnlockToken[]): Record<string, unknown> =>
  Object.fromEntries(
    tokens.map((token) => [
      String(token.slot),
      token.kind === "key" ? token.description : [token.pin, parseJson(token.config)],
    ]),
  );
