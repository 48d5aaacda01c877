/** JSON documents that go to clients as strings: compact, keys sorted, numbers exact (dbus-api.md §3, §15). */
import { isLosslessNumber, parse } from "lossless-json";
import { EngineError, errorText } from "../engine/errors";

const byCodePoint = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Compact JSON with sorted keys. Members that are undefined are left out; bigints are written as digits. */
export function jsonText(value: unknown): string {
  if (typeof value === "bigint") return value.toString();
  if (isLosslessNumber(value)) return value.toString();
  if (Array.isArray(value))
    return `[${value.map((entry) => (entry === undefined ? "null" : jsonText(entry))).join(",")}]`;
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => byCodePoint(a, b))
      .map(([key, member]) => `${JSON.stringify(key)}:${jsonText(member)}`);
    return `{${members.join(",")}}`;
  }
  return JSON.stringify(value);
}

/** A client's JSON text in canonical form. Throws EngineError "Serde error: ..." for text that is not JSON. */
export function canonicalJson(text: string): string {
  try {
    return jsonText(parse(text));
  } catch (error) {
    throw new EngineError(`Serde error: ${errorText(error)}`, { cause: error });
  }
}

/** As canonicalJson, but leaves text alone that is not JSON: it was read from a disk and is not ours to refuse. */
export function presentableJson(text: string): string {
  try {
    return canonicalJson(text);
  } catch {
    return text;
  }
}
