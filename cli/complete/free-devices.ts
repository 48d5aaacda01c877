/** Block devices that nothing uses, as far as anyone can see. stratisd looks more closely. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { formatSize } from "../format/size";
import { mountPointsIn } from "../mounts";
import { blockDevices, LEAST_BYTES, type BlockDevice } from "../system/block-devices";
import type { Candidate } from "./candidates";

/** Optical drives, compressed memory, RAM disks: nothing to keep data on. */
const UNSUITABLE = /^(sr|zram|ram|fd)\d/;

/** A partition has the type of the table that it is in, which says nothing about its content. */
const hasContent = (facts: ReadonlyMap<string, string>): boolean =>
  facts.has("ID_FS_TYPE") ||
  facts.has("ID_FS_USAGE") ||
  (facts.has("ID_PART_TABLE_TYPE") && !facts.has("ID_PART_ENTRY_DISK"));

const looksEmpty = ({ name, bytes, readOnly, held, partitioned, facts }: BlockDevice): boolean =>
  bytes >= LEAST_BYTES && !readOnly && !held && !partitioned && !UNSUITABLE.test(name) && !hasContent(facts);

/** `owned`: paths of devices that belong to pools. */
export async function freeDevices(owned: ReadonlySet<string>, root = "/"): Promise<Candidate[]> {
  const [devices, mountinfo, swaps] = await Promise.all([
    blockDevices(root),
    readFile(join(root, "proc/self/mountinfo"), "utf8"),
    readFile(join(root, "proc/swaps"), "utf8"),
  ]);
  const mounted = mountPointsIn(mountinfo);
  const swapped = new Set(swaps.split("\n").map((line) => line.split(/\s/)[0]));
  return devices
    .filter(
      (device) =>
        looksEmpty(device) &&
        !owned.has(device.path) &&
        !mounted.has(device.number) &&
        !swapped.has(device.path),
    )
    .map(({ path, bytes, facts }) => ({
      word: path,
      description: [formatSize(bytes), facts.get("ID_MODEL") ?? ""].join(" ").trimEnd(),
    }));
}
