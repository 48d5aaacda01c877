/** Runs a compiled program of dist/bin in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as path from "node:path";
import { text } from "node:stream/consumers";

const RUN_TIMEOUT_MS = 40_000;

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** The file of a program. */
export const programFile = (name: string): string => path.join(__dirname, "../../../bin", `${name}.js`);

/** Runs a program without input. */
export async function run(
  file: string,
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<Ran> {
  const child = spawn(file, [...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...env },
    timeout: RUN_TIMEOUT_MS,
  });
  const exited = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, stdout, stderr };
}

/** The program is executed as a file, as a shell would. */
export const runProgram = (
  name: string,
  words: readonly string[],
  env?: Record<string, string>,
): Promise<Ran> => run(programFile(name), words, env);
