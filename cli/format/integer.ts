/** Integers in Python's syntax (cli.md §4.3): blanks around, a sign, underscores between digits, any decimal digits. */

const SYNTAX = /^\s*([+-]?)(\p{Nd}+(?:_\p{Nd}+)*)\s*$/u;

const isDigit = (codePoint: number): boolean => /^\p{Nd}$/u.test(String.fromCodePoint(codePoint));

/** Unicode's decimal digits come in runs of ten or of several tens, each from 0 to 9. */
function digitValue(digit: string): string {
  const codePoint = digit.codePointAt(0) ?? 0;
  let first = codePoint;
  while (isDigit(first - 1)) first--;
  return ((codePoint - first) % 10).toString();
}

/** The integer, or null for text that is none. */
export function parseInteger(text: string): bigint | null {
  const [, sign = "", digits = ""] = SYNTAX.exec(text) ?? [];
  if (digits === "") return null;
  const ascii = digits.replaceAll("_", "").replace(/\P{ASCII}/gu, digitValue);
  return sign === "-" ? -BigInt(ascii) : BigInt(ascii);
}
