/** Commands to type, as a shell reads them. */

/** A word, in quotes if it needs them. */
export const shellWord = (text: string): string =>
  /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

export const commandLine = (...words: readonly string[]): string => words.map(shellWord).join(" ");

/** "a", "a" or "b", "a", "b" or "c" in quotes. */
export function alternatives(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`);
  return quoted.length < 2
    ? (quoted[0] ?? "")
    : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1) ?? ""}`;
}
