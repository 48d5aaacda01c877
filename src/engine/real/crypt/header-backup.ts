/** Changes of LUKS2 headers that are all made or none (encryption.md §16.1). */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import * as path from "node:path";
import { native } from "../../../native";
import { BestEffortError, errorText, RollbackError } from "../../errors";
import { RUN_FOLDER } from "../namespace";

/** In memory: a copy of a header that survived a boot would let in those who were shut out since. */
const FOLDER = RUN_FOLDER;

interface WithHeader {
  readonly container: string;
  refresh(): Promise<boolean>;
}

/**
 * Runs `work`; when it fails, the devices have the headers that they had before. Throws RollbackError when one could
 * not be put back. Without devices it is `work` and no more.
 */
export async function keepingHeaders<T>(
  devices: readonly WithHeader[],
  work: () => Promise<T>,
  folderOfBackups = FOLDER,
): Promise<T> {
  if (devices.length === 0) return await work();
  return await withHeaderFolder(async (folder) => {
    const backups = devices.map((device, index) => ({ device, file: path.join(folder, String(index)) }));
    for (const { device, file } of backups) await native().cryptHeaderBackup(device.container, file);
    try {
      return await work();
    } catch (error) {
      const failures: string[] = [];
      for (const { device, file } of backups)
        try {
          await native().cryptHeaderRestore(device.container, file);
          await device.refresh();
        } catch (failure) {
          failures.push(`${device.container}: ${errorText(failure)}`);
        }
      if (failures.length === 0) throw error;
      const rollback = new BestEffortError("LUKS2 headers could not be put back", failures);
      throw new RollbackError(error, rollback, "no_ipc_requests");
    }
  }, folderOfBackups);
}

/** A folder in memory, for the time of `work`, for files that hold headers. */
export async function withHeaderFolder<T>(work: (folder: string) => Promise<T>, parent = FOLDER): Promise<T> {
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(path.join(parent, "headers-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
