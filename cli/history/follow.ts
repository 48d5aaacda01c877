/** Records of the history as they come: the programs that follow a journal and a file give their lines. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { parseHistoryJson, parseJournalJson } from "../../src/history/forms";
import type { HistoryRecord } from "../../src/history/record";
import { HistoryError } from "../errors";
import type { Io } from "../io";
import { historyFile, isWithin, journalArguments, type Span } from "./sources";

interface Follower {
  readonly program: string;
  readonly args: readonly string[];
  readonly parse: (line: string) => HistoryRecord | null;
}

/** Resolves when the program has ended, which it does when it cannot go on; to false if there is no such program. */
async function follow(
  { program, args, parse }: Follower,
  env: Io["env"],
  show: (record: HistoryRecord) => Promise<void>,
): Promise<boolean> {
  const child = spawn(program, args, {
    // That a file is not there yet is nothing to be told.
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...env, LC_ALL: "C" },
  });
  const started = once(child, "spawn").then(
    () => true,
    () => false,
  );
  const end = (): void => {
    child.kill();
  };
  process.once("exit", end);
  for await (const line of createInterface({ input: child.stdout })) {
    const record = parse(line);
    if (record !== null) await show(record);
  }
  process.off("exit", end);
  return started;
}

/** Shows what ends from `span.since` on. Never resolves; throws HistoryError when nothing can be followed any more. */
export async function followHistory(
  env: Io["env"],
  span: Span,
  show: (record: HistoryRecord) => Promise<void>,
): Promise<never> {
  const followers: Follower[] = [
    {
      program: "journalctl",
      args: ["--follow", "--no-tail", ...journalArguments(span)],
      parse: parseJournalJson,
    },
    {
      program: "tail",
      args: ["--follow=name", "--retry", "--lines=+1", historyFile(env)],
      parse: parseHistoryJson,
    },
  ];
  const ended = await Promise.all(
    followers.map((follower) =>
      follow(follower, env, async (record) => {
        if (isWithin(record, span)) await show(record);
      }),
    ),
  );
  throw new HistoryError(
    ended.includes(true)
      ? "Could not go on following the history: the programs that do have ended"
      : "Could not follow the history: there is neither journalctl nor tail",
  );
}
