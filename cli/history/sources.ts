/** Where the records of the history are: the journal, where there is one, and the daemon's own files. */
import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import {
  HISTORY_FIELDS,
  HISTORY_FILE,
  HISTORY_FOLDER,
  HISTORY_FOLDER_VARIABLE,
  HISTORY_TARGET,
  OLDER_HISTORY_FILE,
  parseHistoryJson,
  parseJournalJson,
} from "../../src/history/forms";
import type { HistoryRecord } from "../../src/history/record";
import { HistoryError, messageOf } from "../errors";
import type { Io } from "../io";

type Env = Io["env"];

/** Milliseconds since 1970, both included. */
export interface Span {
  readonly since: number | null;
  readonly until: number | null;
}

const folderOf = (env: Env): string => {
  const named = env[HISTORY_FOLDER_VARIABLE] ?? "";
  return named === "" ? HISTORY_FOLDER : named;
};

export const historyFile = (env: Env): string => join(folderOf(env), HISTORY_FILE);

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";

/** Everybody may write to the journal; what root has written is the daemon's. */
const MATCHES = [`TARGET=${HISTORY_TARGET}`, "_UID=0"];

/** Of systemd's journalctl; it takes times in seconds. */
export const journalArguments = ({ since, until }: Span): string[] => [
  "--output=json",
  "--no-pager",
  `--output-fields=${HISTORY_FIELDS.join(",")}`,
  ...(since === null ? [] : [`--since=@${Math.floor(since / 1000)}`]),
  ...(until === null ? [] : [`--until=@${Math.ceil(until / 1000)}`]),
  ...MATCHES,
];

async function recordsIn(
  lines: Readable,
  parse: (line: string) => HistoryRecord | null,
): Promise<HistoryRecord[]> {
  const records: HistoryRecord[] = [];
  for await (const line of createInterface({ input: lines, crlfDelay: Infinity })) {
    const record = parse(line);
    if (record !== null) records.push(record);
  }
  return records;
}

/** What journalctl says, and calls a success, where the user may not read the system's journal. */
const NOT_PERMITTED =
  /^Hint: You are currently not seeing messages from other users|insufficient permissions/m;
const NO_JOURNAL = /^No journal files were (found|opened)/m;

/** Throws HistoryError if journalctl could not do what it was to do. */
function checkJournal(status: number | null, complaint: string): void {
  const failed = "Could not read the history:";
  if (NOT_PERMITTED.test(complaint))
    throw new HistoryError(
      `${failed} the system's journal is for root and members of the group systemd-journal only`,
    );
  if (status !== 0 && !NO_JOURNAL.test(complaint))
    throw new HistoryError(
      `${failed} journalctl ended with ${status === null ? "a signal" : `status ${status}`}: ${complaint.trim()}`,
    );
}

/** None where there is no journalctl, and so no journal. */
export async function journalRecords(env: Env, span: Span): Promise<HistoryRecord[]> {
  const child = spawn("journalctl", journalArguments(span), {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...env, LC_ALL: "C" },
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  try {
    const [records, complaint, status] = await Promise.all([
      recordsIn(child.stdout, parseJournalJson),
      text(child.stderr),
      ended,
    ]);
    checkJournal(status, complaint);
    return records;
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

async function fileRecords(path: string): Promise<HistoryRecord[]> {
  try {
    return await recordsIn(createReadStream(path), parseHistoryJson);
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    const why = code === "EACCES" ? `${path} is for root only` : messageOf(error);
    throw new HistoryError(`Could not read the history: ${why}`, { cause: error });
  }
}

const timeOf = ({ time }: HistoryRecord): number => Date.parse(time);

export const isWithin = (record: HistoryRecord, { since, until }: Span): boolean =>
  (since === null || timeOf(record) >= since) && (until === null || timeOf(record) <= until);

/** All records of the time, the oldest first. Throws HistoryError if one of the sources cannot be read. */
export async function readHistory(env: Env, span: Span): Promise<HistoryRecord[]> {
  const folder = folderOf(env);
  const found = await Promise.all([
    journalRecords(env, span),
    fileRecords(join(folder, OLDER_HISTORY_FILE)),
    fileRecords(join(folder, HISTORY_FILE)),
  ]);
  return found
    .flat()
    .filter((record) => isWithin(record, span))
    .sort((left, right) => timeOf(left) - timeOf(right));
}
