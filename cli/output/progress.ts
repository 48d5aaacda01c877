/**
 * How far a change is. On a terminal: a bar where the steps are known, and the time that has passed. Elsewhere: a line
 * now and then, of what was asked for by an option that stratis-cli does not have and whose output is therefore ours.
 */
import type { Context } from "../context";

/** What is over sooner needs no display. */
const DELAY_MS = 700;
const INTERVAL_MS = 1000;
const BAR_CELLS = 24;
/** Between lines. */
const LINE_INTERVAL_MS = 60_000;
/** Options that let a command take long. */
const LONG_OPTIONS = ["--wait", "--with-filesystems", "--also"];
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

/** Lines for logs. */
class Lines implements Progress {
  #shown: Shown;
  readonly #timer: NodeJS.Timeout;
  readonly #begin = Date.now();

  constructor(
    private readonly write: (text: string) => void,
    what: string,
    intervalMs: number,
  ) {
    this.#shown = { done: 0, total: 0, what };
    this.#timer = setInterval(() => {
      const { done, total, what: step } = this.#shown;
      const steps = total < 2 ? "" : `${done}/${total} `;
      const seconds = Math.round((Date.now() - this.#begin) / 1000);
      this.write(`${steps}${step} (${seconds} s)\n`);
    }, intervalMs);
  }

  step(done: number, total: number, what: string): void {
    this.#shown = { done, total, what };
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

/** Nothing is drawn where nobody sees it, nor where the user is asked for a passphrase meanwhile. */
const isVisible = ({ values }: Context): boolean =>
  !["--quiet", "--json", "--capture-key"].some((name) => values.flag(name));

/** null: nothing is shown. */
function displayFor(context: Context, intervalMs: number): Display | Lines | null {
  const { io, values, command } = context;
  if (!isVisible(context)) return null;
  const write = (text: string): void => {
    io.stderr.write(text);
  };
  if (io.stderr.isTTY === true) return new Display(write, command);
  return LONG_OPTIONS.some((name) => values.has(name)) ? new Lines(write, command, intervalMs) : null;
}

/** Shows the progress of `work` until it is settled. */
export async function withProgress<T>(
  context: Context,
  work: (progress: Progress) => Promise<T>,
  lineIntervalMs = LINE_INTERVAL_MS,
): Promise<T> {
  const display = displayFor(context, lineIntervalMs);
  if (display === null) return work(HIDDEN);
  try {
    return await work(display);
  } finally {
    display.end();
  }
}
