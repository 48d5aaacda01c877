/** Runs the command on a pseudo-terminal, which util-linux's script makes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { commandLine } from "../../../cli/hints/shell";
import { COMMAND } from "./run";

const RUN_TIMEOUT_MS = 40_000;

export interface Shown {
  code: number | null;
  /** All that the terminal shows: both outputs, and what was typed. Lines end in a newline. */
  screen: string;
}

/** `typed` is there before the command asks. */
export async function runOnTerminal(
  address: string,
  words: readonly string[],
  typed = "",
  env: Record<string, string> = {},
): Promise<Shown> {
  const line = commandLine(process.execPath, COMMAND, ...words);
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: process.env["PATH"],
      TERM: "xterm",
      DBUS_SYSTEM_BUS_ADDRESS: address,
      ...env,
    },
    timeout: RUN_TIMEOUT_MS,
  });
  child.stdin.on("error", () => undefined);
  child.stdin.end(typed);
  const exited = once(child, "close") as Promise<[number | null]>;
  const [screen, [code]] = await Promise.all([text(child.stdout), exited]);
  return { code, screen: screen.replaceAll("\r\n", "\n") };
}
