/** Commands that change one property of a filesystem (cli.md §7.2). */
import type { Context } from "../context";
import { noChange, UnintendedCommandError } from "../errors";
import type { Json } from "../format/json";
import { formatSize } from "../format/size";
import type { ManagedObject } from "../managed-objects";
import { changing, type Plan } from "../output/change";
import { jsonInteger } from "../output/document";
import { filesystemItem } from "../output/items";
import { CURRENT, size } from "../parser/value-types";
import { asBytes, asFlag, asOptional, asText } from "../values";
import { filesystemOf, sizeArgument, type FilesystemTarget } from "./filesystem-target";
import { changedBy } from "./changed-by";

export const rename = changing(async (context) => {
  const name = context.values.text("new_name");
  const { stratisd, objects, pool, filesystem } = await filesystemOf(context, "fs_name");
  return {
    effects: { changed: [filesystemItem(filesystem, pool, { name })] },
    examine: ({ checkAvailable, checkFilesystemNames }) => {
      checkFilesystemNames(objects, pool, [name]);
      checkAvailable(pool, "content");
    },
    perform: async () => {
      const result = await stratisd.request({
        ...filesystem.target,
        member: "SetName",
        signature: "s",
        body: [name],
      });
      if (!changedBy(result)) throw noChange("rename", name);
      return undefined;
    },
  };
});

interface NewValue {
  readonly property: string;
  readonly signature: string;
  readonly value: unknown;
  /** The field that shows it, and its value there. */
  readonly field: string;
  readonly shown: Json;
}

function setting(
  { stratisd, pool, filesystem }: FilesystemTarget,
  { property, signature, value, field, shown }: NewValue,
  examine?: Plan["examine"],
): Plan {
  return {
    effects: { changed: [filesystemItem(filesystem, pool, { [field]: shown })] },
    examine: async (checks) => {
      await examine?.(checks);
      checks.checkAvailable(pool, "content");
    },
    perform: async () => {
      await stratisd.set(filesystem.target, property, signature, value);
      return undefined;
    },
  };
}

const limitOf = (filesystem: ManagedObject): bigint | null =>
  filesystem.get("SizeLimit", (value) => asOptional(value, asBytes));

const newLimit = (limit: bigint | undefined): NewValue => ({
  property: "SizeLimit",
  signature: "(bs)",
  value: sizeArgument(limit),
  field: "limit",
  shown: limit === undefined ? null : jsonInteger(limit),
});

export const setSizeLimit = changing(async (context) => {
  const word = context.values.text("limit");
  const target = await filesystemOf(context, "fs_name");
  const { filesystem } = target;
  const limit = word === CURRENT ? filesystem.get("Size", asBytes) : size(word);
  if (limitOf(filesystem) === limit)
    throw new UnintendedCommandError(
      `Filesystem size limit is exactly ${word === CURRENT ? formatSize(limit) : word}`,
    );
  return setting(target, newLimit(limit), ({ checkSizes }) => {
    checkSizes(filesystem.get("Size", asBytes), limit);
  });
});

export const unsetSizeLimit = changing(async (context) => {
  const target = await filesystemOf(context, "fs_name");
  if (limitOf(target.filesystem) === null)
    throw new UnintendedCommandError("Filesystem size limit is not set");
  return setting(target, newLimit(undefined));
});

function revert(target: FilesystemTarget, scheduled: boolean): Plan {
  const change = {
    property: "MergeScheduled",
    signature: "b",
    value: scheduled,
    field: "revert_scheduled",
    shown: scheduled,
  };
  return setting(target, change, ({ checkRevert }) => {
    checkRevert(target.objects, target.pool, target.filesystem, scheduled);
  });
}

const snapshotOf = (context: Context): Promise<FilesystemTarget> => filesystemOf(context, "snapshot_name");

export const scheduleRevert = changing(async (context) => {
  const target = await snapshotOf(context);
  if (target.filesystem.get("MergeScheduled", asFlag))
    throw new UnintendedCommandError("Filesystem is already scheduled for a revert operation");
  return revert(target, true);
});

export const cancelRevert = changing(async (context) => {
  const target = await snapshotOf(context);
  const { filesystem } = target;
  const hasOrigin = filesystem.get("Origin", (value) => asOptional(value, asText)) !== null;
  // Without an origin the daemon has the better explanation of why there is nothing to cancel.
  if (hasOrigin && !filesystem.get("MergeScheduled", asFlag))
    throw new UnintendedCommandError("Filesystem is not currently scheduled for a revert operation");
  return revert(target, false);
});
