/** Commands that make and destroy filesystems (cli.md §7.2). */
import { IncoherenceError, noChange, partialChange, PartlyDoneError } from "../errors";
import type { ManagedObject } from "../managed-objects";
import { changing } from "../output/change";
import { filesystemItem, itemText, type Item } from "../output/items";
import type { Progress } from "../output/progress";
import type { Stratisd } from "../stratisd";
import { asFlag, asItems, asPair, asText } from "../values";
import { filesystemOf, namesIn, poolOf, sizeArgument } from "./filesystem-target";
import { filesystemLoss } from "./losses";
import { changedBy } from "./changed-by";

/** The daemon makes one filesystem at a time. What was done before a failure is told. */
async function oneByOne(
  items: readonly Item[],
  progress: Progress,
  make: (item: Item) => Promise<string>,
): Promise<Item[]> {
  const created: Item[] = [];
  for (const item of items) {
    progress.step(created.length, items.length, itemText(item));
    try {
      created.push({ ...item, object: await make(item) });
    } catch (error) {
      if (created.length === 0) throw error;
      const earlier = created.map(({ name }) => name ?? "").join(", ");
      throw new PartlyDoneError(
        `These filesystems were created: ${earlier}. Then ${item.name ?? ""} was not:`,
        error,
        { created },
      );
    }
  }
  return created;
}

const incoherent = (action: string, pool: string): IncoherenceError =>
  new IncoherenceError(
    `Expected to ${action} the specified filesystems in pool ${pool} but stratisd reports that it did not actually ` +
      `${action} some or all of them`,
  );

const newItems = (names: readonly string[], pool: ManagedObject): Item[] =>
  names.map((name) => ({ kind: "filesystem", name, pool: pool.maybe("Name", asText) }));

export const create = changing(async (context) => {
  const { values } = context;
  const names = [...new Set(values.texts("fs_name"))];
  const target = await poolOf(context);
  const { stratisd, objects, pool } = target;
  const existing = namesIn(target);
  const unchanged = names.filter((name) => existing.has(name));
  if (unchanged.length > 0)
    throw partialChange(
      "create",
      names.filter((name) => !existing.has(name)),
      unchanged,
    );
  const size = values.maybeInteger("--size");
  const limit = values.maybeInteger("--size-limit");
  const items = newItems(names, pool);
  const make = async ({ name }: Item): Promise<string> => {
    const result = await stratisd.request({
      ...pool.target,
      member: "CreateFilesystems",
      signature: "a(s(bs)(bs))",
      body: [[[name, sizeArgument(size), sizeArgument(limit)]]],
    });
    const [changed, created] = asPair(result);
    const [first] = asItems(created);
    if (!asFlag(changed) || first === undefined) throw incoherent("create", values.text("pool_name"));
    return asText(asPair(first)[0]);
  };
  return {
    effects: { created: items },
    examine: ({ checkAvailable, checkFilesystemLimit, checkFilesystemNames, checkSizes }) => {
      checkFilesystemNames(objects, pool, names);
      checkSizes(size, limit);
      checkFilesystemLimit(objects, pool, names.length);
      checkAvailable(pool, "content");
    },
    perform: async (progress) => ({ effects: { created: await oneByOne(items, progress, make) } }),
  };
});

/** `filesystems` must not be empty, and be of the pool. */
export async function destroyFilesystems(
  stratisd: Stratisd,
  pool: ManagedObject,
  filesystems: readonly ManagedObject[],
  poolName: string,
): Promise<void> {
  const result = await stratisd.request({
    ...pool.target,
    member: "DestroyFilesystems",
    signature: "ao",
    body: [filesystems.map(({ path }) => path)],
  });
  const [changed, destroyed] = asPair(result);
  if (!asFlag(changed) || asItems(destroyed).length < filesystems.length)
    throw incoherent("destroy", poolName);
}

export const destroy = changing(async (context) => {
  const { values } = context;
  const names = [...new Set(values.texts("fs_name"))];
  const target = await poolOf(context);
  const { stratisd, objects, pool } = target;
  const existing = namesIn(target);
  const missing = names.filter((name) => !existing.has(name));
  if (missing.length > 0)
    throw partialChange(
      "destroy",
      names.filter((name) => existing.has(name)),
      missing,
    );
  const filesystems = names.flatMap((name) => existing.get(name) ?? []);
  return {
    effects: { removed: filesystems.map((filesystem) => filesystemItem(filesystem, pool)) },
    examine: async ({ checkAvailable, checkNoRevert, checkNotMounted }) => {
      checkNoRevert(objects, pool, filesystems);
      checkAvailable(pool, "content");
      await checkNotMounted(filesystems);
    },
    loss: () => filesystemLoss(pool, filesystems),
    perform: async () => {
      await destroyFilesystems(stratisd, pool, filesystems, values.text("pool_name"));
      return undefined;
    },
  };
});

export const snapshot = changing(async (context) => {
  const { values } = context;
  const names = [...new Set([values.text("snapshot_name"), ...values.texts("--also")])];
  const { stratisd, objects, pool, filesystem } = await filesystemOf(context, "origin_name");
  const items = newItems(names, pool);
  const make = async ({ name = "" }: Item): Promise<string> => {
    const result = await stratisd.request({
      ...pool.target,
      member: "SnapshotFilesystem",
      signature: "os",
      body: [filesystem.path, name],
    });
    if (!changedBy(result)) throw noChange("snapshot", name);
    return asText(asPair(result)[1]);
  };
  return {
    effects: { created: items },
    examine: ({ checkAvailable, checkFilesystemLimit, checkFilesystemNames }) => {
      checkFilesystemNames(objects, pool, names);
      checkFilesystemLimit(objects, pool, names.length);
      checkAvailable(pool, "content");
    },
    perform: async (progress) => ({ effects: { created: await oneByOne(items, progress, make) } }),
  };
});
