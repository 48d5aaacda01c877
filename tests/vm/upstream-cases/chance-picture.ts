/** What clients see of the pools, in terms of names, and where the objects are. */
import { callStratis, managedObjects, managerProperty, objectsOf } from "../cases/support";
import { STRATIS_TOP, type ManagedObjects } from "../guest/bus";
import { metadataShape } from "./chance-metadata";

export const POOL = "org.storage.stratis3.pool.r9";
export const FILESYSTEM = "org.storage.stratis3.filesystem.r9";
export const BLOCKDEV = "org.storage.stratis3.blockdev.r9";
/** Where there is no object. */
const NOWHERE = `${STRATIS_TOP}/999999`;
/** Of each object; they differ by chance or by the time at which a background check comes. */
const LEFT_OUT = [
  ...["Uuid", "Pool", "Origin", "Created", "InitializationTime"],
  ...["Used", "TotalPhysicalUsed", "AllocatedSize", "NoAllocSpace"],
];
/** Lists whose order stratisd leaves to chance. */
const UNORDERED = ["KeyDescriptions", "ClevisInfos"];

interface Stopped {
  name?: string;
  devs: { devnode: string }[];
  key_description?: unknown;
  metadata_version?: unknown;
  features?: unknown;
}
export const stoppedPools = async (): Promise<Stopped[]> =>
  Object.values((await managerProperty("r9", "StoppedPools")) as Record<string, Stopped>);

export const text = (value: unknown): string =>
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

export const poolNames = async (): Promise<string[]> =>
  objectsOf(await managedObjects(), POOL)
    .map(({ properties }) => String(properties["Name"]))
    .sort();

export async function pathOf(pool: string, filesystem?: string): Promise<string> {
  const objects = await managedObjects();
  const found = objectsOf(objects, POOL).find(({ properties }) => properties["Name"] === pool);
  if (filesystem === undefined) return found?.path ?? NOWHERE;
  const named = objectsOf(objects, FILESYSTEM).find(
    ({ properties }) => properties["Name"] === filesystem && properties["Pool"] === found?.path,
  );
  return named?.path ?? NOWHERE;
}

export async function pathOfDevice(devnode: string): Promise<string> {
  const devices = objectsOf(await managedObjects(), BLOCKDEV);
  return devices.find(({ properties }) => properties["Devnode"] === devnode)?.path ?? NOWHERE;
}
