/** The daemon's log: lines on stderr, or entries of the journal, where stderr leads there. */
import type { Engine } from "../engine/engine";
import { setLogSink, type LogLevel } from "../log";
import { leadsToJournal, writeToJournal, type Field } from "./journal";
import { defaultFilter, isWanted, levelFilter, parseFilter, type LogFilter } from "./log-filter";
import type { LineLog } from "./line-log";
import { subjectsOf } from "./log-subjects";

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

/** Loaded with the first line: a daemon whose log is the journal, and that begins from its script, starts sooner without. */
function startLineLog(onClosed: () => void): LineLog {
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() would be answered after the message
  const { startLines } = require("./line-log") as typeof import("./line-log");
  return startLines(onClosed);
}

/** Starts logging, in the name of `program`. */
export function startLogging(program: string, filter: LogFilter, environment: NodeJS.ProcessEnv): Logging {
  const toJournal = leadsToJournal(environment);
  let known: Engine | null = null;
  let lines: LineLog | null = null;
  setLogSink((level, target, message) => {
    if (!isWanted(filter, level, target, message)) return;
    const fields = (): Field[] => (known === null ? [] : subjectsOf(message, known));
    if (toJournal && writeToJournal(program, level, target, message, fields())) return;
    lines ??= startLineLog(() => {
      // Nobody is left to be told when stderr is closed.
      setLogSink(() => undefined);
    });
    lines.write(level, target, message);
  });
  return {
    follow: (engine) => {
      known = engine;
    },
    flush: async () => {
      await lines?.flush();
    },
  };
}
