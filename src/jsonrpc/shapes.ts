/** The forms of requests (system.md §18.2): JSON values into the engine's terms. Anything else is a ShapeError. */
import { isLosslessNumber } from "lossless-json";
import { jsonText } from "../dbus/json";
import type { EncryptionRequest, PoolIdentifier, TokenSlotInput, UnlockMethod } from "../engine/engine";
import { poolUuid } from "../uuid";

/** A request that is JSON but not of a form that this protocol has. */
export class ShapeError extends Error {
  override name = "ShapeError";
}

export type Shape<T> = (value: unknown, what: string) => T;

const MOST_SLOT = 2 ** 32 - 1;

const refuse = (what: string, expected: string): ShapeError => new ShapeError(`${what} is not ${expected}`);

export const text: Shape<string> = (value, what) => {
  if (typeof value !== "string") throw refuse(what, "a string");
  return value;
};

export const list =
  <T>(item: Shape<T>): Shape<T[]> =>
  (value, what) => {
    if (!Array.isArray(value)) throw refuse(what, "an array");
    return value.map((entry, index) => item(entry, `${what}[${index}]`));
  };

type Values<Shapes extends readonly Shape<unknown>[]> = {
  -readonly [Index in keyof Shapes]: Shapes[Index] extends Shape<infer T> ? T : never;
};

export const tuple =
  <const Shapes extends readonly Shape<unknown>[]>(...items: Shapes): Shape<Values<Shapes>> =>
  (value, what) => {
    if (!Array.isArray(value) || value.length !== items.length)
      throw refuse(what, `an array of ${items.length}`);
    return items.map((item, index) => item(value[index], `${what}[${index}]`)) as Values<Shapes>;
  };

/** Of a request that has no argument. */
export const nothing: Shape<null> = (value, what) => {
  if (value !== null) throw refuse(what, "without a value");
  return null;
};

/** `"Name"`, or `{"Name": value}`; the value is null for the first. */
export const variant: Shape<{ name: string; value: unknown }> = (value, what) => {
  if (typeof value === "string") return { name: value, value: null };
  const entries = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const [entry, ...more] = entries;
  if (entry === undefined || more.length > 0 || Array.isArray(value) || isLosslessNumber(value))
    throw refuse(what, "a name, or an object with one member");
  return { name: entry[0], value: entry[1] };
};

const number: Shape<number> = (value, what) => {
  const digits = isLosslessNumber(value) ? value.toString() : "";
  if (!/^\d{1,10}$/.test(digits) || Number(digits) > MOST_SLOT)
    throw refuse(what, "a whole number of 32 bits");
  return Number(digits);
};

/** SLOT */
export const slot: Shape<number | null> = (value, what) => (value === null ? null : number(value, what));

/** POOLID. Throws UuidError for what is not a UUID. */
export const poolId: Shape<PoolIdentifier> = (value, what) => {
  const { name, value: id } = variant(value, what);
  if (name === "Name") return { by: "name", name: text(id, what) };
  if (name === "Uuid") return { by: "uuid", uuid: poolUuid(text(id, what)) };
  throw refuse(what, '"Name" or "Uuid"');
};

/** UNLOCK */
export const unlock: Shape<UnlockMethod> = (value, what) => {
  const { name, value: token } = variant(value, what);
  if (name === "None") return null;
  if (name === "Any") return "any";
  if (name === "Token") return number(token, what);
  throw refuse(what, '"None", "Any" or "Token"');
};

/** SLOTIN */
export const slotInput: Shape<TokenSlotInput> = (value, what) => {
  const { name, value: wanted } = variant(value, what);
  if (name === "Legacy") return "legacy";
  if (name === "None") return null;
  if (name === "Some") return number(wanted, what);
  throw refuse(what, '"Legacy", "None" or "Some"');
};

/** The configuration of a Clevis pin, as canonical text. */
export const json: Shape<string> = (value) => jsonText(value);

/** ENC */
export const encryption: Shape<EncryptionRequest> = (value, what) => {
  const request: EncryptionRequest = { keys: [], clevis: [] };
  if (value === null) return request;
  const infos: unknown = (value as { encryption_infos?: unknown }).encryption_infos;
  for (const [wanted, mechanism] of list(tuple(slot, variant))(infos, `${what}.encryption_infos`)) {
    if (mechanism.name === "KeyDesc")
      request.keys.push({ slot: wanted, description: text(mechanism.value, what) });
    else if (mechanism.name === "ClevisInfo") {
      const [pin, config] = tuple(text, json)(mechanism.value, what);
      request.clevis.push({ slot: wanted, pin, config });
    } else throw refuse(what, '"KeyDesc" or "ClevisInfo"');
  }
  return request;
};
