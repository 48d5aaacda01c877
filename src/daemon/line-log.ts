/** Lines on stderr, by winston, in the form that operators of stratisd know. */
import { createWriteStream } from "node:fs";
import * as winston from "winston";
import { LOG_LEVELS, type LogLevel } from "../log";
import { formatLine } from "./log-line";

const STDERR = 2;
/** How long an exit waits for a reader of the log that has stopped reading. */
const FLUSH_MILLISECONDS = 1000;

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
  const levels = Object.fromEntries(LOG_LEVELS.map((level, index) => [level, index]));
  const line = winston.format.printf(({ message }) => String(message));
  const log = winston.createLogger({
    levels,
    level: "trace",
    format: line,
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- winston's typings give its transports as interfaces
    transports: [new winston.transports.Stream({ stream, eol: "\n" })],
  });
  stream.on("error", onClosed);
  let waiting: { time: Date; level: LogLevel; target: string; message: string }[] = [];
  const passOn = (): void => {
    const lines = waiting;
    waiting = [];
    for (const { time, level, target, message } of lines)
      log.log(level, formatLine(time, level, target, message, colored));
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
  // Behind what is being done: winston takes 0.1 ms for a line, and who waits for an answer does not wait for lines.
  const write = (level: LogLevel, target: string, message: string): void => {
    waiting.push({ time: new Date(), level, target, message });
    if (waiting.length === 1) setImmediate(passOn);
  };
  return { write, flush };
}
