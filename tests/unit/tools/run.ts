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

/** The program is executed as a file, as a shell would; `input` is what standard input holds. */
export async function runProgram(
  name: string,
  words: readonly string[],
  env: Record<string, string> = {},
  input: Uint8Array = Buffer.alloc(0),
): Promise<Ran> {
  const child = spawn(programFile(name), [...words], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], ...env },
    timeout: RUN_TIMEOUT_MS,
  });
  // A program that asks for nothing may end before it has read anything.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const exited = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, stdout, stderr };
}
