/** A passphrase from standard input (cli.md §10.1). */
import { spawnSync } from "node:child_process";
import { UnintendedCommandError } from "./errors";
import type { Io } from "./io";
import { Lines } from "./lines";

const NOT_A_TTY = "Warning: this device is not a TTY so the password may be echoed\n";

const stty = (...settings: string[]): string | null => {
  const { status, stdout } = spawnSync("stty", settings, {
    stdio: ["inherit", "pipe", "ignore"],
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : null;
};

/**
 * Runs `read`, which asks and reads, while a terminal does not echo, but for the newline at the end: from before the question
 * is there, since the answer may come at once. Restored on every way out.
 */
async function withoutEcho<T>(read: () => Promise<T>): Promise<T> {
  const before = stty("-g");
  if (before === null) return await read();
  const restore = (): void => {
    stty(before);
  };
  process.once("exit", restore);
  try {
    stty("-echo", "echonl");
    return await read();
  } finally {
    process.off("exit", restore);
    restore();
  }
}

/** As withoutEcho where standard input is a terminal. */
export const unseen = <T>(read: () => Promise<T>): Promise<T> =>
  process.stdin.isTTY ? withoutEcho(read) : read();

export interface Asking {
  /** Asks twice to be sure. */
  readonly verify: boolean;
  /** Standard output is for something else: asks on standard error. */
  readonly aside: boolean;
}

/** The caller wipes what it gets. */
export async function askPassphrase(io: Io, { verify, aside }: Asking): Promise<Buffer> {
  const lines = new Lines(process.stdin);
  const ask = async (prompt: string): Promise<Buffer> => {
    (aside ? io.stderr : io.stdout).write(prompt);
    if (!process.stdin.isTTY) io.stderr.write(NOT_A_TTY);
    return await lines.next();
  };
  const asked = async (): Promise<Buffer> => {
    const passphrase = await ask("Enter passphrase followed by the return key: ");
    if (verify) {
      const again = await ask("Verify passphrase entered: ");
      const same = passphrase.equals(again);
      again.fill(0);
      if (!same) {
        passphrase.fill(0);
        throw new UnintendedCommandError("Passphrases do not match");
      }
    }
    if (passphrase.length === 0) throw new UnintendedCommandError("Passphrase is empty");
    return passphrase;
  };
  try {
    return await unseen(asked);
  } finally {
    lines.release();
  }
}
