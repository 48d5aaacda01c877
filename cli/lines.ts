/** Lines that a user types, or a script sends. */
import type { Readable } from "node:stream";

const NEWLINE = 10;

/** Lines of a stream, one at a time; what follows the last one that was asked for is left alone. */
export class Lines {
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

  /** Nothing more is read, and the input does not keep the process alive. A file has no unref(): it never does. */
  release(): void {
    this.wipe();
    (this.input as { unref?: () => void }).unref?.();
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
