/**
 * Changes of LUKS2 headers that are all made or none (encryption.md §16.1), also when the daemon is killed meanwhile.
 *
 * A folder in memory has a copy of each header and, from before the change until it is complete on all devices, a
 * record of whose copies they are. A start that finds the record puts the headers back. A power cut takes the copies
 * with it: devices may differ then (legacy-crypt-operations.ts).
 */
import {
  chmod,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  unlink,
  writeFile,
} from "node:fs/promises";
import * as path from "node:path";
import { sameData } from "../../../disk/luks2-segments";
import { logger } from "../../../log";
import { native } from "../../../native";
import { BestEffortError, EngineError, errorText, isMissing, RollbackError } from "../../errors";
import { RUN_FOLDER } from "../namespace";

const log = logger("stratisd::engine::crypt");

/** In memory: a copy of a header that survived a boot would let in those who were shut out since. */
const FOLDER = RUN_FOLDER;
const PREFIX = "headers-";
/** How paths of all of its folders begin. */
export const HEADER_FOLDERS = path.join(FOLDER, PREFIX);
const RECORD = "record.json";

interface WithHeader {
  readonly container: string;
  /** Name of the mapping, by which a later daemon knows the device again. */
  readonly mapping: string;
  refresh(): Promise<boolean>;
}

/** One copy. */
interface Backup {
  mapping: string;
  /** Within the folder. */
  file: string;
}

/** Takes effect at once, or not at all; without backups there is no record. */
async function writeRecord(folder: string, backups: readonly Backup[]): Promise<void> {
  const record = path.join(folder, RECORD);
  if (backups.length === 0) {
    await rm(record, { force: true });
    return;
  }
  await writeFile(`${record}.new`, JSON.stringify(backups), { mode: 0o600 });
  await rename(`${record}.new`, record);
}

const isBackup = (value: unknown): value is Backup =>
  typeof value === "object" &&
  value !== null &&
  ["mapping", "file"].every((name) => typeof (value as Record<string, unknown>)[name] === "string");

/** null: there is none. Throws EngineError for one that makes no sense. */
async function readRecord(folder: string): Promise<Backup[] | null> {
  const record = path.join(folder, RECORD);
  let text: string;
  try {
    text = await readFile(record, "utf8");
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  const backups: unknown = JSON.parse(text);
  if (!Array.isArray(backups) || !backups.every(isBackup))
    throw new EngineError(`${record} is no list of backups`);
  return backups;
}

const ZEROS = Buffer.alloc(1024 * 1024);

/** Nothing of the content is left in memory either. */
async function shred(file: string): Promise<void> {
  await chmod(file, 0o600);
  const handle = await open(file, "r+");
  try {
    const { size } = await handle.stat();
    for (let at = 0; at < size; at += ZEROS.length)
      await handle.write(ZEROS, 0, Math.min(ZEROS.length, size - at), at);
  } finally {
    await handle.close();
  }
  await unlink(file);
}

async function removeFolder(folder: string): Promise<void> {
  // Without a record the copies stand for nothing.
  await writeRecord(folder, []);
  for (const file of await readdir(folder)) await shred(path.join(folder, file));
  await rm(folder, { recursive: true });
}

interface Copied extends Backup {
  device: WithHeader;
}

/** Returns those that could not be put back, with the reasons. */
async function putBack(
  folder: string,
  copies: readonly Copied[],
): Promise<{ left: Backup[]; failures: string[] }> {
  const [left, failures]: [Backup[], string[]] = [[], []];
  for (const { device, mapping, file } of copies)
    try {
      await native().cryptHeaderRestore(device.container, path.join(folder, file));
      await device.refresh();
    } catch (error) {
      failures.push(`${device.container}: ${errorText(error)}`);
      left.push({ mapping, file });
    }
  return { left, failures };
}

/**
 * Runs `work`; when it fails, the devices have the headers that they had before, and when the daemon is killed
 * meanwhile, recoverHeaders() of the next one gives them those. Throws RollbackError when one could not be put back,
 * which the next start tries again. Without devices it is `work` and no more.
 */
export async function keepingHeaders<T>(
  devices: readonly WithHeader[],
  work: () => Promise<T>,
  folderOfBackups = FOLDER,
): Promise<T> {
  if (devices.length === 0) return await work();
  for (const { mapping } of devices) await forgetHeaders(mapping, folderOfBackups);
  const folder = await makeFolder(folderOfBackups);
  let recorded: Backup[] = [];
  const record = async (backups: Backup[]): Promise<void> => {
    await writeRecord(folder, backups);
    recorded = backups;
  };
  try {
    const copies = devices.map((device, index) => ({ device, mapping: device.mapping, file: String(index) }));
    for (const { device, file } of copies)
      await native().cryptHeaderBackup(device.container, path.join(folder, file));
    await record(copies.map(({ mapping, file }) => ({ mapping, file })));
    try {
      const result = await work();
      await record([]);
      return result;
    } catch (error) {
      const { left, failures } = await putBack(folder, copies);
      await record(left);
      if (failures.length === 0) throw error;
      const rollback = new BestEffortError("LUKS2 headers could not be put back", failures);
      throw new RollbackError(error, rollback, "no_ipc_requests");
    }
  } finally {
    if (recorded.length === 0) await removeFolder(folder);
  }
}

async function makeFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  return await mkdtemp(path.join(parent, PREFIX));
}

