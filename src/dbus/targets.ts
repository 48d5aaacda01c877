/** From an object's path to what the engine has for it now. */
import type { ServiceContext } from "./context";
import type { Targets } from "./table/rows";
import type { Kind } from "./names";
import type { Entry } from "./tree";

export type AnyTarget = Targets[Kind];

/** An object whose pool, filesystem or block device the engine no longer has. */
export class GoneError extends Error {
  override name = "GoneError";
  /** For property access; `message` is the text for method calls (dbus-api.md §4.3, §7.4, §8). */
  readonly propertyText: string;
  constructor(methodText: string, propertyText: string) {
    super(methodText);
    this.propertyText = propertyText;
  }
}

/** Throws GoneError. */
export function targetOf({ engine }: Pick<ServiceContext, "engine">, entry: Entry): AnyTarget {
  if (entry.kind === "manager") return null;
  const poolUuid = entry.kind === "pool" ? entry.uuid : entry.pool;
  const pool = engine.getPool(poolUuid);
  if (pool === undefined)
    throw new GoneError(
      `No pool associated with uuid ${poolUuid}`,
      `No pool associated with UUID ${poolUuid}`,
    );
  const { path } = entry;
  switch (entry.kind) {
    case "pool":
      return { path, pool };
    case "filesystem": {
      const filesystem = pool.getFilesystem(entry.uuid);
      if (filesystem === undefined)
        throw new GoneError(
          `pool doesn't know about filesystem ${entry.uuid}`,
          `No filesystem associated with UUID ${entry.uuid}`,
        );
      return { path, pool, filesystem };
    }
    case "blockdev": {
      const device = pool.getBlockDev(entry.uuid);
      if (device === undefined)
        throw new GoneError(
          `pool doesn't know about block device ${entry.uuid}`,
          `No block device associated with UUID ${entry.uuid}`,
        );
      return { path, pool, device };
    }
    case "operation": {
      const progress = pool.inPlace;
      if (progress === null) throw new GoneError("the operation has ended", "The operation has ended");
      return { path, pool, progress };
    }
  }
}
