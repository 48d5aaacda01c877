/** Commands that change one property of a pool or remove it (cli.md §7.2). */
import type { Context } from "../context";
import { IncoherenceError, noChange, PartlyDoneError, UnintendedCommandError } from "../errors";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { MANAGER } from "../names";
import { changing } from "../output/change";
import { jsonInteger } from "../output/document";
import { filesystemItem, poolItem, type Item } from "../output/items";
import type { Stratisd } from "../stratisd";
import { asFlag, asInteger, asText } from "../values";
import { changedBy } from "./changed-by";
import { destroyFilesystems } from "./filesystem";
import { poolLoss } from "./losses";

interface Target {
  readonly stratisd: Stratisd;
  readonly objects: ManagedObjects;
  readonly pool: ManagedObject;
}

/** The pool that the argument of this name names. */
async function targetOf({ values, stratisd: connect }: Context, argument: string): Promise<Target> {
  const stratisd = await connect();
  const objects = await stratisd.managedObjects();
  return { stratisd, objects, pool: objects.pool(values.text(argument)) };
}

async function destroyPool(stratisd: Stratisd, pool: ManagedObject, name: string): Promise<void> {
  const result = await stratisd.request({
    interface: MANAGER,
    member: "DestroyPool",
    signature: "o",
    body: [pool.path],
  });
  if (!changedBy(result))
    throw new IncoherenceError(
      `Expected to destroy the specified pool ${name} but stratisd reports that it did not actually destroy it`,
    );
}

const isIn = (filesystem: ManagedObject, pool: ManagedObject): boolean =>
  filesystem.maybe("Pool", asText) === pool.path;

/** Destroys the pool. That its filesystems are gone is told if it fails. */
async function afterFilesystems(
  destroyed: readonly Item[],
  name: string,
  destroyIt: () => Promise<void>,
): Promise<void> {
  try {
    await destroyIt();
  } catch (error) {
    if (destroyed.length === 0) throw error;
    throw new PartlyDoneError(
      `The filesystems of pool ${name} were destroyed, but the pool itself was not:`,
      error,
      { removed: destroyed },
    );
  }
}

/** Filesystems have to be destroyed by name, or all with the pool by the option that says so. */
export const destroy = changing(async (context) => {
  const { values } = context;
  const name = values.text("pool_name");
  const { stratisd, objects, pool } = await targetOf(context, "pool_name");
  const withFilesystems = values.flag("--with-filesystems");
  const filesystems = objects.all("filesystem").filter((filesystem) => isIn(filesystem, pool));
  const doomed = withFilesystems ? filesystems : [];
  const items = doomed.map((filesystem) => filesystemItem(filesystem, pool));
  return {
    effects: {
      removed: [...items, poolItem(pool)],
    },
    examine: async ({ checkAvailable, checkNoFilesystems, checkNoRevert, checkNotMounted }) => {
      if (!withFilesystems) checkNoFilesystems(objects, pool);
      if (doomed.length === 0) return;
      checkNoRevert(objects, pool, doomed);
      checkAvailable(pool, "content");
      await checkNotMounted(doomed);
    },
    // A pool that has filesystems is not destroyed without them, so that there is nothing to be lost.
    loss: filesystems.length > doomed.length ? undefined : () => poolLoss(objects, pool, doomed),
    perform: async (progress) => {
      if (doomed.length > 0) {
        progress.step(0, 2, "filesystems");
        await destroyFilesystems(stratisd, pool, doomed, name);
        progress.step(1, 2, `pool ${name}`);
      }
      await afterFilesystems(items, name, () => destroyPool(stratisd, pool, name));
      return undefined;
    },
  };
});

export const rename = changing(async (context) => {
  const name = context.values.text("new");
  const { stratisd, objects, pool } = await targetOf(context, "current");
  return {
    effects: { changed: [poolItem(pool, { name })] },
    examine: ({ checkAvailable, checkPoolName }) => {
      checkPoolName(objects, name);
      checkAvailable(pool, "pool");
    },
    perform: async () => {
      const result = await stratisd.request({
        ...pool.target,
        member: "SetName",
        signature: "s",
        body: [name],
      });
      if (!changedBy(result)) throw noChange("rename", name);
      return undefined;
    },
  };
});

export const setFsLimit = changing(async (context) => {
  const amount = context.values.integer("amount");
  const { stratisd, pool } = await targetOf(context, "pool_name");
  if (pool.get("FsLimit", asInteger) === amount)
    throw new UnintendedCommandError(`Pool filesystem limit is exactly ${amount}`);
  return {
    effects: { changed: [poolItem(pool, { filesystem_limit: jsonInteger(amount) })] },
    examine: ({ checkAvailable, checkLimitRaised }) => {
      checkLimitRaised(pool, amount);
      checkAvailable(pool, "pool");
    },
    perform: async () => {
      await stratisd.set(pool.target, "FsLimit", "t", amount);
      return undefined;
    },
  };
});

export const overprovision = changing(async (context) => {
  const decision = context.values.text("decision") === "yes";
  const { stratisd, pool } = await targetOf(context, "pool_name");
  if (pool.get("Overprovisioning", asFlag) === decision)
    throw new UnintendedCommandError(`Pool's overprovision mode is already set to ${decision}`);
  return {
    effects: { changed: [poolItem(pool, { overprovisioning: decision })] },
    examine: ({ checkAvailable }) => {
      checkAvailable(pool, "pool");
    },
    perform: async () => {
      await stratisd.set(pool.target, "Overprovisioning", "b", decision);
      return undefined;
    },
  };
});
