/** Unlock methods of a LUKS2 header: what its tokens say (encryption.md §9, §10.3). */
import { isJsonArray, isJsonObject, parseJson, type JsonObject, type JsonValue } from "../../../disk/json";
import { EngineError, errorText } from "../../errors";
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

/**
 * A token of a type of ours that can't be read as one: bound by other means, with a pin that Stratis does not have, or
 * damaged. It is not ours to change, and keeps its slot.
 */
export interface ForeignToken {
  slot: number;
  /** Keyslots that it opens. */
  keyslots: number[];
  reason: string;
}

function objectOf(json: string): JsonObject {
  const value = parseJson(json);
  if (!isJsonObject(value)) throw new EngineError("it is not a JSON object");
  return value;
}

function keyslotsOf(token: JsonObject): number[] {
  const list = token["keyslots"];
  if (list === undefined || !isJsonArray(list)) return [];
  return list.flatMap((item) => (typeof item === "string" && /^\d+$/.test(item) ? [Number(item)] : []));
}

function keyslotOf(token: JsonObject): number | null {
  const [keyslot, ...more] = keyslotsOf(token);
  return keyslot === undefined || more.length > 0 ? null : keyslot;
}

/** The token opens no keyslot (any more). */
export function isUnbound(token: RawToken | undefined): boolean {
  if (token === undefined) return false;
  const list = objectOf(token.json)["keyslots"];
  return list !== undefined && isJsonArray(list) && list.length === 0;
}

function textOf(value: JsonValue | undefined, what: string): string {
  if (typeof value !== "string") throw new EngineError(`its ${what} is not text`);
  return value;
}

/** null for tokens of other programs, which are none of our business. */
function methodOf(slot: number, object: JsonObject): UnlockToken | null {
  const common = { slot, keyslot: keyslotOf(object) };
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

/** Unlock methods, and what could be one, among the tokens; each by slot. */
export function readTokens(tokens: readonly RawToken[]): { methods: UnlockToken[]; foreign: ForeignToken[] } {
  const methods: UnlockToken[] = [];
  const foreign: ForeignToken[] = [];
  for (const { slot, json } of tokens.toSorted((a, b) => a.slot - b.slot)) {
    let keyslots: number[] = [];
    try {
      const object = objectOf(json);
      keyslots = keyslotsOf(object);
      const method = methodOf(slot, object);
      if (method !== null) methods.push(method);
    } catch (error) {
      foreign.push({ slot, keyslots, reason: errorText(error) });
    }
  }
  return { methods, foreign };
}

/** `foreign`: how many tokens beside them have a slot that could be a binding's. */
export function bindingsOf(tokens: readonly UnlockToken[], foreign: number): TokenBindings {
  const bindings: TokenBindings = {
    keys: [],
    clevis: [],
    freeSlots: Math.max(0, MAX_TOKENS - tokens.length - foreign),
  };
  for (const token of tokens)
    if (token.kind === "key") bindings.keys.push({ slot: token.slot, description: token.description });
    else bindings.clevis.push({ slot: token.slot, pin: token.pin, config: token.config });
  return bindings;
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
