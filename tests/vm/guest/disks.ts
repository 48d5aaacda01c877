/** The disks that a case may use, by serial number. */
import { existsSync, realpathSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "./command";
import { udevSettled } from "./udev";

const APPEARS_MILLISECONDS = 20_000;
const WIPED_START = "16MiB";

const given = JSON.parse(process.env["STRATIS_CASE_DISKS"] ?? "{}") as Record<string, string>;

/** The device node of a disk, as the daemon names it; waits for udev when it has only just been plugged in. */
export async function disk(serial: string): Promise<string> {
  const path = given[serial] ?? `/dev/disk/by-id/virtio-${serial}`;
  const end = Date.now() + APPEARS_MILLISECONDS;
  while (!existsSync(path)) {
    if (Date.now() > end)
      throw new Error(`The disk ${serial} has no ${path} after ${APPEARS_MILLISECONDS} ms`);
    await sleep(50);
  }
  return realpathSync(path);
}

/** Makes a disk as good as new: everything discarded, the start surely zeroes, udev's database up to date. */
export async function wipeDisk(path: string): Promise<void> {
  await mustRun("blkdiscard", ["-f", path]);
  await mustRun("blkdiscard", ["-f", "-z", "-l", WIPED_START, path]);
  await udevSettled();
}
