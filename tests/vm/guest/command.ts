/** Running commands, for all that runs in the guest. */
import { execFile } from "node:child_process";
import * as path from "node:path";

const COMMAND_MILLISECONDS = 180_000;
const OUTPUT_BYTES = 64 * 1024 * 1024;
/** This file is dist/tests/vm/guest/command.js in the tree. */
export const PROJECT = path.resolve(__dirname, "..", "..", "..", "..");

export interface Outcome {
  /** null: ended by a signal. */
  status: number | null;
  stdout: string;
  stderr: string;
}

export function run(file: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const options = {
      timeout: COMMAND_MILLISECONDS,
      killSignal: "SIGKILL",
      maxBuffer: OUTPUT_BYTES,
    } as const;
    const child = execFile(file, args, options, (error, stdout, stderr) => {
      // Without a process it could not be started; with one, it ended somehow.
      if (error !== null && child.pid === undefined) reject(new Error(error.message, { cause: error }));
      else resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}

/** Fails with all that the command said unless it ends with 0. */
export async function mustRun(file: string, args: readonly string[]): Promise<Outcome> {
  const outcome = await run(file, args);
  if (outcome.status !== 0)
    throw new Error(
      `${file} ${args.join(" ")} ended with ${outcome.status ?? "a signal"}: ${outcome.stdout}${outcome.stderr}`,
    );
  return outcome;
}
