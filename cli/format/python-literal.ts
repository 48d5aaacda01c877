/** Values as Python writes them: part of the output that scripts know (cli.md §8.2, §12.2). */
import { JsonNumber, type Json } from "./json";

const ESCAPES: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escaped(character: string): string {
  const known = ESCAPES[character];
  if (known !== undefined) return known;
  const code = character.codePointAt(0) ?? 0;
  const digits = code.toString(16);
  if (code <= 0xff) return `\\x${digits.padStart(2, "0")}`;
  return code <= 0xffff ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
}

/** In single quotes, or in double quotes if the text has single ones and no double ones. */
export function pythonString(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  // Blanks other than the ordinary one, and all that is not printable, are escaped.
  const body = text.replace(/\\|[\p{C}\p{Z}]/gu, (character) =>
    character === " " ? " " : escaped(character),
  );
  return quote + (quote === "'" ? body.replaceAll("'", "\\'") : body) + quote;
}

/** ['a', 'b'] */
export const pythonList = (items: readonly string[]): string => `[${items.map(pythonString).join(", ")}]`;

/** A JSON value as Python prints the value that it parses to. */
export function pythonLiteral(value: Json): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return pythonString(value);
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  return `{${[...value].map(([key, entry]) => `${pythonString(key)}: ${pythonLiteral(entry)}`).join(", ")}}`;
}

/** As Python's str(): text as it is, everything else as a literal. */
export const pythonText = (value: Json): string => (typeof value === "string" ? value : pythonLiteral(value));
