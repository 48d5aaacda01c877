/** Commands that change one property of a pool or remove it (cli.md §7.2). */
import type { Context } from "../context";
import { IncoherenceError, noChange, UnintendedCommandError } from "../errors";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { MANAGER } from "../names";
import { changing } from "../output/change";
import { jsonInteger } from "../output/document";
import { poolItem } from "../output/items";
import type { Stratisd } from "../stratisd";
import { asFlag, asInteger, asPair } from "../values";

/** The first member of a result such as (bs): whether anything was changed. */
export const changedBy = (result: unknown): boolean => asFlag(asPair(result)[0]);

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

export const destroy = changing(async (context) => {
  const { stratisd, objects, pool } = await targetOf(context, "pool_name");
  return {
    effects: { removed: [poolItem(pool)] },
    examine: ({ checkNoFilesystems }) => {
      checkNoFilesystems(objects, pool);
    },
    perform: async () => {
      await destroyPool(stratisd, pool, context.values.text("pool_name"));
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
