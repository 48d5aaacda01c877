/** Values from D-Bus: each function gives one of the forms that stratisd's interfaces use, or throws. */
import { Variant } from "dbus-next/lib/variant";
import { UnexpectedValueError } from "./errors";

/** What a variant holds, also when variants are nested, as stratisd up to 3.8 did; other values as they are. */
export function unboxed(value: unknown): unknown {
  let inner = value;
  while (inner instanceof Variant) inner = (inner as Variant<unknown>).value;
  return inner;
}

/** For messages. */
function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, entry: unknown) =>
    typeof entry === "bigint" ? entry.toString() : entry,
  ) as string | undefined;
  return text ?? String(value);
}

const unexpected = (expected: string, value: unknown): UnexpectedValueError =>
  new UnexpectedValueError(`stratisd sent ${shown(value)} where ${expected} was expected`);

export function asText(value: unknown): string {
  const inner = unboxed(value);
  if (typeof inner !== "string") throw unexpected("a string", inner);
  return inner;
}

export function asFlag(value: unknown): boolean {
  const inner = unboxed(value);
  if (typeof inner !== "boolean") throw unexpected("a boolean", inner);
  return inner;
}

export function asInteger(value: unknown): bigint {
  const inner = unboxed(value);
  if (typeof inner === "bigint") return inner;
  if (typeof inner === "number" && Number.isInteger(inner)) return BigInt(inner);
  throw unexpected("an integer", inner);
}

/** A size in bytes, which D-Bus carries as a decimal string. */
export function asBytes(value: unknown): bigint {
  const text = asText(value);
  if (!/^\+?\d+$/.test(text)) throw unexpected("a decimal number of bytes", text);
  return BigInt(text);
}

/** An array or a structure. */
export function asItems(value: unknown): unknown[] {
  const inner = unboxed(value);
  if (!Array.isArray(inner)) throw unexpected("an array or a structure", inner);
  return inner;
}

export function asPair(value: unknown): [unknown, unknown] {
  const items = asItems(value);
  if (items.length !== 2) throw unexpected("two values", items);
  return [items[0], items[1]];
}

export function asDictionary(value: unknown): Map<string, unknown> {
  const inner = unboxed(value);
  if (typeof inner !== "object" || inner === null || Array.isArray(inner))
    throw unexpected("a dictionary", inner);
  return new Map(Object.entries(inner));
}

/** (bT): null when the boolean says that there is no value. */
export function asOptional<T>(value: unknown, decode: (value: unknown) => T): T | null {
  const [present, inner] = asPair(value);
  return asFlag(present) ? decode(inner) : null;
}
