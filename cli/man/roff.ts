/** Manual pages in the macros of man(7). A page is a list of lines of roff. */

/** Bytes that a line of a page should not exceed. */
const LINE_BYTES = 80;

/** At the beginning of a line these two make a request. */
const protectedLine = (line: string): string => line.replace(/^(['.])/, "\\&$1");

/** Text that roff is to print as it is. */
export const escaped = (text: string): string =>
  text.replaceAll("\\", "\\e").replaceAll("-", "\\-").split("\n").map(protectedLine).join("\n");

/** Lines that roff fills: each begins a sentence, or goes on with one that is too long for a line. */
function broken(roff: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of roff.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && longer.length >= LINE_BYTES) {
      lines.push(line);
      line = word;
    } else line = longer;
    if (/[.!?](\\fR)?$/.test(word)) {
      lines.push(line);
      line = "";
    }
  }
  return [...lines, line]
    .filter((text) => text !== "")
    .map(protectedLine)
    .join("\n");
}

export const bold = (text: string): string => `\\fB${escaped(text)}\\fR`;
export const italic = (text: string): string => `\\fI${escaped(text)}\\fR`;

/** Markup in prose: `words to be typed` in bold, *what they stand for* in italics. */
export const prose = (text: string): string => broken(marked(text));

const marked = (text: string): string =>
  text
    .split(/(`[^`]+`|\*[^*]+\*)/)
    .map((part) => {
      if (/^`.+`$/.test(part)) return bold(part.slice(1, -1));
      return /^\*.+\*$/.test(part) ? italic(part.slice(1, -1)) : escaped(part);
    })
    .join("");

/** An argument of a request, which may have blanks. */
const argument = (text: string): string => `"${text.replaceAll('"', '""')}"`;

export const title = (name: string, section: number, date: string, source: string): string =>
  [
    ".TH",
    argument(name.toUpperCase()),
    section.toString(),
    date,
    argument(escaped(source)),
    argument("System Administration"),
  ].join(" ");

export const section = (name: string): string => `.SH ${escaped(name.toUpperCase())}`;
export const subsection = (name: string): string => `.SS ${escaped(name)}`;

/** A paragraph that follows another. */
export const paragraph = (text: string): string[] => [".PP", prose(text)];

/** A term in roff, and its description: paragraphs in markup, at least one. */
export const entry = (term: string, [first = "", ...more]: readonly string[]): string[] => [
  ".TP",
  term,
  prose(first),
  ...more.flatMap((text) => [".IP", prose(text)]),
];

/** Indented under the entry before it. */
export const nested = (lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [".RS", ...lines, ".RE"];

/** Lines as they would be typed or shown. */
export const example = (lines: readonly string[]): string[] => [
  ".PP",
  ".RS 4",
  ".EX",
  ...lines.map(escaped),
  ".EE",
  ".RE",
];
