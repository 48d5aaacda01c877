/** The pool, and the filesystem in it, that a command is about. */
import type { Context } from "../context";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import type { Stratisd } from "../stratisd";
import { asText } from "../values";

export interface PoolTarget {
  readonly stratisd: Stratisd;
  readonly objects: ManagedObjects;
  readonly pool: ManagedObject;
}

export interface FilesystemTarget extends PoolTarget {
  readonly filesystem: ManagedObject;
}

export async function poolOf({ values, stratisd: connect }: Context): Promise<PoolTarget> {
  const stratisd = await connect();
  const objects = await stratisd.managedObjects();
  return { stratisd, objects, pool: objects.pool(values.text("pool_name")) };
}

/** The filesystem of the pool that the argument `argument` names. */
export async function filesystemOf(
  context: Context,
  argument: "fs_name" | "origin_name" | "snapshot_name",
): Promise<FilesystemTarget> {
  const target = await poolOf(context);
  const selector = { by: "name", value: context.values.text(argument) } as const;
  return { ...target, filesystem: target.objects.select("filesystem", selector, target.pool) };
}

/** The filesystems of a pool by name. */
export const namesIn = ({ objects, pool }: PoolTarget): Map<string, ManagedObject> =>
  new Map(
    objects
      .matching("filesystem", { Pool: pool.path })
      .map((filesystem) => [filesystem.get("Name", asText), filesystem]),
  );

/** (bs): a size in bytes, or none. */
export const sizeArgument = (bytes: bigint | undefined): [boolean, string] =>
  bytes === undefined ? [false, ""] : [true, bytes.toString()];
