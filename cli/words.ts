/** The words of the command line as bytes: Node.js decodes them, and loses what is not UTF-8. */
import { readFileSync } from "node:fs";

const REPLACEMENT = "\ufffd";

/** The first word of a command line, as in /proc/PID/cmdline, that is not UTF-8, as far as it can be shown. */
export function illFormedWord(commandLine: Uint8Array): string | null {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let begin = 0;
  for (let end = commandLine.indexOf(0); end !== -1; end = commandLine.indexOf(0, begin)) {
    const word = commandLine.subarray(begin, end);
    begin = end + 1;
    try {
      decoder.decode(word);
    } catch {
      return Buffer.from(word).toString("utf8");
    }
  }
  return null;
}

/** A complaint about words that are not what was typed; null if all are. */
export function wordsComplaint(words: readonly string[]): string | null {
  if (!words.some((word) => word.includes(REPLACEMENT))) return null;
  const word = illFormedWord(readFileSync("/proc/self/cmdline"));
  return word === null ? null : `argument is not valid UTF-8: '${word}'`;
}
