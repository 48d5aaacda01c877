/** The daemon's own file of the history, where there is no journal: lines of JSON, bounded in size. */
import { constants } from "node:fs";
import { mkdir, open, rename, type FileHandle } from "node:fs/promises";
import * as path from "node:path";
import { errorText, isMissing } from "../engine/errors";
import { HISTORY_FILE, OLDER_HISTORY_FILE } from "../history/forms";
import { logger } from "../log";

const log = logger("stratisd::history");

/** Of each of the two files, in bytes: some ten thousand records. */
const MOST_BYTES = 4 * 1024 * 1024;
/** A file system that has stopped writing must not fill the memory. */
const MOST_WAITING = 10_000;
/** How long an exit waits for such a one. */
const FLUSH_MILLISECONDS = 1000;

/** O_NOFOLLOW: nobody leads it elsewhere. */
const OPEN = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;

export class HistoryFile {
  #waiting: string[] = [];
  #working: Promise<void> | null = null;
  /** A process that was killed may have left half a line. */
  #isFirst = true;
  /** Since when lines could not be written, which is told once. */
  #isFailing = false;

  constructor(
    private readonly folder: string,
    private readonly mostBytes = MOST_BYTES,
  ) {}

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
      const lines = this.#waiting.splice(0).join("");
      try {
        await this.#write(lines);
        this.#isFailing = false;
      } catch (error) {
        this.#complain(errorText(error));
      }
    }
  }

  async #write(lines: string): Promise<void> {
    const { file, isEmpty } = await this.#openFor(Buffer.byteLength(lines));
    try {
      await file.appendFile(this.#isFirst && !isEmpty ? `\n${lines}` : lines);
      this.#isFirst = false;
    } finally {
      await file.close();
    }
  }

  /** The file to append to; one that would become too long is put aside first, in place of the one before it. */
  async #openFor(length: number): Promise<{ file: FileHandle; isEmpty: boolean }> {
    const current = path.join(this.folder, HISTORY_FILE);
    const file = await this.#open(current);
    const { size } = await file.stat();
    if (size === 0 || size + length <= this.mostBytes) return { file, isEmpty: size === 0 };
    await file.close();
    await rename(current, path.join(this.folder, OLDER_HISTORY_FILE));
    return { file: await this.#open(current), isEmpty: true };
  }

  /** Makes the folder where it is missing. */
  async #open(file: string): Promise<FileHandle> {
    try {
      return await open(file, OPEN, 0o600);
    } catch (error) {
      if (!isMissing(error)) throw error;
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      return await open(file, OPEN, 0o600);
    }
  }

  #complain(why: string): void {
    if (!this.#isFailing) log.warn(`Records of the history are lost, not written to ${this.folder}: ${why}`);
    this.#isFailing = true;
  }
}
