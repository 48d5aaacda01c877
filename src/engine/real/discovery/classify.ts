/** Whom a block device belongs to, by what udev knows of it (engine.md §7.1). */
import type { UdevDevice } from "../../../native";

export type Ownership = "multipathMember" | "stratis" | "luks" | "unowned" | "theirs";

export function classify(device: UdevDevice): Ownership {
  const { properties } = device;
  if (properties["DM_MULTIPATH_DEVICE_PATH"] === "1") return "multipathMember";
  if (properties["ID_FS_TYPE"] === "stratis") return "stratis";
  if (properties["ID_FS_TYPE"] === "crypto_LUKS") return "luks";
  // A partition inherits the table type of its disk, so that having one does not make it owned.
  const partitioned = "ID_PART_TABLE_TYPE" in properties && !("ID_PART_ENTRY_DISK" in properties);
  if (!partitioned && !("ID_FS_USAGE" in properties)) return "unowned";
  return "theirs";
}

/** For messages: what udev says is on the device. */
export function describeContent(device: UdevDevice): string {
  const { properties } = device;
  const found: string[] = [];
  if (properties["ID_FS_TYPE"] !== undefined) found.push(`a ${properties["ID_FS_TYPE"]} signature`);
  else if (properties["ID_FS_USAGE"] !== undefined)
    found.push(`a signature for ${properties["ID_FS_USAGE"]}`);
  if (properties["ID_PART_TABLE_TYPE"] !== undefined && !("ID_PART_ENTRY_DISK" in properties))
    found.push(`a ${properties["ID_PART_TABLE_TYPE"]} partition table`);
  return found.length === 0 ? "something that udev does not name" : found.join(" and ");
}
