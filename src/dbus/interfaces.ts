/** The interfaces of each kind of object: the table, derived. */
import { KINDS, OPERATION, type Kind } from "./names";
import { blockDevTable } from "./table/blockdev";
import { deriveInterfaces, type DerivedInterface } from "./table/derive";
import { filesystemTable } from "./table/filesystem";
import { managerTable } from "./table/manager";
import { operationTable } from "./table/operation";
import { poolTable } from "./table/pool";
import { reportTable } from "./table/report";
import type { Entry } from "./tree";

export const TABLES = {
  Manager: managerTable,
  Report: reportTable,
  pool: poolTable,
  filesystem: filesystemTable,
  blockdev: blockDevTable,
  operation: operationTable,
};

/** By kind, each oldest revision first. */
export const INTERFACES: { readonly [K in Kind]: readonly DerivedInterface<K>[] } = {
  Manager: deriveInterfaces(TABLES.Manager),
  Report: deriveInterfaces(TABLES.Report),
  pool: deriveInterfaces(TABLES.pool),
  filesystem: deriveInterfaces(TABLES.filesystem),
  blockdev: deriveInterfaces(TABLES.blockdev),
  operation: deriveInterfaces(TABLES.operation),
};

const KINDS_OF: Record<Entry["kind"], readonly Kind[]> = {
  manager: ["Manager", "Report"],
  pool: ["pool"],
  filesystem: ["filesystem"],
  blockdev: ["blockdev"],
  operation: ["operation"],
};

const byName = new Map<string, DerivedInterface>(
  ([...KINDS, OPERATION] as const)
    .flatMap((kind) => INTERFACES[kind] as readonly DerivedInterface[])
    .map((derived) => [derived.name, derived]),
);

const of = (entryKind: Entry["kind"]): readonly DerivedInterface[] =>
  KINDS_OF[entryKind].flatMap((kind) => INTERFACES[kind] as readonly DerivedInterface[]);
const INTERFACES_OF: Record<Entry["kind"], readonly DerivedInterface[]> = {
  manager: of("manager"),
  pool: of("pool"),
  filesystem: of("filesystem"),
  blockdev: of("blockdev"),
  operation: of("operation"),
};

/**
 * The Stratis interfaces of an object, without the kind in their types: whoever uses one takes the target from the
 * same entry. Kinds come in order and each with its oldest revision first.
 */
export const interfacesOf = (entry: Entry): readonly DerivedInterface[] => INTERFACES_OF[entry.kind];

export const interfaceCalled = (name: string): DerivedInterface | undefined => byName.get(name);

/** The interface called `name` if objects like `entry` have it. */
export function findInterface(entry: Entry, name: string): DerivedInterface | undefined {
  const derived = byName.get(name);
  return derived !== undefined && KINDS_OF[entry.kind].includes(derived.kind) ? derived : undefined;
}
