/** Names that a mistyped one may have been meant to be. */

/** Insertions, deletions, replacements and exchanges of neighbours that make one text of the other, by code points. */
export function editDistance(left: string, right: string): number {
  const [from, to] = [Array.from(left), Array.from(right)];
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [row, character] of from.entries()) {
    const current = [row + 1];
    for (const [column, other] of to.entries()) {
      const replaced = (previous[column] ?? 0) + (character === other ? 0 : 1);
      const deleted = (previous[column + 1] ?? 0) + 1;
      const inserted = (current[column] ?? 0) + 1;
      const exchangeable = row > 0 && column > 0 && character === to[column - 1] && from[row - 1] === other;
      const exchanged = exchangeable ? (beforePrevious[column - 1] ?? 0) + 1 : Infinity;
      current.push(Math.min(replaced, deleted, inserted, exchanged));
    }
    [beforePrevious, previous] = [previous, current];
  }
  return previous.at(-1) ?? 0;
}

/** One mistake is forgiven in a short name, and one more for every three characters. */
const ALLOWED_PER_CHARACTER = 1 / 3;
const MOST_NAMES = 3;

/** The nearest of the known names, at most three, nearest first; none if none is near. */
export function nearNames(wanted: string, known: Iterable<string>): string[] {
  const most = Math.max(1, Math.floor(Array.from(wanted).length * ALLOWED_PER_CHARACTER));
  return [...new Set(known)]
    .map((name) => {
      // A difference in case only is the smallest mistake.
      const sameLetters = name.toLowerCase() === wanted.toLowerCase();
      return { name, distance: sameLetters ? 0 : editDistance(wanted, name) };
    })
    .filter(({ name, distance }) => name !== wanted && distance <= most)
    .sort((left, right) => left.distance - right.distance)
    .slice(0, MOST_NAMES)
    .map(({ name }) => name);
}
