/** Runs the command on a pseudo-terminal, which util-linux's script makes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { commandLine } from "../../../cli/hints/shell";
import { COMMAND } from "./run";

const RUN_TIMEOUT_MS = 40_000;

export interface Shown {
  code: number | null;
  /** All that the terminal shows: both outputs, and what was typed. Lines end in a newline; ESC is the character. */
  screen: string;
}

/** Text that is typed when the terminal shows something. */
export interface Typed {
  readonly after: string;
  readonly text: string;
}

/** Escape characters as they can be read. */
const readable = (screen: string): string => screen.replaceAll("\r\n", "\n").replaceAll("\u001b", "ESC");

/** `typed` is there before the command asks, unless it is to wait for something. */
export async function runOnTerminal(
  address: string,
  words: readonly string[],
  typed: string | Typed = "",
  env: Record<string, string> = {},
): Promise<Shown> {
  // In place of the shell, which would be interrupted too.
  const line = `exec ${commandLine(process.execPath, COMMAND, ...words)}`;
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
  if (typeof typed === "string") child.stdin.end(typed);
  else typeWhenShown(child, typed);
  const exited = once(child, "close") as Promise<[number | null]>;
  const [screen, [code]] = await Promise.all([text(child.stdout), exited]);
  return { code, screen: readable(screen) };
}

function typeWhenShown(
  { stdin, stdout }: { readonly stdin: Writable; readonly stdout: Readable },
  { after, text: typed }: Typed,
): void {
  let shown = "";
  stdout.on("data", (chunk: Buffer) => {
    if (shown.includes(after)) return;
    shown += chunk.toString();
    if (shown.includes(after)) stdin.end(typed);
  });
}
