/** The forms of a record of the history: fields of a journal entry, and a line of JSON. */
import { HISTORY_RESULTS, printable, type HistoryRecord } from "./record";

/** TARGET of the entries in the journal, by which they are known. */
export const HISTORY_TARGET = "stratisd::history";
/** Where the records are that the journal has not. */
export const HISTORY_FOLDER = "/var/log/stratis";
export const HISTORY_FILE = "history.log";
/** The file before the one that is being written. */
export const OLDER_HISTORY_FILE = "history.log.1";
/** The environment variable that names another folder. */
export const HISTORY_FOLDER_VARIABLE = "STRATISD_LOG_DIRECTORY";

/** Name in the journal of each member but the time, which the journal has itself. */
const JOURNAL_NAMES = {
  uid: "STRATIS_CALLER_UID",
  pid: "STRATIS_CALLER_PID",
  command: "STRATIS_CALLER_COMM",
  left: "STRATIS_CALLER_LEFT",
  interface: "STRATIS_INTERFACE",
  operation: "OPERATION",
  object: "STRATIS_OBJECT",
  pool: "STRATIS_POOL",
  poolUuid: "POOL_UUID",
  result: "STRATIS_RESULT",
  error: "STRATIS_ERROR",
  durationMs: "STRATIS_DURATION_MS",
} as const satisfies Record<Exclude<keyof HistoryRecord, "time">, string>;

export const HISTORY_FIELDS: readonly string[] = Object.values(JOURNAL_NAMES);

/** The fields of the journal beside the message. What is not known, or does not apply, has none. */
export const historyFields = (record: HistoryRecord): (readonly [name: string, value: string])[] =>
  Object.entries(JOURNAL_NAMES).flatMap(([member, name]) => {
    const value = record[member as keyof typeof JOURNAL_NAMES];
    return value === null || value === false ? [] : [[name, String(value)] as const];
  });

/** A line of the file, with its newline. */
export const historyJson = (record: HistoryRecord): string => `${JSON.stringify(record)}\n`;

const textOf = (value: unknown): string | null => (typeof value === "string" ? printable(value) : null);

function numberOf(value: unknown): number | null {
  const number = typeof value === "string" && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/** The record that these members make, or null if they make none. */
function recordOf(members: Readonly<Record<string, unknown>>): HistoryRecord | null {
  const operation = textOf(members["operation"]);
  const result = HISTORY_RESULTS.find((known) => known === members["result"]);
  const time = textOf(members["time"]);
  if (operation === null || result === undefined || time === null || Number.isNaN(Date.parse(time)))
    return null;
  return {
    time,
    uid: numberOf(members["uid"]),
    pid: numberOf(members["pid"]),
    command: textOf(members["command"]),
    left: String(members["left"]) === "true",
    interface: textOf(members["interface"]) ?? "",
    operation,
    object: textOf(members["object"]),
    pool: textOf(members["pool"]),
    poolUuid: textOf(members["poolUuid"]),
    result,
    error: textOf(members["error"]),
    durationMs: numberOf(members["durationMs"]) ?? 0,
  };
}

function parseObject(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    // A line that was being written when the machine stopped: the others count.
    return null;
  }
}

/** Reads a line of the file; null for one that is no record. */
export function parseHistoryJson(line: string): HistoryRecord | null {
  const members = parseObject(line);
  return members === null ? null : recordOf(members);
}

/** Of a field that occurs more than once journalctl makes an array. */
const fieldText = (value: unknown): unknown => (Array.isArray(value) ? (value as unknown[])[0] : value);

/** Reads a line of `journalctl -o json`; null for one that is no record. */
export function parseJournalJson(line: string): HistoryRecord | null {
  const entry = parseObject(line);
  const stamp = numberOf(entry?.["__REALTIME_TIMESTAMP"]);
  const time = new Date((stamp ?? Number.NaN) / 1000);
  if (entry === null || Number.isNaN(time.getTime())) return null;
  const members = Object.fromEntries(
    Object.entries(JOURNAL_NAMES).map(([member, name]) => [member, fieldText(entry[name])]),
  );
  return recordOf({ ...members, time: time.toISOString() });
}
