/** Where devices are mounted, as seen from the daemon's mount namespace, which receives the host's mounts. */
import { readFile } from "node:fs/promises";

/** "major:minor" to the first mount point of each mounted device. */
export async function mountPoints(): Promise<Map<string, string>> {
  const mounts = new Map<string, string>();
  for (const line of (await readFile("/proc/self/mountinfo", "utf8")).split("\n")) {
    const [, , device, , mountPoint] = line.split(" ");
    if (device === undefined || mountPoint === undefined || mounts.has(device)) continue;
    mounts.set(device, unescape(mountPoint));
  }
  return mounts;
}

/** mountinfo writes blanks, tabs, newlines and backslashes as three octal digits. */
const unescape = (text: string): string =>
  text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
