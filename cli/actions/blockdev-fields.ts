/** The fields of a block device (parser/fields.ts). */
import { UnexpectedValueError } from "../errors";
import type { ManagedObject } from "../managed-objects";
import type { Getters } from "../output/fields";
import type { BLOCKDEVS } from "../parser/fields";
import { asBytes, asInteger, asOptional, asText } from "../values";

export interface BlockdevRow {
  readonly device: ManagedObject;
  readonly poolName: string | undefined;
}

const TIERS: ReadonlyMap<bigint | undefined, string> = new Map([
  [0n, "data"],
  [1n, "cache"],
]);

/** null when the device still has the size that is recorded. */
function newSize(device: ManagedObject): bigint | null | undefined {
  const observed = device.maybe("NewPhysicalSize", (value) => asOptional(value, asBytes));
  return observed === device.maybe("TotalPhysicalSize", asBytes) ? null : observed;
}

const MILLISECONDS = 1000;

/** RFC 3339, for seconds since 1970. Throws UnexpectedValueError for a time that has no such form. */
function rfc3339(seconds: bigint): string {
  const time = new Date(Number(seconds) * MILLISECONDS);
  if (Number.isNaN(time.getTime()))
    throw new UnexpectedValueError(`stratisd sent ${seconds} where a time in seconds was expected`);
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

export const BLOCKDEV_GETTERS: Getters<(typeof BLOCKDEVS)["fields"], BlockdevRow> = {
  pool: ({ poolName }) => poolName,
  device: ({ device }) => device.maybe("PhysicalPath", asText),
  metadata_device: ({ device }) => device.maybe("Devnode", asText),
  size: ({ device }) => device.maybe("TotalPhysicalSize", asBytes),
  new_size: ({ device }) => newSize(device),
  tier: ({ device }) => TIERS.get(device.maybe("Tier", asInteger)),
  uuid: ({ device }) => device.maybe("Uuid", asText),
  hardware: ({ device }) => device.maybe("HardwareInfo", (value) => asOptional(value, asText)),
  initialized: ({ device }) => device.maybe("InitializationTime", (value) => rfc3339(asInteger(value))),
};
