/** Which log messages are wanted: --log-level, or the environment variable RUST_LOG (system.md §3). */
import { LOG_LEVELS, type LogLevel } from "../log";

interface Directive {
  /** Prefix of the targets that it is about; "" is about all. */
  target: string;
  /** null: nothing. */
  level: LogLevel | null;
}

export interface LogFilter {
  directives: Directive[];
  /** What the text of a message must match; null: anything. */
  text: RegExp | null;
}

const most: LogLevel = "trace";

export const levelFilter = (level: LogLevel): LogFilter => ({
  directives: [{ target: "stratisd", level }],
  text: null,
});

export const defaultFilter: LogFilter = { directives: [{ target: "", level: "error" }], text: null };

/** `undefined`: no such level. `null`: "off". */
function parseLevel(word: string): LogLevel | null | undefined {
  const lower = word.toLowerCase();
  return lower === "off" ? null : LOG_LEVELS.find((level) => level === lower);
}

/** Directives that make no sense are left out; `warn` gets a text about each. */
export function parseFilter(spec: string, warn: (text: string) => void): LogFilter {
  const invalid = (what: string): void => {
    warn(`warning: invalid logging spec '${what}', ignoring it`);
  };
  const [list = "", pattern, ...more] = spec.split("/");
  if (more.length > 0) {
    invalid(spec);
    return { directives: [], text: null };
  }
  const directives = new Map<string, Directive>();
  for (const part of list.split(",").map((word) => word.trim())) {
    if (part === "") continue;
    const directive = parseDirective(part);
    if (directive === null) invalid(part);
    else directives.set(directive.target, directive);
  }
  return { directives: [...directives.values()], text: parsePattern(pattern, invalid) };
}

function parseDirective(part: string): Directive | null {
  const [target = "", levelWord, ...more] = part.split("=");
  if (more.length > 0) return null;
  if (levelWord === undefined) {
    const level = parseLevel(target);
    return level === undefined ? { target, level: most } : { target: "", level };
  }
  if (levelWord.trim() === "") return { target, level: most };
  const level = parseLevel(levelWord.trim());
  return level === undefined ? null : { target, level };
}

function parsePattern(pattern: string | undefined, invalid: (what: string) => void): RegExp | null {
  if (pattern === undefined) return null;
  try {
    return new RegExp(pattern, "u");
  } catch {
    // Said by the warning; what RUST_LOG holds must not keep the daemon from starting.
    invalid(pattern);
    return null;
  }
}

/** The directive with the longest matching prefix decides; without any, nothing is logged. */
export function isWanted(filter: LogFilter, level: LogLevel, target: string, message: string): boolean {
  let best: Directive | null = null;
  for (const directive of filter.directives) {
    if (!target.startsWith(directive.target)) continue;
    if (best === null || directive.target.length >= best.target.length) best = directive;
  }
  if (best?.level === undefined || best.level === null) return false;
  if (LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf(best.level)) return false;
  return filter.text === null || filter.text.test(message);
}
