/** How far a change is, on a terminal: a bar where the steps are known, and the time that has passed. */
import type { Context } from "../context";

/** What is over sooner needs no display. */
const DELAY_MS = 700;
const INTERVAL_MS = 1000;
const BAR_CELLS = 24;
const ERASED = "\r\x1b[K";

export interface Progress {
  /** `done` of `total` steps are done; `what` is being done. */
  step(done: number, total: number, what: string): void;
}

interface Shown {
  readonly done: number;
  readonly total: number;
  readonly what: string;
}

function barText({ done, total, what }: Shown): string {
  if (total < 2) return what;
  const filled = Math.floor((done * BAR_CELLS) / total);
  return `[${"#".repeat(filled)}${"-".repeat(BAR_CELLS - filled)}] ${done}/${total} ${what}`;
}

class Display implements Progress {
  #shown: Shown;
  #timer: NodeJS.Timeout;
  #visible = false;
  readonly #begin = Date.now();

  constructor(
    private readonly write: (text: string) => void,
    what: string,
  ) {
    this.#shown = { done: 0, total: 0, what };
    this.#timer = setTimeout(() => {
      this.#visible = true;
      this.#draw();
      this.#timer = setInterval(() => {
        this.#draw();
      }, INTERVAL_MS);
    }, DELAY_MS);
  }

  step(done: number, total: number, what: string): void {
    this.#shown = { done, total, what };
    if (this.#visible) this.#draw();
  }

  end(): void {
    clearTimeout(this.#timer);
    if (this.#visible) this.write(ERASED);
  }

  #draw(): void {
    const seconds = Math.round((Date.now() - this.#begin) / 1000);
    this.write(`${ERASED}${barText(this.#shown)} (${seconds} s)`);
  }
}

const HIDDEN: Progress = { step: () => undefined };

/** Nothing is drawn where nobody sees it, nor where the user is asked for a passphrase meanwhile. */
const isVisible = ({ values, io }: Context): boolean =>
  io.stderr.isTTY === true && !["--quiet", "--json", "--capture-key"].some((name) => values.flag(name));

/** Shows the progress of `work` until it is settled. */
export async function withProgress<T>(
  context: Context,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  if (!isVisible(context)) return work(HIDDEN);
  const display = new Display((text) => {
    context.io.stderr.write(text);
  }, context.command);
  try {
    return await work(display);
  } finally {
    display.end();
  }
}
