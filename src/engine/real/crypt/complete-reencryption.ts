/** The end of a re-encryption or decryption in place that was interrupted when all data were done. */
import { completedReencryption } from "../../../disk/luks2-header";
import { native } from "../../../native";

/**
 * Where libcryptsetup was interrupted between destroying the last keyslot of the old key and removing the marks of the
 * operation, removes them, so that the device can be unlocked again. To be called before anything that unlocks a device
 * with a pending operation, and while nothing runs on it. False: it was not at that point, and nothing is changed.
 */
export async function completeReencryption(path: string): Promise<boolean> {
  const header = await native().cryptLoad(path);
  if (header === null || header.reencryption.state !== "clean") return false;
  // Past the page cache, which does not hear of what is written through another device over the same data.
  const file = await native().openBlockFile(path, { write: true, direct: path.startsWith("/dev/") });
  try {
    const completed = completedReencryption(await file.read(0n, 2 * header.metadataSize));
    if (completed === null) return false;
    // One after the other: of two copies the newer right one counts.
    for (const offset of [header.metadataSize, 0]) {
      await file.write(BigInt(offset), completed.subarray(offset, offset + header.metadataSize));
      await file.sync();
    }
    return true;
  } finally {
    await file.close();
  }
}
