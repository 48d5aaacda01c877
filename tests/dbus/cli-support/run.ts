/** Runs the compiled `stratis` command in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export const COMMAND = join(__dirname, "../../../cli/stratis.js");
const RUN_TIMEOUT_MS = 40_000;

export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** `address` is the system bus's, `input` what standard input holds. */
export async function runStratis(
  address: string,
  words: readonly string[],
  env: Record<string, string> = {},
  input = "",
): Promise<Ran> {
  const child = spawn(process.execPath, [COMMAND, ...words], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], TZ: "Europe/Prague", DBUS_SYSTEM_BUS_ADDRESS: address, ...env },
    timeout: RUN_TIMEOUT_MS,
  });
  // A command that asks for nothing may end before it has read anything.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const exited = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
  return { code, stdout, stderr };
}
