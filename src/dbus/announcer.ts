/**
 * Signals (dbus-api.md §11): objects that come and go, properties that change. What is announced on which revisions
 * follows from the table. Values are those of the moment of sending.
 */
import type { MarshalledElements } from "../bus/writer";
import { errorText } from "../engine/errors";
import type { BlockDevProperty, Engine, FilesystemProperty, PoolProperty } from "../engine/engine";
import type { Logger } from "../log";
import type { ServiceContext, SignalSink } from "./context";
import { interfacesOf, TABLES } from "./interfaces";
import { marshalObject, marshalProperty } from "./marshalled";
import { BASE_PATH, OBJECT_MANAGER, PROPERTIES, type Kind } from "./names";
import type { DerivedInterface, DerivedProperty } from "./table/derive";
import { targetOf } from "./targets";
import type { BlockDevEntry, Entry, FilesystemEntry, ManagedEntry, ObjectTree, PoolEntry } from "./tree";

/** Who tells of objects that come and go. */
const OBJECTS = { path: BASE_PATH, interface: OBJECT_MANAGER };

export class Announcer {
  readonly #context: ServiceContext;
  readonly #sink: SignalSink;

  constructor(engine: Engine, tree: ObjectTree, log: Logger, sink: SignalSink) {
    this.#context = { engine, tree, log, announcer: this };
    this.#sink = sink;
  }

  /** One InterfacesAdded for each revision of each object, as stratisd has it: one for all of them is a long one. */
  added(entries: readonly ManagedEntry[]): void {
    for (const entry of entries)
      for (const [name, properties] of marshalObject(this.#context, entry).interfaces)
        this.#sink.signal({
          ...OBJECTS,
          member: "InterfacesAdded",
          signature: "oa{sa{sv}}",
          body: [entry.path, { [name]: properties }],
        });
  }

  /** One InterfacesRemoved for each revision of each object, as stratisd has it. */
  removed(entries: readonly ManagedEntry[]): void {
    for (const entry of entries)
      this.#sink.signalForEach(
        interfacesOf(entry).map(({ name }) => name),
        (name) => ({ ...OBJECTS, member: "InterfacesRemoved", signature: "oas", body: [entry.path, [name]] }),
      );
  }

  /** A pool's properties in the engine's terms changed. A new name changes its filesystems' device links too. */
  poolChanged(entry: PoolEntry, changed: readonly PoolProperty[]): void {
    for (const property of changed) {
      this.propertiesChanged(entry, namesChangedBy("pool", [property]));
      if (property === "name")
        for (const filesystem of entry.filesystems.values()) this.propertiesChanged(filesystem, ["Devnode"]);
    }
    if (changed.includes("availableActions")) this.#rememberActions(entry);
  }

  filesystemChanged(entry: FilesystemEntry, changed: readonly FilesystemProperty[]): void {
    this.propertiesChanged(entry, namesChangedBy("filesystem", changed));
  }

  blockDevChanged(entry: BlockDevEntry, changed: readonly BlockDevProperty[]): void {
    this.propertiesChanged(entry, namesChangedBy("blockdev", changed));
  }

  stoppedPoolsChanged(): void {
    this.propertiesChanged(this.#context.tree.manager, ["StoppedPools"]);
  }

  lockedPoolsChanged(): void {
    this.propertiesChanged(this.#context.tree.manager, ["LockedPools"]);
  }

  /** Announces AvailableActions if it is not what clients were told last. */
  actionsIfChanged(entry: PoolEntry): void {
    const pool = this.#context.engine.getPool(entry.uuid);
    if (pool !== undefined && pool.availableActions !== entry.announcedActions)
      this.poolChanged(entry, ["availableActions"]);
  }

  /**
   * One PropertiesChanged per named property and revision that has it and promises the signal: names in the order
   * given, revisions ascending. `onlyOn` restricts them to one interface.
   */
  propertiesChanged(entry: Entry, names: readonly string[], onlyOn?: DerivedInterface): void {
    const interfaces = onlyOn === undefined ? interfacesOf(entry) : [onlyOn];
    for (const name of names) for (const run of runsOf(interfaces, name)) this.#propertyChanged(entry, run);
  }

  #propertyChanged(entry: Entry, { property, interfaces }: Run): void {
    if (property.emits === "invalidates") {
      this.#propertiesSignals(entry.path, interfaces, [{}, [property.name]]);
    } else if (property.emits === "true") {
      try {
        this.#propertiesSignals(entry.path, interfaces, [this.#marshalled(entry, property), []]);
      } catch (error) {
        this.#context.log.warn(
          `Not announcing the change of ${property.name} on ${entry.path} (${interfaces.join(", ")}): ` +
            errorText(error),
        );
      }
    }
  }

  #marshalled(entry: Entry, { row }: DerivedProperty<Kind>): MarshalledElements {
    return marshalProperty(row, row.get(targetOf(this.#context, entry), this.#context));
  }

  #rememberActions(entry: PoolEntry): void {
    const pool = this.#context.engine.getPool(entry.uuid);
    if (pool !== undefined) entry.announcedActions = pool.availableActions;
  }

  #propertiesSignals(
    path: string,
    interfaces: readonly string[],
    values: [MarshalledElements | Record<string, never>, string[]],
  ): void {
    this.#sink.signalForEach(interfaces, (name) => ({
      path,
      interface: PROPERTIES,
      member: "PropertiesChanged",
      signature: "sa{sv}as",
      body: [name, ...values],
    }));
  }
}

/** Revisions in a row in which a property is the same: what is announced differs by the interface's name alone. */
interface Run {
  readonly property: DerivedProperty<Kind>;
  readonly interfaces: string[];
}

function runsOf(interfaces: readonly DerivedInterface[], name: string): Run[] {
  const runs: Run[] = [];
  for (const derived of interfaces) {
    const property = derived.properties.get(name);
    if (property === undefined) continue;
    const last = runs.at(-1);
    if (last?.property.row === property.row && last.property.emits === property.emits)
      last.interfaces.push(derived.name);
    else runs.push({ property, interfaces: [derived.name] });
  }
  return runs;
}

/** D-Bus properties that express properties of the engine, in the table's order, each once. */
function namesChangedBy(kind: "pool" | "filesystem" | "blockdev", changed: readonly string[]): string[] {
  const rows: readonly { name: string; changedBy: readonly string[] }[] = TABLES[kind].properties;
  const found = rows.filter((row) => row.changedBy.some((property) => changed.includes(property)));
  return [...new Set(found.map(({ name }) => name))];
}
