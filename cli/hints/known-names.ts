/** What there is on the machine, for hints after a command has failed. */
import type { Context } from "../context";
import type { ManagedObject } from "../managed-objects";
import { MANAGER } from "../names";
import { asDictionary, asFlag, asItems, asText } from "../values";

export interface KnownFilesystem {
  readonly name: string;
  readonly uuid: string;
  readonly pool: string;
}

export interface KnownStoppedPool {
  readonly name: string;
  readonly uuid: string;
}

export interface KnownNames {
  readonly pools: ReadonlyMap<string, ManagedObject>;
  readonly filesystems: readonly KnownFilesystem[];
  readonly stoppedPools: readonly KnownStoppedPool[];
  readonly keys: readonly string[];
}

const textOf = (object: ManagedObject, property: string): string => object.maybe(property, asText) ?? "";

/** Asks stratisd. Rejects when it cannot be asked. */
export async function knownNames(context: Context): Promise<KnownNames> {
  const stratisd = await context.stratisd();
  const [objects, stopped, keys] = await Promise.all([
    stratisd.managedObjects(),
    stratisd.managerProperty("StoppedPools"),
    stratisd.request({ interface: MANAGER, member: "ListKeys" }),
  ]);
  const pools = objects.all("pool");
  const poolNames = new Map(pools.map((pool) => [pool.path, textOf(pool, "Name")]));
  return {
    pools: new Map(pools.map((pool) => [textOf(pool, "Name"), pool])),
    filesystems: objects.all("filesystem").map((filesystem) => ({
      name: textOf(filesystem, "Name"),
      uuid: textOf(filesystem, "Uuid"),
      pool: poolNames.get(textOf(filesystem, "Pool")) ?? "",
    })),
    stoppedPools: [...asDictionary(stopped)].map(([uuid, facts]) => {
      const name = asDictionary(facts).get("name");
      return { uuid, name: name === undefined ? "" : asText(name) };
    }),
    keys: asItems(keys).map(asText),
  };
}

export const isEncrypted = (pool: ManagedObject): boolean => pool.maybe("Encrypted", asFlag) === true;
