/** The form of a line of the log, which operators of stratisd know. */
import type { LogLevel } from "../log";

const LEVEL_COLUMNS = 5;

const COLORS: Record<LogLevel, string> = {
  error: "\u001b[1;31m",
  warn: "\u001b[33m",
  info: "\u001b[32m",
  debug: "\u001b[34m",
  trace: "\u001b[36m",
};

/** `[2026-01-02T03:04:05Z INFO  target] message`; further lines of a message are indented. */
export function formatLine(
  time: Date,
  level: LogLevel,
  target: string,
  message: string,
  colored: boolean,
): string {
  const stamp = time.toISOString().replace(/\.\d+Z$/, "Z");
  const word = level.toUpperCase().padEnd(LEVEL_COLUMNS);
  const shown = colored ? `${COLORS[level]}${word}\u001b[0m` : word;
  return `[${stamp} ${shown} ${target}] ${message.replaceAll("\n", "\n    ")}`;
}
