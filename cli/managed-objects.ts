/** The result of GetManagedObjects, and looking up things in it (cli.md §6.2). */
import { MissingPropertyError, NotFoundError, UnintendedCommandError, type ObjectKind } from "./errors";
import { hyphenated } from "./format/uuid";
import { BLOCKDEV, FILESYSTEM, OPERATION, POOL } from "./names";
import { asDictionary, asText } from "./values";

const INTERFACES: Readonly<Record<ObjectKind, string>> = {
  pool: POOL,
  filesystem: FILESYSTEM,
  "block device": BLOCKDEV,
};

/** Names one pool, filesystem or block device. A uuid is 32 digits. */
export interface Selector {
  readonly by: "name" | "uuid";
  readonly value: string;
}

/** The selector as messages name it: "name data", "UUID 0c2caf64-...". */
export const selectorText = ({ by, value }: Selector): string =>
  by === "name" ? `name ${value}` : `UUID ${hyphenated(value)}`;

/** A managed object as one of its interfaces shows it. */
export class ManagedObject {
  /** Where calls of the interface's methods go. */
  readonly target: { readonly path: string; readonly interface: string };

  constructor(
    readonly path: string,
    interfaceName: string,
    readonly properties: ReadonlyMap<string, unknown>,
  ) {
    this.target = { path, interface: interfaceName };
  }

  /** A property that is needed. Throws MissingPropertyError. */
  get<T>(name: string, decode: (value: unknown) => T): T {
    if (!this.properties.has(name)) throw new MissingPropertyError(name, this.target.interface);
    return decode(this.properties.get(name));
  }

  /** A property that stratisd may have left out because it could not obtain it: undefined then. */
  maybe<T>(name: string, decode: (value: unknown) => T): T | undefined {
    return this.properties.has(name) ? decode(this.properties.get(name)) : undefined;
  }
}

/** What has the same value in all objects looked for: property and value. */
type Wanted = Readonly<Record<string, string>>;

export class ManagedObjects {
  readonly #objects: ReadonlyMap<string, unknown>;

  /** `raw` is the a{oa{sa{sv}}} that the call returned. */
  constructor(readonly raw: unknown) {
    this.#objects = asDictionary(raw);
  }

  /** All of a kind, in the order of D-Bus. */
  all(kind: ObjectKind): ManagedObject[] {
    return this.#having(INTERFACES[kind]);
  }

  /** What is done to a pool in place. */
  operationOn(pool: ManagedObject): ManagedObject | undefined {
    return this.#having(OPERATION).find((operation) => operation.maybe("Pool", asText) === pool.path);
  }

  #having(name: string): ManagedObject[] {
    const found: ManagedObject[] = [];
    for (const [path, interfaces] of this.#objects) {
      const properties = asDictionary(interfaces).get(name);
      if (properties !== undefined) found.push(new ManagedObject(path, name, asDictionary(properties)));
    }
    return found;
  }

  /** Those whose properties equal the wanted ones. Throws MissingPropertyError if any object lacks one of these. */
  matching(kind: ObjectKind, wanted: Wanted): ManagedObject[] {
    return this.all(kind).filter((object) =>
      Object.entries(wanted).every(([name, value]) => object.get(name, asText) === value),
    );
  }

  /** The one that matches. Throws NotFoundError for none and UnintendedCommandError for several. */
  unique(kind: ObjectKind, wanted: Wanted): ManagedObject {
    const [found, ...others] = this.matching(kind, wanted);
    const description = Object.entries(wanted)
      .map(([name, value]) => `${name} ${value}`)
      .join(" and ");
    if (found === undefined) throw new NotFoundError(kind, description);
    if (others.length > 0)
      throw new UnintendedCommandError(
        `The ${kind} with ${description} is ambiguous: there are ${others.length + 1} of them`,
      );
    return found;
  }

  /** The pool, filesystem or block device of a selector; `within` narrows the choice to one pool's. */
  select(kind: ObjectKind, { by, value }: Selector, within?: ManagedObject): ManagedObject {
    return this.unique(kind, {
      ...(by === "name" ? { Name: value } : { Uuid: value }),
      ...(within === undefined ? {} : { Pool: within.path }),
    });
  }

  pool(name: string): ManagedObject {
    return this.select("pool", { by: "name", value: name });
  }
}
