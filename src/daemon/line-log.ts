/** Lines on stderr, by winston, in the form that operators of stratisd know. */
import { createWriteStream } from "node:fs";
import * as winston from "winston";
import type { LogLevel } from "../log";
import { formatLine } from "./log-line";

const STDERR = 2;
/** How long an exit waits for a reader of the log that has stopped reading. */
const FLUSH_MILLISECONDS = 1000;
/** How long a line waits for others. */
const TOGETHER_MILLISECONDS = 100;

export interface LineLog {
  write(level: LogLevel, target: string, message: string): void;
  /** Writes out what is pending. Nothing can be written afterwards. */
  flush(): Promise<void>;
}

/**
 * The stream writes on libuv's threads: a reader that has stopped reading holds up the log, not the daemon.
 * `onClosed`: no line can be written any more.
 */
export function startLines(onClosed: () => void): LineLog {
  const colored = process.stderr.isTTY;
  const stream = createWriteStream("", { fd: STDERR, autoClose: false });
  const line = winston.format.printf(({ message }) => String(message));
  const log = winston.createLogger({
    format: line,
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's typings give its transports as interfaces
    transports: [new winston.transports.Stream({ stream, eol: "\n" })],
  });
  stream.on("error", onClosed);
  let waiting: { time: Date; level: LogLevel; target: string; message: string }[] = [];
  let later: NodeJS.Timeout | null = null;
  const passOn = (): void => {
    if (later !== null) clearTimeout(later);
    later = null;
    const lines = waiting.map(({ time, level, target, message }) =>
      formatLine(time, level, target, message, colored),
    );
    waiting = [];
    if (lines.length > 0) log.info(lines.join("\n"));
  };
  const flush = (): Promise<void> =>
    new Promise((resolve) => {
      passOn();
      const timer = setTimeout(resolve, FLUSH_MILLISECONDS);
      log.once("finish", () => {
        stream.end(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      log.end();
    });
  // Behind what is being done, and together: winston takes 0.1 ms for an entry, whatever its length, and who waits for an
  // answer does not wait for lines. What tells of trouble is not kept: it may be the last that there is to tell.
  const write = (level: LogLevel, target: string, message: string): void => {
    waiting.push({ time: new Date(), level, target, message });
    if (level === "error" || level === "warn") setImmediate(passOn);
    else later ??= setTimeout(passOn, TOGETHER_MILLISECONDS);
  };
  return { write, flush };
}
