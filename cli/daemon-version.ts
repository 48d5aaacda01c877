/** Which versions of stratisd this client talks to (cli.md §6.1, §6.3). */
import { VersionError } from "./errors";

export const CLIENT_VERSION = "3.9.2";
const AT_LEAST: readonly number[] = [3, 9, 0];
const BELOW: readonly number[] = [4, 0, 0];

/** PEP 440: epoch, release, pre-release, post-release, development release, local part. */
const VERSION =
  /^\s*v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)(?<early>[-_.]?(?:a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(?:-\d+|[-_.]?(?:post|rev|r)[-_.]?\d*)?(?<development>[-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?\s*$/i;

function compareReleases(left: readonly number[], right: readonly number[]): number {
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function isSupported(version: string): boolean {
  const { epoch, release, early, development } = VERSION.exec(version)?.groups ?? {};
  if (release === undefined || Number(epoch ?? 0) !== 0) return false;
  const numbers = release.split(".").map(Number);
  const aboveMinimum = compareReleases(numbers, AT_LEAST);
  if (compareReleases(numbers, BELOW) >= 0) return false;
  // What comes before the release of the minimum itself may lack what the minimum has.
  return aboveMinimum > 0 || (aboveMinimum === 0 && early === undefined && development === undefined);
}

/** Throws VersionError for a daemon that is too old, too new, or of a version that cannot be understood. */
export function checkDaemonVersion(version: string): void {
  if (isSupported(version)) return;
  throw new VersionError(
    `stratisd version ${version} does not meet stratis version requirements; the version must be at least ` +
      `${AT_LEAST.join(".")} and no more than ${BELOW.join(".")}`,
  );
}
