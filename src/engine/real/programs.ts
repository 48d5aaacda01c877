/**
 * Finding the programs that the engine runs: in fixed directories, never by PATH (devicemapper.md §2.21, system.md §23,
 * encryption.md §11.1).
 */
import { access, constants } from "node:fs/promises";
import * as path from "node:path";
import type { RunResult } from "../../native";
import { EngineError } from "../errors";

const DIRECTORIES = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];

const located = new Map<string, string>();

/** The program's path; null when no directory has it. One that was found is not looked for again. */
export async function findProgram(program: string): Promise<string | null> {
  const known = located.get(program);
  if (known !== undefined) return known;
  for (const directory of DIRECTORIES) {
    const candidate = path.join(directory, program);
    try {
      await access(candidate, constants.X_OK);
      located.set(program, candidate);
      return candidate;
    } catch {
      // Not in this directory: the next one is tried, and the caller is told when none has it.
    }
  }
  return null;
}

/** Throws EngineError when no directory has the program. */
export async function requireProgram(program: string): Promise<string> {
  const found = await findProgram(program);
  if (found !== null) return found;
  const where = DIRECTORIES.map((directory) => `"${directory}"`).join(", ");
  throw new EngineError(`Unable to find executable "${program}" in any of ${where}`);
}

/** The error of a program that failed, with what it said: of its standard output only what the caller passes on. */
export function programFailure(
  program: string,
  args: readonly string[],
  { status, signal, stderr }: RunResult,
  stdout?: string,
): EngineError {
  const reason = signal === null ? `exit status ${status ?? "unknown"}` : `signal ${signal}`;
  const output = stdout === undefined ? "" : ` stdout: ${stdout.trim()}`;
  return new EngineError(
    `Command failed: cmd: ${[program, ...args].join(" ")}, exit reason: ${reason}${output} stderr: ${stderr.trim()}`,
  );
}
