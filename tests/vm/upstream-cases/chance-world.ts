/** Operations that were drawn, carried out by the daemon that runs. */
import { writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import {
  callStratis,
  managedObjects,
  objectsOf,
  run,
  setProperty,
  stratisCommand,
  until,
} from "../cases/support";
import { STRATIS_TOP, SystemBus } from "../guest/bus";
import { disk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import { legacyPoolCommand } from "../guest/upstream";
import { KEYS, POOLS, type Operation } from "./chance-operations";
import {
  BLOCKDEV,
  FILESYSTEM,
  pathOf,
  pathOfDevice,
  POOL,
  poolNames,
  seen,
  stoppedPools,
  text,
} from "./chance-picture";

const MANAGER = "org.storage.stratis3.Manager.r9";
/** The last one whose StartPool takes no descriptor. */
const MANAGER_R7 = "org.storage.stratis3.Manager.r7";
const KEY_FILE = "/run/case-key";
const KNOWN_MILLISECONDS = 20_000;
const ANSWER_MILLISECONDS = 3000;
const DESTROY_ROUNDS = 4;
const SETTLE_MILLISECONDS = 500;

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

/** `unlock`: by which method; null: it is not to be unlocked. */
const startPool = (errors: string[], pool: string, unlock: string | null): Promise<string> =>
  ask(errors, STRATIS_TOP, MANAGER_R7, "StartPool", "ss(bs)", [
    ...[pool, "name", [unlock !== null, unlock ?? "Any"]],
  ]);

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
async function createLegacyPool(pool: string, devices: string[], key: string | undefined): Promise<string> {
  const stopped = async (): Promise<boolean> => (await stoppedPools()).some(({ name }) => name === pool);
  const runs = async (): Promise<boolean> => (await poolNames()).includes(pool);
  if ((await stopped()) || (await runs())) return "not asked";
  const command = [
    legacyPoolCommand("ours"),
    pool,
    ...devices,
    ...(key === undefined ? [] : ["--key-desc", key]),
  ];
  const { status } = await run("sh", ["-c", `echo Yes | ${command.join(" ")}`]);
  if (status === 0) {
    let known: string[] = [];
    await until(
      () => `pool ${pool} runs, but clients see\n${known.join("\n")}`,
      async () => {
        known = await seen();
        // One with encrypted devices may be found locked.
        if (key !== undefined && (await stopped())) await startPool([], pool, "Any");
        return runs();
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
      if (version === 1) return createLegacyPool(operation.pool, devices, operation.keys[0]?.key);
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
      return startPool(errors, operation.pool, operation.unlock);
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
    for (const unlock of [null, "Any"]) for (const pool of POOLS) await startPool(world.errors, pool, unlock);
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
