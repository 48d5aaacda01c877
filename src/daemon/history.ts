/**
 * Where the records of the history go: to the journal, where that has the daemon's log, and otherwise to a file. What
 * --log-level leaves out of the log is in the history all the same.
 */
import {
  HISTORY_FOLDER,
  HISTORY_FOLDER_VARIABLE,
  HISTORY_TARGET,
  historyFields,
  historyJson,
} from "../history/forms";
import { historyLine, type HistoryRecord } from "../history/record";
import type { WriteRecord } from "../history/recorder";
import { logger, type LogLevel } from "../log";
import { HistoryFile } from "./history-file";
import { leadsToJournal, writeToJournal } from "./journal";

const log = logger(HISTORY_TARGET);

export interface History {
  readonly write: WriteRecord;
  /** Resolves when what was written is where it belongs, or that takes too long. */
  flush(): Promise<void>;
}

interface Surroundings {
  readonly env: NodeJS.ProcessEnv;
  /** Of which nothing is kept on disk, unless the environment names a folder. */
  readonly simulator: boolean;
}

function fileFor({ env, simulator }: Surroundings): HistoryFile | null {
  const folder = env[HISTORY_FOLDER_VARIABLE] ?? "";
  if (folder === "") return simulator ? null : new HistoryFile(HISTORY_FOLDER);
  return new HistoryFile(folder);
}

const levelOf = ({ result }: HistoryRecord): LogLevel => (result === "failed" ? "warn" : "info");

/** `program` is the name of the daemon in the journal. */
export function openHistory(
  program: string,
  surroundings: Surroundings,
  send: typeof writeToJournal = writeToJournal,
): History {
  const toJournal = leadsToJournal(surroundings.env);
  const file = fileFor(surroundings);
  return {
    write: (record) => {
      const [level, line] = [levelOf(record), historyLine(record)];
      if (toJournal && send(program, level, HISTORY_TARGET, line, historyFields(record))) return;
      file?.append(historyJson(record));
      log[level](line);
    },
    flush: async () => {
      await file?.flush();
    },
  };
}
