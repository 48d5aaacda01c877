/**
 * Checks that stratisd makes when it is asked for a change, as far as they need nothing but what can be known here: for
 * --dry-run. Unless it says otherwise each throws UnintendedCommandError.
 */
import { closeSync } from "node:fs";
import { checkDestroy, checkSchedule, type OriginAndMerge } from "../../src/engine/revert";
import { validateFilesystemSize, validateName } from "../../src/engine/validation";
import { filesystemUuid } from "../../src/uuid";
import { openKeyfile } from "../actions/key-source";
import { messageOf, resourceNotFound, UnintendedCommandError } from "../errors";
import { formatSize } from "../format/size";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { MANAGER } from "../names";
import type { Values } from "../parser/values";
import type { Stratisd } from "../stratisd";
import { asFlag, asInteger, asItems, asOptional, asText } from "../values";

export { checkDevices, checkNotMounted } from "./dry-run-machine";

/** Makes a check of the engine. */
function engineCheck(check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw new UnintendedCommandError(messageOf(error), { cause: error });
  }
}

const nameOf = (object: ManagedObject): string => object.get("Name", asText);

const filesystemsOf = (objects: ManagedObjects, pool: ManagedObject): ManagedObject[] =>
  objects.matching("filesystem", { Pool: pool.path });

/** The name must be one that a pool or filesystem may have. */
export function checkName(name: string): void {
  engineCheck(() => {
    validateName(name);
  });
}

/** Sizes in bytes of a filesystem and of what it is not to grow beyond; undefined: not given. */
export function checkSizes(size: bigint | undefined, limit: bigint | undefined): void {
  if (size !== undefined) engineCheck(() => validateFilesystemSize(size, "A filesystem size"));
  if (limit === undefined) return;
  engineCheck(() => validateFilesystemSize(limit, "A filesystem size limit"));
  if (size !== undefined && limit < size)
    throw new UnintendedCommandError(
      `The size limit, ${formatSize(limit)}, is less than the filesystem's size, ${formatSize(size)}`,
    );
}

/**
 * The pool must not be in a state in which it refuses such a change. Properties of the pool itself can still be changed
 * in one in which filesystems, devices and bindings cannot.
 */
export function checkAvailable(pool: ManagedObject, what: "pool" | "content"): void {
  const state = pool.maybe("AvailableActions", asText);
  if (state === "no_pool_changes" || (state === "no_ipc_requests" && what === "content"))
    throw new UnintendedCommandError(`The pool ${nameOf(pool)} refuses changes: its state is ${state}`);
}

/** The pool's limit must have room for `more` filesystems. */
export function checkFilesystemLimit(objects: ManagedObjects, pool: ManagedObject, more: number): void {
  const limit = pool.maybe("FsLimit", asInteger);
  const present = filesystemsOf(objects, pool).length;
  if (limit !== undefined && BigInt(present + more) > limit)
    throw new UnintendedCommandError(
      `The pool ${nameOf(pool)} has ${present} filesystems and may have ${limit}, so that ${more} more are not possible`,
    );
}

/** A limit on filesystems can only be raised. */
export function checkLimitRaised(pool: ManagedObject, amount: bigint): void {
  const present = pool.get("FsLimit", asInteger);
  if (amount < present)
    throw new UnintendedCommandError(
      `The filesystem limit of pool ${nameOf(pool)} is ${present}, and can only be raised, not set to ${amount}`,
    );
}

/** No filesystem of the pool may have one of the names. */
export function checkFilesystemNames(
  objects: ManagedObjects,
  pool: ManagedObject,
  names: readonly string[],
): void {
  names.forEach(checkName);
  const existing = filesystemsOf(objects, pool).map(nameOf);
  const taken = names.find((name) => existing.includes(name));
  if (taken !== undefined)
    throw new UnintendedCommandError(`There is a filesystem named ${taken} in pool ${nameOf(pool)} already`);
}

export function checkPoolName(objects: ManagedObjects, name: string): void {
  checkName(name);
  if (objects.matching("pool", { Name: name }).length > 0)
    throw new UnintendedCommandError(`A pool named ${name} already exists`);
}

/** A pool with filesystems is not destroyed. */
export function checkNoFilesystems(objects: ManagedObjects, pool: ManagedObject): void {
  const names = filesystemsOf(objects, pool).map(nameOf);
  if (names.length > 0)
    throw new UnintendedCommandError(`The pool ${nameOf(pool)} has filesystems: ${names.join(", ")}`);
}

/** As the engine's rules about reverts look at a filesystem. */
const relation = (filesystem: ManagedObject): OriginAndMerge => ({
  uuid: filesystemUuid(filesystem.get("Uuid", asText)),
  name: nameOf(filesystem),
  origin: filesystem.get("Origin", (value) => asOptional(value, (uuid) => filesystemUuid(asText(uuid)))),
  mergeScheduled: filesystem.get("MergeScheduled", asFlag),
});

/** None of the filesystems may take part in a scheduled revert. */
export function checkNoRevert(
  objects: ManagedObjects,
  pool: ManagedObject,
  doomed: readonly ManagedObject[],
): void {
  engineCheck(() => {
    checkDestroy(
      filesystemsOf(objects, pool).map(relation),
      new Set(doomed.map((filesystem) => relation(filesystem).uuid)),
    );
  });
}

/** The snapshot must be one whose revert can be scheduled or cancelled. */
export function checkRevert(
  objects: ManagedObjects,
  pool: ManagedObject,
  snapshot: ManagedObject,
  scheduled: boolean,
): void {
  engineCheck(() => checkSchedule(filesystemsOf(objects, pool).map(relation), relation(snapshot), scheduled));
}

/** The pool must have a cache, or must not. */
export function checkCache(pool: ManagedObject, wanted: boolean): void {
  if (pool.get("HasCache", asFlag) !== wanted)
    throw new UnintendedCommandError(
      `The pool ${nameOf(pool)} has ${wanted ? "no cache" : "a cache already"}`,
    );
}

export function checkEncrypted(pool: ManagedObject): void {
  if (!pool.get("Encrypted", asFlag))
    throw new UnintendedCommandError(`The pool ${nameOf(pool)} is not encrypted`);
}

/** If the key is to come from a file, that must be there. */
export function checkKeyfile(values: Values): void {
  const path = values.maybeText("--keyfile-path");
  if (path !== undefined) closeSync(openKeyfile(path));
}

/** The key must have been set in the kernel keyring. */
export async function checkKeySet(stratisd: Stratisd, description: string | undefined): Promise<void> {
  if (description === undefined) return;
  const keys = asItems(await stratisd.request({ interface: MANAGER, member: "ListKeys" })).map(asText);
  if (!keys.includes(description)) throw resourceNotFound("dry run", `key ${description}`);
}
