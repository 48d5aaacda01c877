#!/usr/bin/env node
/** The `stratis` command: connects the process to main.ts. */
import { chainText } from "./chain";
import { interrupted } from "./interrupt";
import { main } from "./main";
import { wordsComplaint } from "./words";

const FAILURE = 1;
const WRONG_COMMAND_LINE = 2;

/** A reader that goes away ends the run (cli.md §8.6). */
function onOutputError(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.stderr.write("Broken pipe\n");
  else process.stderr.write(`Could not write to standard output: ${error.message}\n`);
  process.exit(FAILURE);
}

process.stdout.on("error", onOutputError);
process.stderr.on("error", () => {
  // There is no place left where this could be told.
  process.exit(FAILURE);
});
process.once("SIGINT", interrupted);

/** Names are text: what would be done with a name that is none is not what was asked for. */
function run(words: readonly string[]): Promise<number> {
  const complaint = wordsComplaint(words);
  if (complaint === null) return main(words, process);
  process.stderr.write(`stratis: error: ${complaint}\n`);
  return Promise.resolve(WRONG_COMMAND_LINE);
}

run(process.argv.slice(2)).then(
  (code) => {
    // Not process.exit: output that is still under way would be lost.
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(chainText(error));
    process.exitCode = FAILURE;
  },
);
