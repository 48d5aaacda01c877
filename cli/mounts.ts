/** Where devices are mounted, as this process sees it (proc(5), mountinfo). */
import { readFile, stat } from "node:fs/promises";
import { deviceNumberOf, formatDeviceNumber } from "../src/dm/device-number";

const MOUNTINFO = "/proc/self/mountinfo";

/** Blanks, backslashes and the like are written as three octal digits. */
const unescaped = (text: string): string =>
  Buffer.from(
    Buffer.from(text, "utf8")
      .toString("latin1")
      .replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))),
    "latin1",
  ).toString("utf8");

/** Mount points by "major:minor", from the text of mountinfo. */
export function mountPointsIn(text: string): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [, , device, , mountPoint] = line.split(" ");
    if (device === undefined || mountPoint === undefined) continue;
    found.set(device, [...(found.get(device) ?? []), unescaped(mountPoint)]);
  }
  return found;
}

/** A function that tells where a device is mounted; undefined for one that is not there. */
export async function mountPoints(): Promise<(device: string) => Promise<string[] | undefined>> {
  const points = mountPointsIn(await readFile(MOUNTINFO, "utf8"));
  return async (device) => {
    const facts = await stat(device, { bigint: true }).catch(() => null);
    return facts === null ? undefined : (points.get(formatDeviceNumber(deviceNumberOf(facts.rdev))) ?? []);
  };
}
