/** Runs a command on a pseudo-terminal, which util-linux's script makes. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";

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

/**
 * `line` is one of a shell; with "exec" before a command that is to be interrupted in place of the shell. `typed` is there
 * before the command asks, unless it is to wait for something.
 */
export async function runLineOnTerminal(
  line: string,
  { typed = "", env = {} }: { typed?: string | readonly Typed[]; env?: Record<string, string> } = {},
): Promise<Shown> {
  const child = spawn("script", ["--quiet", "--return", "--command", line, "/dev/null"], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], TERM: "xterm", ...env },
    timeout: RUN_TIMEOUT_MS,
  });
  child.stdin.on("error", () => undefined);
  if (typeof typed === "string") child.stdin.end(typed);
  else typeWhenShown(child, typed);
  const exited = once(child, "close") as Promise<[number | null]>;
  const [screen, [code]] = await Promise.all([text(child.stdout), exited]);
  return { code, screen: readable(screen) };
}

/** One after the other; each looks only at what is shown after the one before it was typed. */
function typeWhenShown(
  { stdin, stdout }: { readonly stdin: Writable; readonly stdout: Readable },
  steps: readonly Typed[],
): void {
  const waiting = [...steps];
  let shown = "";
  stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
    const [next] = waiting;
    if (next === undefined || !shown.includes(next.after)) return;
    shown = "";
    waiting.shift();
    stdin.write(next.text);
    if (waiting.length === 0) stdin.end();
  });
}
