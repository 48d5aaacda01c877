/**
 * Checks of a dry run that look at this machine, as far as everybody may: stratisd looks more closely. Each throws
 * UnintendedCommandError.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { deviceNumberOf, formatDeviceNumber } from "../../src/dm/device-number";
import { messageOf, UnintendedCommandError } from "../errors";
import { formatSize } from "../format/size";
import type { ManagedObject } from "../managed-objects";
import { mountPoints, mountPointsIn } from "../mounts";
import { blockDevices, LEAST_BYTES, type BlockDevice } from "../system/block-devices";
import { asText } from "../values";

/** "major:minor" of the block device at a path. */
async function numberAt(path: string): Promise<string> {
  const facts = await stat(path, { bigint: true }).catch((error: unknown) => {
    const isAbsent = error instanceof Error && "code" in error && error.code === "ENOENT";
    const why = isAbsent
      ? `There is no device ${path}`
      : `The device ${path} cannot be looked at: ${messageOf(error)}`;
    throw new UnintendedCommandError(why, { cause: error });
  });
  if (!facts.isBlockDevice()) throw new UnintendedCommandError(`${path} is not a block device`);
  return formatDeviceNumber(deviceNumberOf(facts.rdev));
}

/** What speaks against a device; null if nothing does. */
function objection({ bytes, readOnly, held, partitioned, facts }: BlockDevice): string | null {
  if (bytes < LEAST_BYTES)
    return `has ${formatSize(bytes)}, and stratisd demands at least ${formatSize(LEAST_BYTES)}`;
  if (readOnly) return "can only be read";
  if (held) return "is in use: other devices are made of it";
  const type = facts.get("ID_FS_TYPE") ?? facts.get("ID_FS_USAGE");
  if (type !== undefined) return `is not empty: udev found ${type} on it`;
  const hasTable = facts.has("ID_PART_TABLE_TYPE") && !facts.has("ID_PART_ENTRY_DISK");
  return partitioned || hasTable ? "is not empty: it has a partition table" : null;
}

/** The devices must be there and look as if stratisd would take them. */
export async function checkDevices(
  paths: readonly string[],
  { root = "/", numberOf = numberAt } = {},
): Promise<void> {
  const numbers = await Promise.all(paths.map(numberOf));
  const known = new Map((await blockDevices(root)).map((device) => [device.number, device]));
  const mounted = mountPointsIn(await readFile(join(root, "proc/self/mountinfo"), "utf8"));
  paths.forEach((path, index) => {
    const number = numbers[index] ?? "";
    const [place] = mounted.get(number) ?? [];
    if (place !== undefined) throw new UnintendedCommandError(`The device ${path} is mounted at ${place}`);
    const device = known.get(number);
    const why = device === undefined ? null : objection(device);
    if (why !== null) throw new UnintendedCommandError(`The device ${path} ${why}`);
  });
}

/** None of the filesystems may be mounted, as this process sees it. */
export async function checkNotMounted(filesystems: readonly ManagedObject[]): Promise<void> {
  const mountedAt = await mountPoints();
  for (const filesystem of filesystems) {
    const [place] = (await mountedAt(filesystem.get("Devnode", asText))) ?? [];
    if (place !== undefined)
      throw new UnintendedCommandError(
        `The filesystem ${filesystem.get("Name", asText)} is mounted at ${place}`,
      );
  }
}
