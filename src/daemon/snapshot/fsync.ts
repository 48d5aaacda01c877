/** What has to be on the disk before something else is done. */
import { open } from "node:fs/promises";

/** Returns when a file's content, or a folder's entries, are on the disk. Throws as `open` and `fsync` do. */
export async function fsyncPath(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
