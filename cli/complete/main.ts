/**
 * `stratis --complete WORD...`: what the last word can be, for completion by shells. Hidden: it is no command.
 *
 * Each line of the answer is a candidate, a tab, and its description. A line that begins with a tab tells the shell
 * something: "files" that the paths of files are to be completed.
 */
import type { Io } from "../io";
import { rootCommand } from "../parser/root";
import { messageOf } from "../errors";
import { completionOf } from "./candidates";
import { StratisdNames } from "./live-names";
import { positionOf } from "./position";

export const DIRECTIVE_FILES = "\tfiles";

/** A shell that waits for this is a shell that cannot be used. */
const PATIENCE_MS = 1500;

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no answer from stratisd within ${PATIENCE_MS} ms`));
    }, PATIENCE_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the exit code: 0, or 1 when what could be asked for was not answered. */
export async function complete(words: readonly string[], io: Io): Promise<number> {
  const position = positionOf(rootCommand, words.slice(0, -1), words.at(-1) ?? "");
  if (position === null) return 0;
  const live = new StratisdNames(io.env);
  try {
    const found = await inTime(completionOf(position, live));
    io.stdout.write(
      found === "files"
        ? `${DIRECTIVE_FILES}\n`
        : found.map(({ word, description }) => `${word}\t${description}\n`).join(""),
    );
    return 0;
  } catch (error) {
    io.stderr.write(`${messageOf(error)}\n`);
    return 1;
  } finally {
    live.close();
  }
}
