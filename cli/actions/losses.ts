/** What would be lost, in the words of the question before it (cli.md §20). */
import { formatMaybeSize } from "../format/size";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { mountPoints } from "../mounts";
import { asBytes, asText } from "../values";
import { maybeSize, orUnknown } from "./shared";

const nameOf = (object: ManagedObject): string => orUnknown(object.maybe("Name", asText));

/** One line each: name, space, where it is mounted. */
async function filesystemLines(filesystems: readonly ManagedObject[]): Promise<string[]> {
  const mountedAt = await mountPoints();
  return Promise.all(
    filesystems.map(async (filesystem) => {
      const device = filesystem.maybe("Devnode", asText);
      const places = device === undefined ? undefined : await mountedAt(device);
      const mounted = places === undefined || places.length === 0 ? "" : `, mounted at ${places.join(", ")}`;
      return `  ${nameOf(filesystem)}: ${formatMaybeSize(maybeSize(filesystem, "Used"))} used${mounted}`;
    }),
  );
}

const devicesOf = (objects: ManagedObjects, pool: ManagedObject): ManagedObject[] =>
  objects.all("block device").filter((device) => device.maybe("Pool", asText) === pool.path);

const deviceLines = (devices: readonly ManagedObject[]): string[] =>
  devices.map(
    (device) =>
      `  ${orUnknown(device.maybe("PhysicalPath", asText))}: ${formatMaybeSize(device.maybe("TotalPhysicalSize", asBytes))}`,
  );

export const poolLoss = async (
  objects: ManagedObjects,
  pool: ManagedObject,
  filesystems: readonly ManagedObject[],
): Promise<string[]> => [
  `Pool "${nameOf(pool)}" will be destroyed. These devices will be wiped:`,
  ...deviceLines(devicesOf(objects, pool)),
  ...(filesystems.length === 0 ? [] : ["These filesystems will be destroyed, with all data on them:"]),
  ...(await filesystemLines(filesystems)),
];

export const filesystemLoss = async (
  pool: ManagedObject,
  filesystems: readonly ManagedObject[],
): Promise<string[]> => [
  `These filesystems of pool "${nameOf(pool)}" will be destroyed, with all data on them:`,
  ...(await filesystemLines(filesystems)),
];

/** `pool` in words. */
export const cacheLoss = (pool: string): string[] => [
  `The cache of the ${pool} will be removed, and the devices that it is on will be wiped.`,
];

export const encryptionLoss = (objects: ManagedObjects, pool: ManagedObject): string[] => [
  `All data of pool "${nameOf(pool)}" will be stored without encryption on:`,
  ...deviceLines(devicesOf(objects, pool)),
  "Its bindings to keys and to Clevis will be removed.",
];
