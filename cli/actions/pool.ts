/** Commands that change one property of a pool or remove it (cli.md §7.2). */
import type { Action } from "../context";
import { IncoherenceError, noChange, UnintendedCommandError } from "../errors";
import { MANAGER } from "../names";
import { asFlag, asInteger, asPair } from "../values";

/** The first member of a result such as (bs): whether anything was changed. */
export const changedBy = (result: unknown): boolean => asFlag(asPair(result)[0]);

export const destroy: Action = async ({ values, stratisd: connect }) => {
  const name = values.text("pool_name");
  const stratisd = await connect();
  const pool = (await stratisd.managedObjects()).pool(name);
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
};

export const rename: Action = async ({ values, stratisd: connect }) => {
  const name = values.text("new");
  const stratisd = await connect();
  const pool = (await stratisd.managedObjects()).pool(values.text("current"));
  const result = await stratisd.request({ ...pool.target, member: "SetName", signature: "s", body: [name] });
  if (!changedBy(result)) throw noChange("rename", name);
};

export const setFsLimit: Action = async ({ values, stratisd: connect }) => {
  const amount = values.integer("amount");
  const stratisd = await connect();
  const pool = (await stratisd.managedObjects()).pool(values.text("pool_name"));
  if (pool.get("FsLimit", asInteger) === amount)
    throw new UnintendedCommandError(`Pool filesystem limit is exactly ${amount}`);
  await stratisd.set(pool.target, "FsLimit", "t", amount);
};

export const overprovision: Action = async ({ values, stratisd: connect }) => {
  const decision = values.text("decision") === "yes";
  const stratisd = await connect();
  const pool = (await stratisd.managedObjects()).pool(values.text("pool_name"));
  if (pool.get("Overprovisioning", asFlag) === decision)
    throw new UnintendedCommandError(`Pool's overprovision mode is already set to ${decision}`);
  await stratisd.set(pool.target, "Overprovisioning", "b", decision);
};
