/** What clients see of the pools, and the carrying out of operations that were drawn, by the daemon that runs. */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  callStratis,
  managedObjects,
  managerProperty,
  run,
  setProperty,
  stratisCommand,
  until,
} from "../cases/support";
import { STRATIS_TOP, SystemBus, type ManagedObjects } from "../guest/bus";
import { disk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import { legacyPoolCommand } from "../guest/upstream";
import { metadataShape } from "./chance-metadata";
import { KEYS, POOLS, type Operation } from "./chance-operations";

const [MANAGER, POOL, FILESYSTEM, BLOCKDEV] = ["Manager", "pool", "filesystem", "blockdev"].map(
  (kind) => `org.storage.stratis3.${kind}.r9`,
) as [string, string, string, string];
/** The last one whose StartPool takes no descriptor. */
const MANAGER_R7 = "org.storage.stratis3.Manager.r7";
const NOWHERE = `${STRATIS_TOP}/999999`;
/** Of each object; they differ by chance or by the time at which a background check comes. */
const LEFT_OUT = [
  ...["Uuid", "Pool", "Origin", "Created", "InitializationTime"],
  ...["Used", "TotalPhysicalUsed", "AllocatedSize", "NoAllocSpace"],
];
/** Lists whose order stratisd leaves to chance. */
const UNORDERED = ["KeyDescriptions", "ClevisInfos"];
const KEY_FILE = "/run/case-key";
const KNOWN_MILLISECONDS = 20_000;
const ANSWER_MILLISECONDS = 3000;
const DESTROY_ROUNDS = 4;
const SETTLE_MILLISECONDS = 500;

type Properties = Record<string, unknown>;
interface Found {
  path: string;
  properties: Properties;
}

const objectsOf = (objects: ManagedObjects, name: string): Found[] =>
  Object.entries(objects).flatMap(([path, interfaces]) => {
    const properties = interfaces[name];
    return properties === undefined ? [] : [{ path, properties }];
  });

interface Stopped {
  name?: string;
  devs: { devnode: string }[];
  key_description?: unknown;
  metadata_version?: unknown;
  features?: unknown;
}
const stoppedPools = async (): Promise<Stopped[]> =>
  Object.values((await managerProperty("r9", "StoppedPools")) as Record<string, Stopped>);

const text = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}` : part));

const inOrder = (value: unknown): unknown => (Array.isArray(value) ? value.map(text).sort() : value);

/** Lines about what is recorded on disk of the pools that run. */
async function recorded(objects: ManagedObjects): Promise<string[]> {
  const lines: string[] = [];
  const look = async (path: string, member: string, signature: string, body: unknown[]): Promise<void> => {
    const { code, message, result } = await callStratis(path, POOL, member, signature, body);
    lines.push(`${member} ${code === 0 ? metadataShape(String(result)) : message}`);
  };
  for (const { path } of objectsOf(objects, POOL)) {
    await look(path, "Metadata", "b", [false]);
    await look(path, "FilesystemMetadata", "(bs)b", [[false, ""], false]);
  }
  return lines;
}

/** Lines about all objects, all stopped pools and all records, sorted, in terms of names. */
export async function seen(): Promise<string[]> {
  const objects = await managedObjects();
  const lines = [POOL, FILESYSTEM, BLOCKDEV].flatMap((kind) =>
    objectsOf(objects, kind).map(({ properties }) => {
      const told = Object.entries(properties)
        .filter(([name]) => !LEFT_OUT.includes(name))
        .map(([name, value]) => [name, UNORDERED.includes(name) ? inOrder(value) : value]);
      const pool = objects[String(properties["Pool"])]?.[POOL]?.["Name"];
      const [, origin] = (properties["Origin"] ?? []) as [boolean?, string?];
      const known = objectsOf(objects, FILESYSTEM).find((other) => other.properties["Uuid"] === origin);
      told.push(["pool", pool], ["origin", known?.properties["Name"]]);
      return `${kind} ${text(Object.fromEntries(told.sort()))}`;
    }),
  );
  for (const { name, devs, key_description, metadata_version, features } of await stoppedPools()) {
    const nodes = devs.map(({ devnode }) => devnode).sort();
    lines.push(`stopped ${text({ name, nodes, key_description, metadata_version, features })}`);
  }
  lines.push(...(await recorded(objects)));
  return lines.sort();
}

const poolNames = async (): Promise<string[]> =>
  objectsOf(await managedObjects(), POOL)
    .map(({ properties }) => String(properties["Name"]))
    .sort();

async function pathOf(pool: string, filesystem?: string): Promise<string> {
  const objects = await managedObjects();
  const found = objectsOf(objects, POOL).find(({ properties }) => properties["Name"] === pool);
  if (filesystem === undefined) return found?.path ?? NOWHERE;
  const named = objectsOf(objects, FILESYSTEM).find(
    ({ properties }) => properties["Name"] === filesystem && properties["Pool"] === found?.path,
  );
  return named?.path ?? NOWHERE;
}

async function pathOfDevice(devnode: string): Promise<string> {
  const devices = objectsOf(await managedObjects(), BLOCKDEV);
  return devices.find(({ properties }) => properties["Devnode"] === devnode)?.path ?? NOWHERE;
}

/** What a client has to act on: whether it went well, and whether anything was changed. */
const gist = (code: number, result: unknown): string =>
  `code ${code}, ${text(result)
    .replace(/[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}/g, "(uuid)")
    .replace(/\/org\/storage\/stratis3\/\d+/g, "(path)")}`;

type Call = [path: string, iface: string, member: string, signature: string, body: unknown[]];

/** A method of the daemon; what it says of a failure goes to `errors`. */
async function ask(errors: string[], ...call: Call): Promise<string> {
  try {
    const { code, message, result } = await callStratis(...call);
    if (code !== 0) errors.push(message);
    return gist(code, result);
  } catch (error) {
    errors.push(String(error));
    // Which error it is for an object that is not there is compared elsewhere (tests/compat/trace).
    return "an error";
  }
}

async function set(...args: Parameters<typeof setProperty>): Promise<string> {
  try {
    await setProperty(...args);
    return "set";
  } catch {
    return "refused";
  }
}

const optional = (value: string | null): [boolean, string] => [value !== null, value ?? ""];
const optionalSlot = (slot: number | null): [boolean, number] => [slot !== null, slot ?? 0];
const paths = (serials: readonly string[]): Promise<string[]> => Promise.all(serials.map(disk));

/** Its content follows from its description. */
async function setKey(key: string): Promise<string> {
  await writeFile(KEY_FILE, `what is behind ${key}`);
  const { status } = await stratisCommand("key", "set", "--keyfile-path", KEY_FILE, key);
  return `status ${String(status)}`;
}

/** As they are before the first operation. */
export async function prepareKeys(): Promise<void> {
  for (const key of KEYS) await stratisCommand("key", "unset", key);
  for (const key of KEYS.slice(0, -1)) await setKey(key);
}

/** Which daemon does it, and what pools it makes. */
export interface World {
  readonly version: 1 | 2;
  /** Ends the daemon and starts it again. */
  readonly restart: () => Promise<void>;
  /** Gets what daemons say of what failed. */
  readonly errors: string[];
}

/**
 * Made beside the daemon, which takes the pool over when it sees the devices. Not with a name that is taken: the program
 * does not know of names, and which of two pools is found first would be chance.
 */
async function createLegacyPool(pool: string, devices: string[]): Promise<string> {
  const names = [...(await stoppedPools()).map(({ name }) => name), ...(await poolNames())];
  if (names.includes(pool)) return "not asked";
  const { status } = await run("sh", [
    "-c",
    `echo Yes | ${[legacyPoolCommand("ours"), pool, ...devices].join(" ")}`,
  ]);
  if (status === 0) {
    let known: string[] = [];
    await until(
      () => `pool ${pool} runs, but clients see\n${known.join("\n")}`,
      async () => {
        known = await seen();
        return (await poolNames()).includes(pool);
      },
      KNOWN_MILLISECONDS,
    );
  }
  await udevSettled();
  return `status ${String(status)}`;
}

/**
 * After a restart: stratisd 3.9.2 has its name before it answers, answers before it has its pools, and has these before
 * their devices.
 */
async function answersAgain(names: string[]): Promise<void> {
  await until("the daemon answers", async () => {
    const bus = await SystemBus.open(ANSWER_MILLISECONDS);
    return bus
      .get(STRATIS_TOP, MANAGER, "Version")
      .then(() => true)
      .catch(() => false)
      .finally(() => bus.close());
  });
  await until("its pools are there", async () => text(await poolNames()) === text(names));
  let last = "";
  await until("all else is there", async () => {
    const before = last;
    last = text(await seen());
    return last === before;
  });
}

/** The gist of the daemon's answer. */
export async function carryOut(operation: Operation, { version, restart, errors }: World): Promise<string> {
  const method = (...call: Call): Promise<string> => ask(errors, ...call);
  switch (operation.does) {
    case "create pool": {
      const devices = await paths(operation.disks);
      if (version === 1) return createLegacyPool(operation.pool, devices);
      return method(STRATIS_TOP, MANAGER, "CreatePool", "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)", [
        ...[operation.pool, devices, operation.keys.map(({ key, slot }) => [optionalSlot(slot), key]), []],
        ...[[false, 0n], optional(null), [false, false]],
      ]);
    }
    case "destroy pool":
      return method(STRATIS_TOP, MANAGER, "DestroyPool", "o", [await pathOf(operation.pool)]);
    case "stop pool": {
      const ran = (await poolNames()).includes(operation.pool);
      const answer = await method(STRATIS_TOP, MANAGER, "StopPool", "ss", [operation.pool, "name"]);
      // A start that failed leaves devices of stratisd's, which are then something to stop, and none of ours.
      return ran ? answer : answer.replace(/, .*/, "");
    }
    case "start pool":
      return method(STRATIS_TOP, MANAGER_R7, "StartPool", "ss(bs)", [
        ...[operation.pool, "name", [operation.unlock !== null, operation.unlock ?? "Any"]],
      ]);
    case "bind key":
    case "rebind key": {
      const member = operation.does === "bind key" ? "BindKeyring" : "RebindKeyring";
      const wanted = [operation.key, optionalSlot(operation.slot)];
      return method(await pathOf(operation.pool), POOL, member, "s(bu)", wanted);
    }
    case "unbind key":
      return method(await pathOf(operation.pool), POOL, "UnbindKeyring", "(bu)", [
        optionalSlot(operation.slot),
      ]);
    case "set key":
      return setKey(operation.key);
    case "unset key":
      return method(STRATIS_TOP, MANAGER, "UnsetKey", "s", [operation.key]);
    case "rename pool":
      return method(await pathOf(operation.pool), POOL, "SetName", "s", [operation.to]);
    case "add data":
    case "init cache":
    case "add cache": {
      const member = { "add data": "AddDataDevs", "init cache": "InitCache", "add cache": "AddCacheDevs" }[
        operation.does
      ];
      return method(await pathOf(operation.pool), POOL, member, "as", [await paths(operation.disks)]);
    }
    case "create filesystem": {
      const wanted = [operation.name, optional(operation.size), optional(operation.limit)];
      return method(await pathOf(operation.pool), POOL, "CreateFilesystems", "a(s(bs)(bs))", [[wanted]]);
    }
    case "snapshot filesystem":
      return method(await pathOf(operation.pool), POOL, "SnapshotFilesystem", "os", [
        await pathOf(operation.pool, operation.name),
        operation.to,
      ]);
    case "rename filesystem":
      return method(await pathOf(operation.pool, operation.name), FILESYSTEM, "SetName", "s", [operation.to]);
    case "destroy filesystems": {
      const found = await Promise.all(operation.names.map((name) => pathOf(operation.pool, name)));
      return method(await pathOf(operation.pool), POOL, "DestroyFilesystems", "ao", [[...new Set(found)]]);
    }
    case "limit filesystem": {
      const path = await pathOf(operation.pool, operation.name);
      return set(path, FILESYSTEM, "SizeLimit", "(bs)", optional(operation.limit));
    }
    case "limit filesystems":
      return set(await pathOf(operation.pool), POOL, "FsLimit", "t", BigInt(operation.count));
    case "describe device": {
      const path = await pathOfDevice(await disk(operation.disk));
      return set(path, BLOCKDEV, "UserInfo", "(bs)", optional(operation.info));
    }
    case "schedule merge": {
      const path = await pathOf(operation.pool, operation.name);
      return set(path, FILESYSTEM, "MergeScheduled", "b", operation.wanted);
    }
    case "overprovisioning":
      return set(await pathOf(operation.pool), POOL, "Overprovisioning", "b", operation.wanted);
    case "restart": {
      const names = await poolNames();
      await restart();
      await answersAgain(names);
      return "restarted";
    }
  }
}

/** Destroys all pools, so that the disks can be used again; stopped ones of the same name come one after the other. */
export async function destroyAll(world: World): Promise<void> {
  for (const key of KEYS) await setKey(key);
  for (let round = 0; round < DESTROY_ROUNDS; round += 1) {
    for (const unlock of [null, "Any"])
      for (const pool of POOLS) await carryOut({ does: "start pool", pool, unlock }, world);
    const objects = await managedObjects();
    for (const { path, properties } of objectsOf(objects, FILESYSTEM))
      if (properties["MergeScheduled"] === true) await set(path, FILESYSTEM, "MergeScheduled", "b", false);
    for (const { path } of objectsOf(objects, POOL)) {
      const filesystems = objectsOf(objects, FILESYSTEM)
        .filter(({ properties }) => properties["Pool"] === path)
        .map((found) => found.path);
      if (filesystems.length > 0)
        await ask(world.errors, path, POOL, "DestroyFilesystems", "ao", [filesystems]);
      await ask(world.errors, STRATIS_TOP, MANAGER, "DestroyPool", "o", [path]);
    }
    if ((await seen()).length === 0) return;
    await sleep(SETTLE_MILLISECONDS);
  }
  throw new Error(`Not all could be destroyed:\n${[...(await seen()), ...world.errors].join("\n")}`);
}
