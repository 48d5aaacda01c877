/** JSON for people to read: indented, with sorted keys, and nothing in it that a terminal would obey. */
import { LosslessNumber } from "lossless-json";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "../disk/json";

const INDENT = "  ";

/** DEL and the control characters beyond ASCII, which JSON leaves as they are; those of ASCII it escapes itself. */
const UNESCAPED_CONTROL = /[\u007f-\u009f]/g;

const escape = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

const quoted = (text: string): string => JSON.stringify(text).replace(UNESCAPED_CONTROL, escape);

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
