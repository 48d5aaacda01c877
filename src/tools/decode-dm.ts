/** From the device-mapper node of a filesystem to what people call it (system.md §21.1). */
import { ManagedObjects } from "../../cli/managed-objects";
import type { ObjectKind } from "../../cli/errors";
import { asText } from "../../cli/values";
import { hyphenated, parseUuid, simpleUuid, type FilesystemUuid, type PoolUuid } from "../uuid";
import { ToolError } from "./tool";

export const OUTPUTS = ["filesystem-name", "pool-name", "symlink"] as const;
export type Wanted = (typeof OUTPUTS)[number];

/** What the name of a filesystem's device-mapper device tells. */
export interface FilesystemDevice {
  pool: PoolUuid;
  filesystem: FilesystemUuid;
}

/** Throws ToolError for a path that is not that of a Stratis filesystem's device-mapper node. */
export function parseDevicePath(path: string): FilesystemDevice {
  const [dev, mapper, name, ...more] = path.split("/").filter((part) => part !== "" && part !== ".");
  if (!path.startsWith("/") || dev !== "dev" || mapper !== "mapper" || name === undefined || more.length > 0)
    throw new ToolError(
      `error decomposing Stratis filesystem devicemapper path: "${path}" is not of the form /dev/mapper/NAME`,
    );
  const [stratis, version, pool, thin, fs, filesystem, ...rest] = name.split("-");
  if ([stratis, version, thin, fs].join("-") !== "stratis-1-thin-fs" || rest.length > 0)
    throw new ToolError(
      `error parsing Stratis filesystem devicemapper name "${name}": it is not of the form ` +
        "stratis-1-POOL_UUID-thin-fs-FILESYSTEM_UUID",
    );
  return {
    pool: uuidIn(name, pool) as PoolUuid,
    filesystem: uuidIn(name, filesystem) as FilesystemUuid,
  };
}

function uuidIn(name: string, text = ""): string {
  const uuid = parseUuid(text);
  if (uuid === null)
    throw new ToolError(
      `error parsing Stratis filesystem devicemapper name "${name}": "${text}" is not a UUID`,
    );
  return uuid;
}

/** The name of the object of a kind that has this UUID, in digits only; undefined when there is none. */
function nameOf(objects: ManagedObjects, kind: ObjectKind, digits: string): string | undefined {
  return objects
    .all(kind)
    .find((object) => object.maybe("Uuid", asText) === digits)
    ?.maybe("Name", asText);
}

function requiredName(objects: ManagedObjects, kind: "pool" | "filesystem", digits: string): string {
  const name = nameOf(objects, kind, digits);
  if (name === undefined) throw new ToolError(`Name for ${kind} with UUID ${hyphenated(digits)} not found`);
  return name;
}

/**
 * The text to print. `managed` is what GetManagedObjects returned. Throws ToolError when stratisd does not know the
 * pool or the filesystem, as far as the text needs them.
 */
export function decode(device: FilesystemDevice, wanted: Wanted, managed: unknown): string {
  const objects = new ManagedObjects(managed);
  const pool = (): string => requiredName(objects, "pool", simpleUuid(device.pool));
  const filesystem = (): string => requiredName(objects, "filesystem", simpleUuid(device.filesystem));
  switch (wanted) {
    case "pool-name":
      return pool();
    case "filesystem-name":
      return filesystem();
    case "symlink":
      return `/dev/stratis/${pool()}/${filesystem()}`;
  }
}
