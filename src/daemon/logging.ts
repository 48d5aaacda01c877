/** The daemon's log: winston, one line per message on stderr, in the form that operators of stratisd know. */
import { createWriteStream } from "node:fs";
import * as winston from "winston";
import { LOG_LEVELS, setLogSink, type LogLevel } from "../log";
import { defaultFilter, isWanted, levelFilter, parseFilter, type LogFilter } from "./log-filter";
import { formatLine } from "./log-line";

const STDERR = 2;
/** How long an exit waits for a reader of the log that has stopped reading. */
const FLUSH_MILLISECONDS = 1000;

export function chooseFilter(logLevel: LogLevel | null, environment: NodeJS.ProcessEnv): LogFilter {
  if (logLevel !== null) return levelFilter(logLevel);
  const spec = environment["RUST_LOG"];
  if (spec === undefined) return defaultFilter;
  return parseFilter(spec, (text) => process.stderr.write(`${text}\n`));
}

/**
 * Starts logging; the result writes out what is pending.
 *
 * The stream writes on libuv's threads: a reader that has stopped reading holds up the log, not the daemon.
 */
export function startLogging(filter: LogFilter): () => Promise<void> {
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
  // Nobody is left to be told when stderr is closed.
  stream.on("error", () => {
    setLogSink(() => undefined);
  });
  setLogSink((level, target, message) => {
    if (isWanted(filter, level, target, message))
      log.log(level, formatLine(new Date(), level, target, message, colored));
  });
  return () =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, FLUSH_MILLISECONDS);
      log.once("finish", () => {
        stream.end(() => {
          clearTimeout(timer);
          resolve();
        });
      });
      log.end();
    });
}
