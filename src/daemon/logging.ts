/**
 * The daemon's log: winston, one line per message on stderr, in the form that operators of stratisd know; or entries of
 * the journal, where stderr leads there.
 */
import { createWriteStream } from "node:fs";
import * as winston from "winston";
import type { Engine } from "../engine/engine";
import { LOG_LEVELS, setLogSink, type LogLevel } from "../log";
import { leadsToJournal, writeToJournal, type Field } from "./journal";
import { defaultFilter, isWanted, levelFilter, parseFilter, type LogFilter } from "./log-filter";
import { formatLine } from "./log-line";
import { subjectsOf } from "./log-subjects";

const STDERR = 2;
/** How long an exit waits for a reader of the log that has stopped reading. */
const FLUSH_MILLISECONDS = 1000;

export function chooseFilter(logLevel: LogLevel | null, environment: NodeJS.ProcessEnv): LogFilter {
  if (logLevel !== null) return levelFilter(logLevel);
  const spec = environment["RUST_LOG"];
  if (spec === undefined) return defaultFilter;
  return parseFilter(spec, (text) => process.stderr.write(`${text}\n`));
}

export interface Logging {
  /** Messages will be about what this engine has. */
  follow(engine: Engine): void;
  /** Writes out what is pending. Nothing can be logged afterwards. */
  flush(): Promise<void>;
}

/**
 * Starts logging, in the name of `program`.
 *
 * The stream writes on libuv's threads: a reader that has stopped reading holds up the log, not the daemon.
 */
export function startLogging(program: string, filter: LogFilter, environment: NodeJS.ProcessEnv): Logging {
  const colored = process.stderr.isTTY;
  const toJournal = leadsToJournal(environment);
  let known: Engine | null = null;
  const lines = startLines();
  setLogSink((level, target, message) => {
    if (!isWanted(filter, level, target, message)) return;
    const fields = (): Field[] => (known === null ? [] : subjectsOf(message, known));
    if (toJournal && writeToJournal(program, level, target, message, fields())) return;
    lines.write(level, formatLine(new Date(), level, target, message, colored));
  });
  return {
    follow: (engine) => {
      known = engine;
    },
    flush: () => lines.flush(),
  };
}

interface Lines {
  write(level: LogLevel, line: string): void;
  flush(): Promise<void>;
}

function startLines(): Lines {
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
  const flush = (): Promise<void> =>
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
  return { write: (level, text) => void log.log(level, text), flush };
}
