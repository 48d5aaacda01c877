/** Which programs the daemon, which is root, may run on behalf of its administrator. */
import { constants, type Stats } from "node:fs";
import { access, lstat, readdir, realpath, stat } from "node:fs/promises";
import * as path from "node:path";
import { isMissing } from "../../engine/errors";

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;
/** As run-parts(8) has it: what editors and packages leave beside a file has a dot or a tilde. */
const PROGRAM_NAME = /^[A-Za-z0-9_-]+$/;

export class UntrustedError extends Error {
  override name = "UntrustedError";
}

/** Throws UntrustedError unless `owner`, or root, alone can change what is there. */
function requireOwned(what: string, status: Stats, owner: number): void {
  if (status.uid !== 0 && status.uid !== owner)
    throw new UntrustedError(`${what} belongs to user ${status.uid}, who is not root`);
  const mode = status.mode & 0o7777;
  // In a folder with the sticky bit nobody can replace what is another's.
  const sticky = status.isDirectory() && (mode & STICKY) !== 0;
  if ((mode & WRITABLE_BY_OTHERS) !== 0 && !sticky)
    throw new UntrustedError(`${what} can be written by others than its owner (mode ${mode.toString(8)})`);
}

/** Of the file and of every folder on the way to it, so that nobody can put another one in its place. */
async function requireTrusted(file: string, owner: number): Promise<void> {
  for (let at = file; ; at = path.dirname(at)) {
    requireOwned(at, await lstat(at), owner);
    if (at === path.dirname(at)) return;
  }
}

/**
 * The programs of a folder that may be run, sorted by name, with all links followed; and why others may not. No folder:
 * no programs. Throws UntrustedError when the folder itself may be changed by others.
 */
export async function trustedPrograms(
  folder: string,
  owner = process.geteuid?.() ?? 0,
): Promise<{ programs: string[]; refused: string[] }> {
  const programs: string[] = [];
  const refused: string[] = [];
  let names: string[];
  let real: string;
  try {
    real = await realpath(folder);
    names = (await readdir(real)).filter((name) => PROGRAM_NAME.test(name)).sort();
  } catch (error) {
    if (isMissing(error)) return { programs, refused };
    throw error;
  }
  if (names.length === 0) return { programs, refused };
  await requireTrusted(real, owner);
  for (const name of names) {
    try {
      const file = await realpath(path.join(real, name));
      if (!(await stat(file)).isFile()) continue;
      await requireTrusted(file, owner);
      await access(file, constants.X_OK);
      programs.push(file);
    } catch (error) {
      refused.push(`${path.join(folder, name)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { programs, refused };
}
