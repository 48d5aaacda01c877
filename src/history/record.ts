/**
 * The history: a record of each call that was to change something, made when it has ended. The daemon writes them
 * (src/daemon/history.ts), `stratis history` reads them; their two forms are in forms.ts.
 */

/** "unchanged": everything was as asked for already. */
export const HISTORY_RESULTS = ["ok", "unchanged", "failed"] as const;
export type HistoryResult = (typeof HISTORY_RESULTS)[number];

/** The process that asked. What is not known is null. */
export interface Caller {
  readonly uid: number | null;
  readonly pid: number | null;
  /** As the kernel has it, at most 15 bytes. A process can give itself another one. */
  readonly command: string | null;
  /** It had gone before it could be found out who it was. */
  readonly left: boolean;
}

/** What a call is about. */
export interface Subject {
  /** In words: "pool data", "filesystem home in pool data". */
  readonly object: string | null;
  /** Name and UUID of the pool. */
  readonly pool: string | null;
  readonly poolUuid: string | null;
}

export interface Outcome {
  readonly result: HistoryResult;
  /** Why it failed. */
  readonly error: string | null;
}

/** Texts are bounded and have no control characters. */
export interface HistoryRecord extends Caller, Subject, Outcome {
  /** When the call ended, by RFC 3339. */
  readonly time: string;
  readonly interface: string;
  /** A method, or "Set" and a property. */
  readonly operation: string;
  readonly durationMs: number;
}

export const NOBODY: Caller = { uid: null, pid: null, command: null, left: false };
export const NO_SUBJECT: Subject = { object: null, pool: null, poolUuid: null };
export const DONE: Outcome = { result: "ok", error: null };
export const UNCHANGED: Outcome = { result: "unchanged", error: null };
export const failure = (error: string): Outcome => ({ result: "failed", error });

/** In code points, so that no text has 4096 bytes: longer fields journalctl leaves out of its JSON. */
const MOST_CHARACTERS = 400;
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const PLAIN = /^[ -~]*$/;

const firstCharacters = (text: string): string => Array.from(text).slice(0, MOST_CHARACTERS).join("");

/** Text that a terminal can be given: what is no character to look at is spelled out, and what is too long cut. */
export function printable(text: string): string {
  if (text.length <= MOST_CHARACTERS && PLAIN.test(text)) return text;
  // Before anything looks at each character: a name that was refused may have a million of them.
  const start = firstCharacters(text.slice(0, 2 * MOST_CHARACTERS));
  const shown = start.replace(
    UNPRINTABLE,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
  const cut = firstCharacters(shown);
  return start.length < text.length || cut.length < shown.length ? `${cut}...` : cut;
}

export function callerText({ left, command, uid, pid }: Caller): string {
  if (left) return "a process that has gone";
  return `${command ?? "an unknown command"} (uid ${uid ?? "unknown"}, pid ${pid ?? "unknown"})`;
}

export const operationText = ({ operation, object }: Pick<HistoryRecord, "operation" | "object">): string =>
  object === null ? operation : `${operation} of ${object}`;

/** The record as a person reads it in the log. */
export function historyLine(record: HistoryRecord): string {
  const { result, error, durationMs } = record;
  const end = `${result} after ${durationMs} ms${error === null ? "" : `: ${error}`}`;
  return `${operationText(record)}, asked for by ${callerText(record)}: ${end}`;
}
