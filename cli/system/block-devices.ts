/** The block devices of the machine, as sysfs and udev's database tell without privileges. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

const SECTOR_BYTES = 512n;
/** What stratisd demands of a device at least. */
export const LEAST_BYTES = 1024n ** 3n;

export interface BlockDevice {
  /** Of the kernel: sda1, dm-3. */
  readonly name: string;
  readonly path: string;
  /** "major:minor" */
  readonly number: string;
  readonly bytes: bigint;
  readonly readOnly: boolean;
  /** Whether other devices are built on it, and whether it has partitions. */
  readonly held: boolean;
  readonly partitioned: boolean;
  /** What udev has found out: ID_FS_TYPE, ID_PART_TABLE_TYPE and the like; empty when it has not looked. */
  readonly facts: ReadonlyMap<string, string>;
}

/** The text of a file, or undefined if there is none: devices come and go, and not all have all files. */
const textOf = async (path: string): Promise<string | undefined> =>
  readFile(path, "utf8").then(
    (text) => text.trimEnd(),
    () => undefined,
  );

const namesIn = (path: string): Promise<string[]> => readdir(path).catch(() => []);

/** The lines "E:KEY=VALUE" of udev's database. */
function factsIn(text: string): Map<string, string> {
  const facts = new Map<string, string>();
  for (const line of text.split("\n")) {
    const [, key, value] = /^E:([^=]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) facts.set(key, value);
  }
  return facts;
}

async function blockDevice(root: string, name: string): Promise<BlockDevice | null> {
  const directory = join(root, "sys/class/block", name);
  const [number, size, readOnly, mapped, holders, entries] = await Promise.all([
    textOf(join(directory, "dev")),
    textOf(join(directory, "size")),
    textOf(join(directory, "ro")),
    textOf(join(directory, "dm/name")),
    namesIn(join(directory, "holders")),
    namesIn(directory),
  ]);
  if (number === undefined || size === undefined || !/^\d+$/.test(size)) return null;
  return {
    name,
    path: mapped === undefined ? `/dev/${name.replaceAll("!", "/")}` : `/dev/mapper/${mapped}`,
    number,
    bytes: BigInt(size) * SECTOR_BYTES,
    readOnly: readOnly === "1",
    held: holders.length > 0,
    partitioned: entries.some((entry) => entry.startsWith(name)),
    facts: factsIn((await textOf(join(root, "run/udev/data", `b${number}`))) ?? ""),
  };
}

/** All of them, in the order of their names. `root`: where the file systems of the machine begin. */
export async function blockDevices(root = "/"): Promise<BlockDevice[]> {
  const names = (await namesIn(join(root, "sys/class/block"))).sort();
  const devices = await Promise.all(names.map((name) => blockDevice(root, name)));
  return devices.filter((device) => device !== null);
}
