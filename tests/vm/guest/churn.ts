/** Files that are written again and again while something is done below them, and compared afterwards. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const FILES = 12;
const FILE_BYTES = 2 * 1024 * 1024;
const PAUSE_MILLISECONDS = 30;

const hashOf = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

export class Churn {
  readonly #hashes = new Map<string, string>();
  #goesOn = true;
  #rounds = 0;
  readonly #end: Promise<void>;

  constructor(private readonly folder: string) {
    this.#end = this.#work();
    // It is told to whoever stops it.
    this.#end.catch(() => undefined);
  }

  async #work(): Promise<void> {
    while (this.#goesOn) {
      const file = `${this.folder}/churn-${this.#rounds % FILES}`;
      const data = randomBytes(FILE_BYTES);
      const handle = await open(file, "w");
      try {
        await handle.writeFile(data);
        await handle.sync();
      } finally {
        await handle.close();
      }
      this.#hashes.set(file, hashOf(data));
      this.#rounds += 1;
      await sleep(PAUSE_MILLISECONDS);
    }
  }

  get rounds(): number {
    return this.#rounds;
  }

  /** Ends the writing. Throws what it failed with. */
  async stop(): Promise<void> {
    this.#goesOn = false;
    await this.#end;
  }

  /** What the disk has is what was written last. */
  async verify(): Promise<void> {
    await writeFile("/proc/sys/vm/drop_caches", "3");
    for (const [file, hash] of this.#hashes) assert.equal(hashOf(await readFile(file)), hash, file);
  }
}
