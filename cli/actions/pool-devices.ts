/** Commands that give a pool more space (cli.md §7.1, §7.2). */
import type { Action, Context } from "../context";
import {
  IncoherenceError,
  partialChange,
  resourceNotFound,
  UnintendedCommandError,
  type TierName,
} from "../errors";
import { hyphenated } from "../format/uuid";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { changing, type Done, type Plan } from "../output/change";
import { jsonInteger } from "../output/document";
import { blockdevItem, newDevices, type Item } from "../output/items";
import { blockdevs } from "../parser/shared";
import type { Stratisd } from "../stratisd";
import { asBytes, asFlag, asItems, asOptional, asPair, asText } from "../values";
import { checkNotInUse, requestedPaths } from "./devices-in-use";

/** The devnodes of the devices that were added, for the message about those that were not. */
async function devnodes(stratisd: Stratisd, paths: readonly string[]): Promise<string[]> {
  const devices = (await stratisd.managedObjects()).all("block device");
  return devices.filter(({ path }) => paths.includes(path)).map((device) => device.get("Devnode", asText));
}

async function addDevices(
  stratisd: Stratisd,
  pool: ManagedObject,
  member: "AddDataDevs" | "AddCacheDevs" | "InitCache",
  paths: readonly string[],
): Promise<Done> {
  const [changed, result] = asPair(
    await stratisd.request({ ...pool.target, member, signature: "as", body: [paths] }),
  );
  const added = asItems(result).map(asText);
  if (asFlag(changed) && added.length >= paths.length)
    return { effects: { created: newDevices(result, pool.get("Name", asText)) } };
  const addedNodes = await devnodes(stratisd, added);
  throw new IncoherenceError(
    "Expected to add the specified blockdevs to the pool but stratisd reports that it did not add some or all of " +
      `them; devices added: (${addedNodes.join(", ")}), devices requested: (${paths.join(", ")})`,
  );
}

interface Request {
  readonly stratisd: Stratisd;
  readonly objects: ManagedObjects;
  readonly name: string;
  readonly paths: readonly string[];
}

async function requestOf({ values, stratisd: connect }: Context): Promise<Request> {
  const paths = requestedPaths(values.texts(blockdevs.name));
  const stratisd = await connect();
  return { stratisd, objects: await stratisd.managedObjects(), name: values.text("pool_name"), paths };
}

function addition(
  { stratisd, paths }: Request,
  pool: ManagedObject,
  member: "AddDataDevs" | "AddCacheDevs" | "InitCache",
): Plan {
  const name = pool.maybe("Name", asText);
  return {
    effects: { created: paths.map((device) => ({ kind: "block device", device, pool: name })) },
    examine: async ({ checkAvailable, checkCache, checkDevices }) => {
      if (member !== "AddDataDevs") checkCache(pool, member === "AddCacheDevs");
      checkAvailable(pool, "content");
      await checkDevices(paths);
    },
    perform: () => addDevices(stratisd, pool, member, paths),
  };
}

const add = (member: "AddDataDevs" | "AddCacheDevs", tier: TierName): Action =>
  changing(async (context) => {
    const request = await requestOf(context);
    const { objects, name, paths } = request;
    await checkNotInUse(objects, paths, tier, name);
    return addition(request, objects.pool(name), member);
  });

export const addData = add("AddDataDevs", "DATA");
export const addCache = add("AddCacheDevs", "CACHE");

export const initCache = changing(async (context) => {
  const request = await requestOf(context);
  const { objects, name, paths } = request;
  const pool = objects.pool(name);
  if (pool.get("HasCache", asFlag)) throw new UnintendedCommandError("Pool already has an initialized cache");
  await checkNotInUse(objects, paths, "CACHE", name);
  return addition(request, pool, "InitCache");
});

const uuidOf = (device: ManagedObject): string => device.get("Uuid", asText);

/** A device that stratisd has seen to be larger than what is recorded of it. */
function hasGrown(device: ManagedObject): boolean {
  const observed = device.get("NewPhysicalSize", (value) => asOptional(value, asBytes));
  return observed !== null && observed > device.get("TotalPhysicalSize", asBytes);
}

/** The UUIDs of the devices to extend; `wanted` empty means all that have grown. */
function devicesToExtend(devices: readonly ManagedObject[], wanted: readonly string[]): string[] {
  const known = devices.map(uuidOf);
  const missing = wanted.filter((uuid) => !known.includes(uuid));
  if (missing.length > 0)
    throw resourceNotFound("extend-data", `devices with UUIDs ${missing.map(hyphenated).join(", ")}`);
  const grown = devices.filter(hasGrown).map(uuidOf);
  const unchanged = wanted.filter((uuid) => !grown.includes(uuid));
  if (unchanged.length > 0)
    throw partialChange(
      "extend-data",
      wanted.filter((uuid) => grown.includes(uuid)).map(hyphenated),
      unchanged.map(hyphenated),
    );
  if (grown.length === 0)
    throw new UnintendedCommandError(
      "None of the pool's devices seems to have increased in size; the pool's allocatable space would not be changed.",
    );
  return wanted.length === 0 ? grown : [...wanted];
}

async function extend(stratisd: Stratisd, pool: ManagedObject, uuid: string): Promise<void> {
  const result = await stratisd.request({
    ...pool.target,
    member: "GrowPhysicalDevice",
    signature: "s",
    body: [uuid],
  });
  if (!asFlag(result))
    throw new IncoherenceError(
      `Expected to extend the pool's data device with UUID ${hyphenated(uuid)} but stratisd reports that no ` +
        "action was taken",
    );
}

function extensionItem(device: ManagedObject, pool: ManagedObject): Item {
  const observed = device.get("NewPhysicalSize", (value) => asOptional(value, asBytes));
  return blockdevItem(device, pool, observed === null ? undefined : { size: jsonInteger(observed) });
}

export const extendData = changing(async ({ values, stratisd: connect }) => {
  const wanted = [...new Set(values.texts("--device-uuid"))];
  const stratisd = await connect();
  const objects = await stratisd.managedObjects();
  const pool = objects.pool(values.text("pool_name"));
  const devices = objects.matching("block device", { Pool: pool.path });
  const uuids = devicesToExtend(devices, wanted);
  const chosen = devices.filter((device) => uuids.includes(uuidOf(device)));
  return {
    effects: {
      changed: chosen.map((device) => extensionItem(device, pool)),
      unchanged: devices
        .filter((device) => !chosen.includes(device))
        .map((device) => blockdevItem(device, pool)),
    },
    examine: ({ checkAvailable }) => {
      checkAvailable(pool, "content");
    },
    perform: async (progress) => {
      for (const [index, uuid] of uuids.entries()) {
        progress.step(index, uuids.length, `device ${hyphenated(uuid)}`);
        await extend(stratisd, pool, uuid);
      }
      return undefined;
    },
  };
});
