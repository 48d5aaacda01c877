/** The daemon's own file of the history, where there is no journal: lines of JSON, bounded in size. */
import { lstat, mkdir, rename } from "node:fs/promises";
import * as path from "node:path";
import { errorText, isMissing } from "../engine/errors";
import { HISTORY_FILE, OLDER_HISTORY_FILE } from "../history/forms";
import { logger } from "../log";
import { native } from "../native";

const log = logger("stratisd::history");

/** Of each of the two files, in bytes: some ten thousand records. */
const MOST_BYTES = 4 * 1024 * 1024;
/** A file system that has stopped writing must not fill the memory. */
const MOST_WAITING = 10_000;
/** How long an exit waits for such a one. */
const FLUSH_MILLISECONDS = 1000;

/** So that they stay below what the addon takes. */
const MOST_AT_ONCE = 50;

async function sizeOf(file: string): Promise<number> {
  try {
    return (await lstat(file)).size;
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}

export class HistoryFile {
  #waiting: string[] = [];
  #working: Promise<void> | null = null;
  /** A process that was killed may have left half a line. */
  #isFirst = true;
  /** Since when lines could not be written, which is told once. */
  #isFailing = false;
  readonly #current: string;
  readonly #older: string;

  constructor(
    private readonly folder: string,
    private readonly mostBytes = MOST_BYTES,
  ) {
    this.#current = path.join(folder, HISTORY_FILE);
    this.#older = path.join(folder, OLDER_HISTORY_FILE);
  }

  /** The line, with its newline, is written beside whatever else goes on. A line that cannot be is told in the log. */
  append(line: string): void {
    if (this.#waiting.length >= MOST_WAITING) {
      this.#complain(`more than ${MOST_WAITING} records wait to be written`);
      return;
    }
    this.#waiting.push(line);
    this.#working ??= this.#work().finally(() => {
      this.#working = null;
    });
  }

  /** Resolves when everything is written, or it takes too long. */
  async flush(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, FLUSH_MILLISECONDS);
    });
    await Promise.race([this.#working, late]);
    clearTimeout(timer);
  }

  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0, MOST_AT_ONCE).join("");
      try {
        await this.#write(lines);
        this.#isFailing = false;
      } catch (error) {
        this.#complain(errorText(error));
      }
    }
  }

  async #write(lines: string): Promise<void> {
    const isOpenEnded = this.#isFirst && (await sizeOf(this.#current)) > 0;
    if (!(await this.#append(isOpenEnded ? `\n${lines}` : lines))) {
      // In place of the one before it.
      await rename(this.#current, this.#older);
      if (!(await this.#append(lines))) throw new Error(`somebody else has filled ${this.#current}`);
    }
    this.#isFirst = false;
  }

  /** Makes the folder where it is missing. Resolves to false, with nothing written, when the file would become too long. */
  async #append(lines: string): Promise<boolean> {
    const options = { path: this.#current, data: Buffer.from(lines), limit: BigInt(this.mostBytes) };
    const append = (): Promise<boolean> => native().appendToFile(options);
    try {
      return await append();
    } catch (error) {
      if (!isMissing(error)) throw error;
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      return await append();
    }
  }

  #complain(why: string): void {
    if (!this.#isFailing) log.warn(`Records of the history are lost, not written to ${this.folder}: ${why}`);
    this.#isFailing = true;
  }
}