/** A file in memory, for the time of `work`, to make a header in. */
export async function withHeaderFile<T>(work: (file: string) => Promise<T>): Promise<T> {
  const folder = await makeFolder(FOLDER);
  try {
    const file = path.join(folder, "header");
    await writeFile(file, new Uint8Array(4096), { mode: 0o600 });
    return await work(file);
  } finally {
    await removeFolder(folder);
  }
}

async function foldersIn(parent: string): Promise<string[]> {
  try {
    const found = await readdir(parent);
    return found.filter((name) => name.startsWith(PREFIX)).map((name) => path.join(parent, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Before anything else is done with headers: copies of changes that were complete, or had not begun, are removed. */
export async function sweepHeaderFolders(parent = FOLDER): Promise<void> {
  for (const folder of await foldersIn(parent))
    try {
      if ((await readRecord(folder)) === null) await removeFolder(folder);
    } catch (error) {
      log.warn(`Could not look at ${folder}, or not remove it: ${errorText(error)}`);
    }
}

/** The copies of one device's header, each with the others of its folder. */
async function backupsOf(
  mapping: string,
  parent: string,
): Promise<{ folder: string; backup: Backup; others: Backup[] }[]> {
  const found = [];
  for (const folder of await foldersIn(parent)) {
    const backups = (await readRecord(folder)) ?? [];
    const backup = backups.find((one) => one.mapping === mapping);
    if (backup !== undefined) found.push({ folder, backup, others: backups.filter((one) => one !== backup) });
  }
  return found;
}

/** After this the copies of the device's header are gone. */
export async function forgetHeaders(mapping: string, parent = FOLDER): Promise<void> {
  for (const { folder, backup, others } of await backupsOf(mapping, parent)) {
    await writeRecord(folder, others);
    await shred(path.join(folder, backup.file));
    if (others.length === 0) await removeFolder(folder);
  }
}

/**
 * Puts back the headers of devices that a change was interrupted on. For devices that no operation works on. A copy is
 * not used, and goes, when the header of today is that of other data: of a device that was made anew since, or whose
 * data have got another key. A header that could not be put back is tried again at the next start; that is logged.
 */
export async function recoverHeaders(devices: readonly WithHeader[], parent = FOLDER): Promise<void> {
  for (const device of devices)
    try {
      for (const { folder, backup } of await backupsOf(device.mapping, parent)) {
        const file = path.join(folder, backup.file);
        const [now, before] = [await native().cryptLoad(device.container), await native().cryptLoad(file)];
        if (now !== null && before?.uuid === now.uuid && sameData(before.json, now.json)) {
          await native().cryptHeaderRestore(device.container, file);
          await device.refresh();
          log.warn(`A change of the LUKS2 header of ${device.container} was interrupted; it is taken back`);
        } else
          log.warn(`The LUKS2 header of ${device.container} is not that of a change that was interrupted`);
        await forgetHeaders(device.mapping, parent);
      }
    } catch (error) {
      log.warn(
        `A change of the LUKS2 header of ${device.container} was interrupted, and could not be taken back: ` +
          errorText(error),
      );
    }
}
