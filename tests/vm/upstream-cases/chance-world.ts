/** What clients see of the pools, and the carrying out of operations that were drawn, by the daemon that runs. */
import { setTimeout as sleep } from "node:timers/promises";
import { Variant } from "dbus-next";
import { callStratis, managedObjects, managerProperty, run, until } from "../cases/support";
import { STRATIS_TOP, SystemBus, type ManagedObjects } from "../guest/bus";
import { disk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import { legacyPoolCommand } from "../guest/upstream";
import { POOLS, type Operation } from "./chance-operations";

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
}
const stoppedPools = async (): Promise<Stopped[]> =>
  Object.values((await managerProperty("r9", "StoppedPools")) as Record<string, Stopped>);

const text = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? `${part}` : part));

/** Lines about all objects and all stopped pools, sorted, in terms of names. */
export async function seen(): Promise<string[]> {
  const objects = await managedObjects();
  const lines = [POOL, FILESYSTEM, BLOCKDEV].flatMap((kind) =>
    objectsOf(objects, kind).map(({ properties }) => {
      const told = Object.entries(properties).filter(([name]) => !LEFT_OUT.includes(name));
      const pool = objects[String(properties["Pool"])]?.[POOL]?.["Name"];
      const [, origin] = (properties["Origin"] ?? []) as [boolean?, string?];
      const known = objectsOf(objects, FILESYSTEM).find((other) => other.properties["Uuid"] === origin);
      told.push(["pool", pool], ["origin", known?.properties["Name"]]);
      return `${kind} ${text(Object.fromEntries(told.sort()))}`;
    }),
  );
  for (const { name, devs } of await stoppedPools())
    lines.push(
      `stopped ${name ?? ""}: ${devs
        .map(({ devnode }) => devnode)
        .sort()
        .join(" ")}`,
    );
  return lines.sort();
}

const poolNames = async (): Promise<string> =>
  text(
    objectsOf(await managedObjects(), POOL)
      .map(({ properties }) => properties["Name"])
      .sort(),
  );

async function pathOf(pool: string, filesystem?: string): Promise<string> {
  const objects = await managedObjects();
  const found = objectsOf(objects, POOL).find(({ properties }) => properties["Name"] === pool);
  if (filesystem === undefined) return found?.path ?? NOWHERE;
  const named = objectsOf(objects, FILESYSTEM).find(
    ({ properties }) => properties["Name"] === filesystem && properties["Pool"] === found?.path,
  );
  return named?.path ?? NOWHERE;
}

/** What a client has to act on: whether it went well, and whether anything was changed. */
const gist = (code: number, result: unknown): string =>
  `code ${code}, ${text(result)
    .replace(/[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}/g, "(uuid)")
    .replace(/\/org\/storage\/stratis3\/\d+/g, "(path)")}`;

async function method(
  path: string,
  iface: string,
  member: string,
  signature: string,
  body: unknown[],
): Promise<string> {
  try {
    const { code, result } = await callStratis(path, iface, member, signature, body);
    return gist(code, result);
  } catch {
    // Which error it is for an object that is not there is compared elsewhere (tests/compat/trace).
    return "an error";
  }
}

async function set(path: string, iface: string, name: string, value: Variant<unknown>): Promise<string> {
  const bus = await SystemBus.open();
  try {
    await bus.call(path, "org.freedesktop.DBus.Properties", "Set", "ssv", [iface, name, value]);
    return "set";
  } catch {
    return "refused";
  } finally {
    await bus.close();
  }
}

const optional = (value: string | null): [boolean, string] => [value !== null, value ?? ""];
const paths = (serials: readonly string[]): Promise<string[]> => Promise.all(serials.map(disk));

/** Which daemon does it, and what pools it makes. */
export interface World {
  readonly version: 1 | 2;
  /** Ends the daemon and starts it again. */
  readonly restart: () => Promise<void>;
}

