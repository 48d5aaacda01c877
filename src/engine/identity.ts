/** When a request for something that exists already is a request for the same thing (engine.md §2). */
import { EngineError } from "./errors";

/**
 * Creation of a pool that exists is an identity when it names the same data devices. Throws EngineError that tells the
 * difference otherwise; paths are compared as text.
 */
export function requireSameDevices(
  poolName: string,
  requested: readonly string[],
  existing: readonly string[],
): void {
  const missing = [...new Set(requested)].filter((path) => !existing.includes(path)).sort();
  const unrequested = existing.filter((path) => !requested.includes(path)).sort();
  if (missing.length === 0 && unrequested.length === 0) return;
  const parts = [
    `There was a difference in the blockdevs associated with the existing pool named ${poolName} and the input ` +
      "requesting creation of a pool by the same name",
  ];
  if (missing.length > 0)
    parts.push(
      `the input requests ${named(missing)} which ${missing.length === 1 ? "does" : "do"} not exist in the current pool`,
    );
  if (unrequested.length > 0)
    parts.push(
      `the existing pool contains ${named(unrequested)} which ${unrequested.length === 1 ? "was" : "were"} ` +
        "not requested by the input",
    );
  throw new EngineError(parts.join(" - "));
}

const named = (paths: readonly string[]): string =>
  `blockdev${paths.length === 1 ? "" : "s"} ${paths.join(", ")}`;
