/**
 * Properties as the bytes of a message. An object's are kept, and made again only when the engine's values differ from
 * those that they were made of; nobody has to tell that something changed.
 */
import { Variant } from "dbus-next/lib/variant";
import { joinElements, marshalElements, type MarshalledElements } from "../bus/writer";
import { errorText } from "../engine/errors";
import type { ServiceContext } from "./context";
import { interfacesOf } from "./interfaces";
import type { Kind } from "./names";
import type { DerivedInterface } from "./table/derive";
import type { PropertyRow } from "./table/rows";
import { targetOf, type AnyTarget } from "./targets";
import type { Entry } from "./tree";

type Values = Pick<ServiceContext, "engine" | "tree" | "announcer" | "log">;
type Row = PropertyRow<Kind>;

const PROPERTIES = "a{sv}";
const INTERFACES = "a{sa{sv}}";

/** Stands for the value of a property whose getter throws. */
const UNOBTAINABLE = Symbol("unobtainable");

/**
 * One property and its value as the elements of a{sv}. A property declared v goes out in one layer: its value is the
 * variant itself (dbus-api.md §3). Throws when the value does not fit the property's type: a defect of ours.
 */
export function marshalProperty(row: Row, value: unknown): MarshalledElements {
  const variant = row.signature === "v" ? value : new Variant<unknown>(row.signature, value);
  return marshalElements(PROPERTIES, { [row.name]: variant }, "replace");
}

/** All obtainable properties of one interface, as a{sv}. */
export function marshalInterface(
  context: Values,
  entry: Entry,
  derived: DerivedInterface,
): MarshalledElements {
  const rows = [...derived.properties.values()].map(({ row }) => row);
  const found = marshalRows(context, entry, rows, readRows(context, entry, rows));
  return joinElements(
    PROPERTIES,
    found.filter((elements) => elements !== null),
  );
}

/** An object's bytes, and copies of the values that they were made of, one for each row of its kind. */
interface Kept {
  readonly values: readonly unknown[];
  readonly marshalled: MarshalledObject;
}
const kept = new WeakMap<Entry, Kept>();

/** All obtainable properties of all interfaces of an object. */
export class MarshalledObject {
  #together: MarshalledElements | null = null;

  /** As a{sv} by the interface's name, revisions ascending. */
  constructor(readonly interfaces: ReadonlyMap<string, MarshalledElements>) {}

  /** As a{sa{sv}}. */
  get together(): MarshalledElements {
    this.#together ??= marshalElements(INTERFACES, Object.fromEntries(this.interfaces));
    return this.#together;
  }
}

export function marshalObject(context: Values, entry: Entry): MarshalledObject {
  const layout = layoutOf(entry);
  const values = readRows(context, entry, layout.rows);
  const known = kept.get(entry);
  if (known !== undefined && isSame(values, known.values)) return known.marshalled;
  const properties = marshalRows(context, entry, layout.rows, values);
  const groups = layout.groups.map((members) =>
    joinElements(
      PROPERTIES,
      members.flatMap((index) => properties[index] ?? []),
    ),
  );
  const interfaces = new Map(
    layout.interfaces.map(({ name, group }) => [name, groups[group] ?? joinElements(PROPERTIES, [])]),
  );
  const marshalled = new MarshalledObject(interfaces);
  // What could not be marshalled is complained about again each time.
  const isComplete = properties.every((found, index) => found !== null || values[index] === UNOBTAINABLE);
  if (isComplete) kept.set(entry, { values: copied(values) as unknown[], marshalled });
  return marshalled;
}

/** What the interfaces of an object are put together from. Objects of one kind have the same. */
interface Layout {
  /** Each row once, though several revisions have it. */
  readonly rows: readonly Row[];
  /** The different sets of properties that revisions have, as indices of rows. */
  readonly groups: readonly (readonly number[])[];
  readonly interfaces: readonly { readonly name: string; readonly group: number }[];
}
const layouts = new Map<Entry["kind"], Layout>();

function layoutOf(entry: Entry): Layout {
  const known = layouts.get(entry.kind);
  if (known !== undefined) return known;
  const all = interfacesOf(entry);
  const rows = [...new Set(all.flatMap(({ properties }) => [...properties.values()].map(({ row }) => row)))];
  const groups: number[][] = [];
  const interfaces = all.map(({ name, properties }) => {
    const members = [...properties.values()].map(({ row }) => rows.indexOf(row));
    const same = groups.findIndex((other) => other.join() === members.join());
    return { name, group: same === -1 ? groups.push(members) - 1 : same };
  });
  const layout = { rows, groups, interfaces };
  layouts.set(entry.kind, layout);
  return layout;
}

/** One value for each row, read once. */
function readRows(context: Values, entry: Entry, rows: readonly Row[]): readonly unknown[] {
  let target: AnyTarget;
  try {
    target = targetOf(context, entry);
  } catch (error) {
    context.log.debug(`Leaving out the properties of ${entry.path}: ${errorText(error)}`);
    return rows.map(() => UNOBTAINABLE);
  }
  return rows.map((row) => {
    try {
      return row.get(target, context);
    } catch (error) {
      leaveOut(context, entry, row, error);
      return UNOBTAINABLE;
    }
  });
}

/** null for what is unobtainable, or is no value of its type. */
function marshalRows(
  context: Values,
  entry: Entry,
  rows: readonly Row[],
  values: readonly unknown[],
): (MarshalledElements | null)[] {
  return rows.map((row, index) => {
    if (values[index] === UNOBTAINABLE) return null;
    try {
      return marshalProperty(row, values[index]);
    } catch (error) {
      leaveOut(context, entry, row, error);
      return null;
    }
  });
}

function leaveOut(context: Values, entry: Entry, row: Row, error: unknown): void {
  context.log.warn(`Leaving out property ${row.name} of ${entry.path}: ${errorText(error)}`);
}

type Dictionary = Record<string, unknown>;
const isDictionary = (value: unknown): value is Dictionary =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A copy that stays as it is, whatever becomes of the original. */
function copied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copied);
  if (value instanceof Variant) {
    const { signature, value: inner } = value as Variant<unknown>;
    return new Variant<unknown>(signature, copied(inner));
  }
  if (!isDictionary(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copied(entry)]));
}

/** Whether a value has the content of a copy: of arrays, variants and dictionaries what is in them, in this order. */
function isSame(value: unknown, copy: unknown): boolean {
  if (Array.isArray(value))
    return (
      Array.isArray(copy) &&
      value.length === copy.length &&
      value.every((entry, index) => isSame(entry, copy[index]))
    );
  if (!isDictionary(value)) return Object.is(value, copy);
  if (!isDictionary(copy) || value instanceof Variant !== copy instanceof Variant) return false;
  const keys = Object.keys(value);
  const others = Object.keys(copy);
  return (
    keys.length === others.length &&
    keys.every((key, index) => key === others[index] && isSame(value[key], copy[key]))
  );
}