/**
 * Made beside the daemon, which takes the pool over when it sees the devices. Not with a name that is taken: the program
 * does not know of names, and which of two pools is found first would be chance.
 */
async function createLegacyPool(pool: string, devices: string[]): Promise<string> {
  const names = [
    ...(await stoppedPools()).map(({ name }) => name),
    ...(JSON.parse(await poolNames()) as string[]),
  ];
  if (names.includes(pool)) return "not asked";
  const { status } = await run("sh", [
    "-c",
    `echo Yes | ${[legacyPoolCommand("ours"), pool, ...devices].join(" ")}`,
  ]);
  if (status === 0)
    await until(
      "the daemon knows the devices",
      async () => {
        const known = text(await seen());
        return devices.every((device) => known.includes(`${device}\\"`) || known.includes(`${device} `));
      },
      KNOWN_MILLISECONDS,
    ).catch(() => undefined);
  await udevSettled();
  return `status ${String(status)}`;
}

/** After a restart: stratisd 3.9.2 has its name before it answers, and answers before it has its pools. */
async function answersAgain(names: string): Promise<void> {
  await until("the daemon answers", async () => {
    const bus = await SystemBus.open(ANSWER_MILLISECONDS);
    return bus
      .get(STRATIS_TOP, MANAGER, "Version")
      .then(() => true)
      .catch(() => false)
      .finally(() => bus.close());
  });
  await until("its pools are there", async () => (await poolNames()) === names);
}

/** The gist of the daemon's answer. */
export async function carryOut(operation: Operation, { version, restart }: World): Promise<string> {
  switch (operation.does) {
    case "create pool": {
      const devices = await paths(operation.disks);
      if (version === 1) return createLegacyPool(operation.pool, devices);
      return method(STRATIS_TOP, MANAGER, "CreatePool", "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)", [
        ...[operation.pool, devices, [], []],
        ...[[false, 0n], optional(null), [false, false]],
      ]);
    }
    case "destroy pool":
      return method(STRATIS_TOP, MANAGER, "DestroyPool", "o", [await pathOf(operation.pool)]);
    case "stop pool":
      return method(STRATIS_TOP, MANAGER, "StopPool", "ss", [operation.pool, "name"]);
    case "start pool":
      return method(STRATIS_TOP, MANAGER_R7, "StartPool", "ss(bs)", [operation.pool, "name", [false, "Any"]]);
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
      const value = new Variant<unknown>("(bs)", optional(operation.limit));
      return set(await pathOf(operation.pool, operation.name), FILESYSTEM, "SizeLimit", value);
    }
    case "schedule merge": {
      const value = new Variant<unknown>("b", operation.wanted);
      return set(await pathOf(operation.pool, operation.name), FILESYSTEM, "MergeScheduled", value);
    }
    case "overprovisioning": {
      const value = new Variant<unknown>("b", operation.wanted);
      return set(await pathOf(operation.pool), POOL, "Overprovisioning", value);
    }
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
  for (let round = 0; round < DESTROY_ROUNDS; round += 1) {
    for (const pool of POOLS) await carryOut({ does: "start pool", pool }, world);
    const objects = await managedObjects();
    for (const { path, properties } of objectsOf(objects, FILESYSTEM))
      if (properties["MergeScheduled"] === true)
        await set(path, FILESYSTEM, "MergeScheduled", new Variant<unknown>("b", false));
    for (const { path } of objectsOf(objects, POOL)) {
      const filesystems = objectsOf(objects, FILESYSTEM)
        .filter(({ properties }) => properties["Pool"] === path)
        .map((found) => found.path);
      if (filesystems.length > 0) await method(path, POOL, "DestroyFilesystems", "ao", [filesystems]);
      await method(STRATIS_TOP, MANAGER, "DestroyPool", "o", [path]);
    }
    if ((await seen()).length === 0) return;
    await sleep(SETTLE_MILLISECONDS);
  }
  throw new Error(`Not all could be destroyed:\n${(await seen()).join("\n")}`);
}
