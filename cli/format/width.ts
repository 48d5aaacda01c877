/** Display width of text in terminal cells (cli.md §11.2, rule 2). */

const ASCII = /^[\x20-\x7e]*$/;
/** Combining marks, format characters (zero width space, joiners, ...) and the second half of Hangul syllables. */
const ZERO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\ud7b0-\ud7fb]/u;
/** Has a width although it is a format character. */
const SOFT_HYPHEN = 0xad;
const EMOJI_STYLE = "\ufe0f";
const JOINER = "\u200d";

const isFlagLetter = (character: string): boolean => /^\p{Regional_Indicator}$/u.test(character);
const isPictograph = (character: string): boolean => /^\p{Extended_Pictographic}$/u.test(character);

type CodePointWidth = (codePoint: number) => number;

/**
 * The width of one grapheme cluster: of its first character that has a width. Exceptions: two flag letters, and a
 * pictograph that a variation selector or a joined pictograph makes an emoji, take two cells.
 */
function clusterWidth(cluster: string, widthOf: CodePointWidth): number {
  const characters = Array.from(cluster);
  const first = characters.find(
    (character) => character.codePointAt(0) === SOFT_HYPHEN || !ZERO_WIDTH.test(character),
  );
  if (first === undefined) return 0;
  if (isFlagLetter(first) && characters.filter(isFlagLetter).length > 1) return 2;
  if (isPictograph(first) && (cluster.includes(EMOJI_STYLE) || cluster.includes(JOINER))) return 2;
  // A cluster may hold several spacing characters in some scripts (Indic vowels, for one): each has its cells.
  let width = 0;
  for (const character of characters) {
    if (ZERO_WIDTH.test(character) && character.codePointAt(0) !== SOFT_HYPHEN) continue;
    width += widthOf(character.codePointAt(0) ?? 0);
  }
  return width;
}

/** A function that tells the width of each of `texts`. The tables of wide characters are loaded only if needed. */
export async function widthsOf(texts: readonly string[]): Promise<(text: string) => number> {
  if (texts.every((text) => ASCII.test(text))) return (text) => text.length;
  const { eastAsianWidth } = await import("get-east-asian-width");
  const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" });
  return (text) => {
    if (ASCII.test(text)) return text.length;
    let width = 0;
    for (const { segment } of segmenter.segment(text)) width += clusterWidth(segment, eastAsianWidth);
    return width;
  };
}
