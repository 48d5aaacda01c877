/** The revisions of each interface, derived from the rows of the table. */
import { interfaceName, OPERATION, REVISIONS, type Kind, type Revision } from "../names";
import { parseSignature } from "../../bus/signature";
import { joinSignatures, type Argument } from "../wire";
import type { Emits, InterfaceTable, MethodRow, MethodVariant, PropertyRow, RevisionRange } from "./rows";

export interface DerivedMethod<K extends Kind> {
  readonly name: string;
  readonly in: readonly Argument[];
  readonly out: readonly Argument[];
  readonly inSignature: string;
  readonly outSignature: string;
  /** It changes nothing. */
  readonly reads: boolean;
  readonly variant: MethodVariant<K>;
}

export interface DerivedProperty<K extends Kind> {
  readonly name: string;
  readonly signature: string;
  readonly access: "read" | "readwrite";
  readonly emits: Emits;
  /** The same row for every revision of the property, so that a value need be fetched only once. */
  readonly row: PropertyRow<K>;
}

/** One revision of an interface. */
export interface DerivedInterface<K extends Kind = Kind> {
  readonly name: string;
  readonly kind: K;
  readonly revision: Revision;
  /** In declaration order. */
  readonly methods: ReadonlyMap<string, DerivedMethod<K>>;
  /** Sorted by name. */
  readonly properties: ReadonlyMap<string, DerivedProperty<K>>;
}

/** The pair that every method returns last (dbus-api.md §4.1). */
const RETURN_PAIR: readonly Argument[] = [
  { name: "return_code", signature: "q" },
  { name: "return_string", signature: "s" },
];

const covers = (range: RevisionRange, revision: Revision): boolean =>
  range.since <= revision && (range.until === undefined || revision <= range.until);

/** The range of a member that covers a revision. Throws when two do: the table is wrong then. */
function only<R extends RevisionRange>(
  ranges: readonly R[],
  revision: Revision,
  what: string,
): R | undefined {
  const found = ranges.filter((range) => covers(range, revision));
  if (found.length > 1) throw new Error(`The interface table has ${what} twice in r${revision}`);
  return found[0];
}

function deriveMethod<K extends Kind>(
  { name, reads }: MethodRow<K>,
  variant: MethodVariant<K>,
): DerivedMethod<K> {
  const out = [...variant.out, ...RETURN_PAIR];
  const inSignature = joinSignatures(variant.in);
  const outSignature = joinSignatures(out);
  parseSignature(inSignature + outSignature);
  return { name, in: variant.in, out, inSignature, outSignature, reads, variant };
}

function deriveRevision<K extends Kind>(table: InterfaceTable<K>, revision: Revision): DerivedInterface<K> {
  const name = interfaceName(table.kind, revision);
  const methods = new Map<string, DerivedMethod<K>>();
  for (const row of table.methods) {
    const variant = only(row.variants, revision, `${table.kind}.${row.name}`);
    if (variant === undefined) continue;
    if (methods.has(row.name)) throw new Error(`The interface table has ${name}.${row.name} in two rows`);
    methods.set(row.name, deriveMethod(row, variant));
  }
  const properties: DerivedProperty<K>[] = [];
  for (const row of table.properties) {
    const range = only(row.ranges, revision, `${table.kind}.${row.name}`);
    if (range === undefined) continue;
    const access = range.access ?? "read";
    if (access === "readwrite" && row.set === undefined)
      throw new Error(`The interface table lets ${name}.${row.name} be written but does not say how`);
    properties.push({ name: row.name, signature: row.signature, access, emits: range.emits, row });
  }
  properties.sort((a, b) => (a.name < b.name ? -1 : 1));
  const byName = new Map(properties.map((property) => [property.name, property]));
  if (byName.size !== properties.length)
    throw new Error(`The interface table has a property of ${name} twice`);
  return { name, kind: table.kind, revision, methods, properties: byName };
}

/** All revisions of an interface, oldest first. */
export const deriveInterfaces = <K extends Kind>(table: InterfaceTable<K>): readonly DerivedInterface<K>[] =>
  (table.kind === OPERATION ? REVISIONS.slice(0, 1) : REVISIONS).map((revision) =>
    deriveRevision(table, revision),
  );
