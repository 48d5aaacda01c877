/**
 * JSON without loss: the order of keys, integers of any size, and the printed form that scripts know from Python's json
 * module (cli.md §11.5). JavaScript's own objects would reorder keys that look like integers (token slots), and its
 * numbers would round.
 */
import { byCodePoint } from "./order";
import { parseJsonText, type JsonText } from "./json-reader";

/** A number as it is to be printed. */
export class JsonNumber {
  constructor(readonly text: string) {}
}

export type Json = null | boolean | string | JsonNumber | Json[] | Map<string, Json>;

/** Python prints floats with an exponent below 1e-4 and from 1e16 on. */
function floatText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const [mantissa = "", exponentText = "0"] = Math.abs(value).toExponential().split("e");
  const exponent = Number(exponentText);
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    const digits = Math.abs(exponent).toString().padStart(2, "0");
    return `${sign}${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
  }
  const digits = mantissa.replace(".", "");
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0");
  return `${sign}${whole}.${digits.slice(exponent + 1) || "0"}`;
}

const numberText = (literal: string): string => {
  if (!/^-?\d+$/.test(literal)) return floatText(Number(literal));
  return literal === "-0" ? "0" : literal;
};

function fromText(value: JsonText): Json {
  switch (value.kind) {
    case "constant":
      return value.value;
    case "string":
      return value.value;
    case "number":
      return new JsonNumber(numberText(value.literal));
    case "array":
      return value.items.map(fromText);
    case "object":
      return new Map(value.entries.map(([key, entry]) => [key, fromText(entry)]));
  }
}

/** Throws SyntaxError, with the place, for text that is not JSON. Of equal keys the last one's value counts. */
export const parseJson = (text: string): Json => fromText(parseJsonText(text));

const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

const quoted = (text: string): string =>
  `"${text.replace(
    /["\\]|[^\x20-\x7e]/g,
    (unit) => ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )}"`;

export interface JsonStyle {
  /** With 4 blanks per level; otherwise all on one line. */
  readonly indented: boolean;
  /** Keys by code point; otherwise in their own order. */
  readonly sorted: boolean;
}

/** The text, ASCII only, without a final newline. */
export function jsonText(value: Json, style: JsonStyle, depth = 0): string {
  if (value === null) return "null";
  if (typeof value === "boolean") return value ? "true" : "false";
  if (typeof value === "string") return quoted(value);
  if (value instanceof JsonNumber) return value.text;
  const inner = (item: Json): string => jsonText(item, style, depth + 1);
  if (Array.isArray(value)) return enclosed("[", value.map(inner), "]", style, depth);
  const entries = [...value];
  if (style.sorted) entries.sort(([left], [right]) => byCodePoint(left, right));
  return enclosed(
    "{",
    entries.map(([key, entry]) => `${quoted(key)}: ${inner(entry)}`),
    "}",
    style,
    depth,
  );
}

/** The same with the keys of every object by code point. */
export function sortedKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (!(value instanceof Map)) return value;
  const entries = [...value].sort(([left], [right]) => byCodePoint(left, right));
  return new Map(entries.map(([key, entry]) => [key, sortedKeys(entry)]));
}

function enclosed(open: string, items: string[], close: string, style: JsonStyle, depth: number): string {
  if (items.length === 0) return open + close;
  if (!style.indented) return open + items.join(", ") + close;
  const newline = `\n${"    ".repeat(depth)}`;
  return `${open}${items.map((item) => `${newline}    ${item}`).join(",")}${newline}${close}`;
}
