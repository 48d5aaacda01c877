/** A passphrase from standard input (cli.md §10.1). */
import { spawnSync } from "node:child_process";
import type { Readable } from "node:stream";
import { UnintendedCommandError } from "./errors";
import type { Io } from "./io";

const NOT_A_TTY = "Warning: this device is not a TTY so the password may be echoed\n";
const NEWLINE = 10;

const stty = (...settings: string[]): string | null => {
  const { status, stdout } = spawnSync("stty", settings, {
    stdio: ["inherit", "pipe", "ignore"],
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : null;
};

/** Runs `read` while a terminal does not echo, but for the newline at the end. Restored on every way out. */
async function unseen<T>(read: () => Promise<T>): Promise<T> {
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

/** Lines of a stream, one at a time; what follows the last one that was asked for is left alone. */
class Lines {
  #waiting = Buffer.alloc(0);
  #ended = false;

  constructor(private readonly input: Readable) {}

  /** Without its newline; the end of the stream ends a line too. The caller wipes it. */
  async next(): Promise<Buffer> {
    for (;;) {
      const end = this.#waiting.indexOf(NEWLINE);
      if (end >= 0 || this.#ended) {
        const line = Buffer.from(this.#waiting.subarray(0, end >= 0 ? end : undefined));
        const rest = Buffer.from(end >= 0 ? this.#waiting.subarray(end + 1) : []);
        this.wipe();
        this.#waiting = rest;
        return line;
      }
      await this.#more();
    }
  }

  wipe(): void {
    this.#waiting.fill(0);
    this.#waiting = Buffer.alloc(0);
  }

  async #more(): Promise<void> {
    const chunk = await new Promise<Buffer | null>((resolve, reject) => {
      const settle = (result: Buffer | null, error?: Error): void => {
        this.input.off("data", onData).off("end", onEnd).off("error", onError);
        this.input.pause();
        if (error === undefined) resolve(result);
        else reject(error);
      };
      const onData = (data: Buffer): void => {
        settle(data);
      };
      const onEnd = (): void => {
        settle(null);
      };
      const onError = (error: Error): void => {
        settle(null, error);
      };
      this.input.on("data", onData).on("end", onEnd).on("error", onError);
      this.input.resume();
    });
    if (chunk === null) {
      this.#ended = true;
      return;
    }
    const joined = Buffer.concat([this.#waiting, chunk]);
    this.wipe();
    chunk.fill(0);
    this.#waiting = joined;
  }
}

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
    if (process.stdin.isTTY) return await unseen(() => lines.next());
    io.stderr.write(NOT_A_TTY);
    return await lines.next();
  };
  try {
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
  } finally {
    lines.wipe();
    process.stdin.unref();
  }
}
