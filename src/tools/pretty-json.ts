/** JSON for people to read: indented, with sorted keys, and nothing in it that a terminal would obey. */
import { LosslessNumber } from "lossless-json";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../disk/json";

const INDENT = "  ";

// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL_CHARACTER = /[\u0000-\u001f\u007f-\u009f]/g;

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Text from a disk, fit for a terminal: control characters are escaped as in JSON. */
export const printable = (text: string): string => text.replace(CONTROL_CHARACTER, escape);

/** JSON itself escapes the control characters of ASCII but for DEL. */
const quoted = (text: string): string => printable(JSON.stringify(text));

/** In the order of code points, which is that of UTF-8. */
const sortedKeys = (object: JsonObject): string[] =>
  Object.keys(object)
    .map((key) => ({ key, utf8: Buffer.from(key) }))
    .sort((a, b) => Buffer.compare(a.utf8, b.utf8))
    .map(({ key }) => key);

/**
 * Emits the text in pieces, without a line end: it can be much longer than the document, because each line of a value
 * that is deep inside begins with a margin. `margin`: that of the line that the value begins in.
 */
export function prettyJson(value: JsonValue, emit: (piece: string) => void, margin = ""): void {
  if (typeof value === "string") emit(quoted(value));
  else if (typeof value === "bigint" || typeof value === "boolean" || value === null) emit(String(value));
  else if (value instanceof LosslessNumber) emit(value.value);
  else if (isJsonArray(value)) {
    const items = value.map((item) => ({ label: "", item }));
    emitMembers("[", items, "]", emit, margin);
  } else if (isJsonObject(value)) {
    const members = sortedKeys(value).map((key) => ({ label: `${quoted(key)}: `, item: value[key] ?? null }));
    emitMembers("{", members, "}", emit, margin);
  } else throw new TypeError("This is not a JSON value");
}

function emitMembers(
  open: string,
  members: readonly { label: string; item: JsonValue }[],
  close: string,
  emit: (piece: string) => void,
  margin: string,
): void {
  if (members.length === 0) {
    emit(`${open}${close}`);
    return;
  }
  const within = `${margin}${INDENT}`;
  members.forEach(({ label, item }, index) => {
    emit(`${index === 0 ? open : ","}\n${within}${label}`);
    prettyJson(item, emit, within);
  });
  emit(`\n${margin}${close}`);
}
