/** Values of the fields that lists can show (parser/fields.ts): as cells of a table, and as JSON. */
import type { Json } from "../format/json";
import { formatSize, UNKNOWN } from "../format/size";
import { formatTime } from "../format/time";
import { hyphenated } from "../format/uuid";
import { UnexpectedValueError } from "../errors";
import type { FieldSpec, FieldType } from "../parser/fields";
import { jsonInteger } from "./document";

/** A structure: in full, and as a few words for a cell. */
export class Data {
  constructor(
    readonly json: Json,
    readonly text: string,
  ) {}
}

interface ValueOf {
  text: string;
  uuid: string;
  time: string;
  size: bigint;
  integer: bigint;
  flag: boolean;
  words: readonly string[];
  data: Data;
}

/** undefined: stratisd does not tell; null: there is none. */
export type FieldValue<T extends FieldType = FieldType> = ValueOf[T] | null | undefined;

/** How to find the value of each field of a row. */
export type Getters<F extends Readonly<Record<string, FieldSpec>>, Row> = {
  readonly [Name in keyof F]: (row: Row) => FieldValue<F[Name]["type"]>;
};

export interface Style {
  /** Sizes as numbers of bytes. */
  readonly bytes: boolean;
  /** UUIDs as 32 digits. */
  readonly unhyphenated: boolean;
}

export const sizeText = (bytes: bigint | undefined, style: Style): string =>
  bytes === undefined ? UNKNOWN : style.bytes ? bytes.toString() : formatSize(bytes);

/** Throws UnexpectedValueError for text that is no time. */
export function timeText(time: string, precise = false): string {
  const text = formatTime(time, precise);
  if (text === null) throw new UnexpectedValueError(`stratisd sent "${time}" where a time was expected`);
  return text;
}

function textCell({ type, precise }: FieldSpec, text: string, style: Style): string {
  if (type === "uuid") return style.unhyphenated ? text : hyphenated(text);
  return type === "time" ? timeText(text, precise) : text;
}

/** A cell of a table. */
export function cellText(spec: FieldSpec, value: FieldValue, style: Style): string {
  if (value === undefined) return UNKNOWN;
  if (value === null) return "None";
  if (typeof value === "string") return textCell(spec, value, style);
  if (typeof value === "bigint") return spec.type === "size" ? sizeText(value, style) : value.toString();
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return value instanceof Data ? value.text : value.join(", ");
}

function jsonOf(type: FieldType, value: NonNullable<FieldValue>): Json {
  if (typeof value === "string") return type === "uuid" ? hyphenated(value) : value;
  if (typeof value === "bigint") return jsonInteger(value);
  if (typeof value === "boolean") return value;
  return value instanceof Data ? value.json : [...value];
}

/** An object of the named fields. What stratisd does not tell is left out. */
export function rowJson<F extends Readonly<Record<string, FieldSpec>>, Row>(
  fields: F,
  getters: Getters<F, Row>,
  names: readonly (keyof F & string)[],
  row: Row,
): Json {
  const entries = new Map<string, Json>();
  for (const name of names) {
    const value: FieldValue = getters[name](row);
    const type = fields[name]?.type;
    if (value === undefined || type === undefined) continue;
    entries.set(name, value === null ? null : jsonOf(type, value));
  }
  return entries;
}

const RIGHT: readonly FieldType[] = ["size", "integer"];
export const alignmentOf = ({ type }: FieldSpec): "left" | "right" =>
  RIGHT.includes(type) ? "right" : "left";
