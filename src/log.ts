/**
 * Log messages of every room, by target. What happens to them is decided by whoever sets the sink: the daemon sends
 * them to winston (src/daemon/logging.ts), tests collect them, and by default they go nowhere.
 */

export const LOG_LEVELS = ["error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Logger {
  error(message: string): void;
  warn(message: string): void;
  info(message: string): void;
  debug(message: string): void;
  trace(message: string): void;
}

export type LogSink = (level: LogLevel, target: string, message: string) => void;

let sink: LogSink = () => undefined;

export function setLogSink(newSink: LogSink): void {
  sink = newSink;
}

/** `target` names the component the way operators filter on: "stratisd::engine::discovery". */
export function logger(target: string): Logger {
  return {
    error: (message) => {
      sink("error", target, message);
    },
    warn: (message) => {
      sink("warn", target, message);
    },
    info: (message) => {
      sink("info", target, message);
    },
    debug: (message) => {
      sink("debug", target, message);
    },
    trace: (message) => {
      sink("trace", target, message);
    },
  };
}
