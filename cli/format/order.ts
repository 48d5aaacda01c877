/** Order of text by Unicode code point, ascending: the order of every listing (cli.md §11.2). */

/** A UTF-16 unit, moved so that surrogates, which stand for the highest code points, come after all others. */
const rank = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800);

/** Comparison function for sorting: negative, zero or positive. */
export function byCodePoint(left: string, right: string): number {
  const common = Math.min(left.length, right.length);
  for (let index = 0; index < common; index++) {
    const difference = rank(left.charCodeAt(index)) - rank(right.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
