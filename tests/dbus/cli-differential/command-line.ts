/** The lines of the corpus: a shell's, as far as words, quotes, variables and here-strings go. */

export interface CommandLine {
  /** As it is in the corpus. */
  readonly line: string;
  /** After the program's name. */
  readonly words: readonly string[];
  /** What standard input holds; null when nobody is to read it. */
  readonly input: string | null;
  readonly env: Readonly<Record<string, string>>;
}

const WORD = /'([^']*)'|([^\s']+)/y;
const VARIABLE = /^([A-Z_]+)=(.*)$/;
const HERE_STRING = "<<<";

/** Quoted parts keep their blanks; a word may be made of several parts. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  let position = 0;
  let isOpen = false;
  while (position < line.length) {
    WORD.lastIndex = position;
    const found = WORD.exec(line);
    if (found === null) {
      if (line[position] !== " ") throw new Error(`This line of the corpus cannot be read: ${line}`);
      position += 1;
      isOpen = false;
      continue;
    }
    const part = found[1] ?? found[2] ?? "";
    if (isOpen) words.push((words.pop() ?? "") + part);
    else words.push(part);
    isOpen = true;
    position = WORD.lastIndex;
  }
  return words;
}

/** `\n` stands for a newline, in input and in words. */
const unescaped = (text: string): string => text.replaceAll("\\n", "\n");

export function commandLine(line: string): CommandLine {
  const words = wordsOf(line).map(unescaped);
  const env: Record<string, string> = {};
  for (;;) {
    const found = VARIABLE.exec(words[0] ?? "");
    if (found === null) break;
    env[found[1] ?? ""] = found[2] ?? "";
    words.shift();
  }
  const here = words.indexOf(HERE_STRING);
  const input = here < 0 ? null : words.splice(here).slice(1).join(" ");
  const [program, ...rest] = words;
  if (program !== "stratis") throw new Error(`This line of the corpus does not run stratis: ${line}`);
  return { line, words: rest, input, env };
}

/** One command a line; empty lines and comments are for the reader. */
export const commandLines = (text: string): CommandLine[] =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map(commandLine);
