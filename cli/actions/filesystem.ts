/** Commands that change filesystems (cli.md §7.2). */
import type { Action, Context } from "../context";
import {
  IncoherenceError,
  noChange,
  partialChange,
  PartlyDoneError,
  UnintendedCommandError,
} from "../errors";
import { formatSize } from "../format/size";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { CURRENT, size } from "../parser/value-types";
import type { Stratisd } from "../stratisd";
import { asBytes, asFlag, asItems, asOptional, asPair, asText } from "../values";
import { changedBy } from "./pool";

interface Target {
  readonly stratisd: Stratisd;
  readonly objects: ManagedObjects;
  readonly pool: ManagedObject;
}

async function poolOf({ values, stratisd: connect }: Context): Promise<Target> {
  const stratisd = await connect();
  const objects = await stratisd.managedObjects();
  return { stratisd, objects, pool: objects.pool(values.text("pool_name")) };
}

/** The filesystem of the pool that the argument `argument` names. */
async function filesystemOf(
  context: Context,
  argument: "fs_name" | "origin_name" | "snapshot_name",
): Promise<Target & { readonly filesystem: ManagedObject }> {
  const target = await poolOf(context);
  const selector = { by: "name", value: context.values.text(argument) } as const;
  return { ...target, filesystem: target.objects.select("filesystem", selector, target.pool) };
}

/** The filesystems of a pool by name. */
const namesIn = ({ objects, pool }: Target): Map<string, ManagedObject> =>
  new Map(
    objects
      .matching("filesystem", { Pool: pool.path })
      .map((filesystem) => [filesystem.get("Name", asText), filesystem]),
  );

/** The daemon takes one filesystem at a time. What was done before a failure is told. */
async function oneByOne(names: readonly string[], act: (name: string) => Promise<void>): Promise<void> {
  for (const [index, name] of names.entries()) {
    try {
      await act(name);
    } catch (error) {
      if (index === 0) throw error;
      const earlier = names.slice(0, index).join(", ");
      throw new PartlyDoneError(`These filesystems were created: ${earlier}. Then ${name} was not:`, error);
    }
  }
}

const incoherent = (action: string, pool: string): IncoherenceError =>
  new IncoherenceError(
    `Expected to ${action} the specified filesystems in pool ${pool} but stratisd reports that it did not actually ` +
      `${action} some or all of them`,
  );

/** (bs): a size in bytes, or none. */
const sizeArgument = (bytes: bigint | undefined): [boolean, string] =>
  bytes === undefined ? [false, ""] : [true, bytes.toString()];

export const create: Action = async (context) => {
  const { values } = context;
  const names = [...new Set(values.texts("fs_name"))];
  const target = await poolOf(context);
  const existing = namesIn(target);
  const unchanged = names.filter((name) => existing.has(name));
  if (unchanged.length > 0)
    throw partialChange(
      "create",
      names.filter((name) => !existing.has(name)),
      unchanged,
    );
  const sizes = [values.maybeInteger("--size"), values.maybeInteger("--size-limit")].map(sizeArgument);
  await oneByOne(names, async (name) => {
    const result = await target.stratisd.request({
      ...target.pool.target,
      member: "CreateFilesystems",
      signature: "a(s(bs)(bs))",
      body: [[[name, ...sizes]]],
    });
    const [changed, created] = asPair(result);
    if (!asFlag(changed) || asItems(created).length < 1) throw incoherent("create", values.text("pool_name"));
  });
};

export const destroy: Action = async (context) => {
  const { values } = context;
  const names = [...new Set(values.texts("fs_name"))];
  const target = await poolOf(context);
  const existing = namesIn(target);
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0)
    throw partialChange(
      "destroy",
      names.filter((name) => existing.has(name)),
      missing,
    );
  const paths = names.flatMap((name) => existing.get(name)?.path ?? []);
  const result = await target.stratisd.request({
    ...target.pool.target,
    member: "DestroyFilesystems",
    signature: "ao",
    body: [paths],
  });
  const [changed, destroyed] = asPair(result);
  if (!asFlag(changed) || asItems(destroyed).length < paths.length)
    throw incoherent("destroy", values.text("pool_name"));
};

export const snapshot: Action = async (context) => {
  const name = context.values.text("snapshot_name");
  const { stratisd, pool, filesystem } = await filesystemOf(context, "origin_name");
  const result = await stratisd.request({
    ...pool.target,
    member: "SnapshotFilesystem",
    signature: "os",
    body: [filesystem.path, name],
  });
  if (!changedBy(result)) throw noChange("snapshot", name);
};

export const rename: Action = async (context) => {
  const name = context.values.text("new_name");
  const { stratisd, filesystem } = await filesystemOf(context, "fs_name");
  const result = await stratisd.request({
    ...filesystem.target,
    member: "SetName",
    signature: "s",
    body: [name],
  });
  if (!changedBy(result)) throw noChange("rename", name);
};

const limitOf = (filesystem: ManagedObject): bigint | null =>
  filesystem.get("SizeLimit", (value) => asOptional(value, asBytes));

export const setSizeLimit: Action = async (context) => {
  const word = context.values.text("limit");
  const { stratisd, filesystem } = await filesystemOf(context, "fs_name");
  const limit = word === CURRENT ? filesystem.get("Size", asBytes) : size(word);
  if (limitOf(filesystem) === limit)
    throw new UnintendedCommandError(
      `Filesystem size limit is exactly ${word === CURRENT ? formatSize(limit) : word}`,
    );
  await stratisd.set(filesystem.target, "SizeLimit", "(bs)", sizeArgument(limit));
};

export const unsetSizeLimit: Action = async (context) => {
  const { stratisd, filesystem } = await filesystemOf(context, "fs_name");
  if (limitOf(filesystem) === null) throw new UnintendedCommandError("Filesystem size limit is not set");
  await stratisd.set(filesystem.target, "SizeLimit", "(bs)", sizeArgument(undefined));
};

export const scheduleRevert: Action = async (context) => {
  const { stratisd, filesystem } = await filesystemOf(context, "snapshot_name");
  if (filesystem.get("MergeScheduled", asFlag))
    throw new UnintendedCommandError("Filesystem is already scheduled for a revert operation");
  await stratisd.set(filesystem.target, "MergeScheduled", "b", true);
};

export const cancelRevert: Action = async (context) => {
  const { stratisd, filesystem } = await filesystemOf(context, "snapshot_name");
  const hasOrigin = filesystem.get("Origin", (value) => asOptional(value, asText)) !== null;
  // Without an origin the daemon has the better explanation of why there is nothing to cancel.
  if (hasOrigin && !filesystem.get("MergeScheduled", asFlag))
    throw new UnintendedCommandError("Filesystem is not currently scheduled for a revert operation");
  await stratisd.set(filesystem.target, "MergeScheduled", "b", false);
};
