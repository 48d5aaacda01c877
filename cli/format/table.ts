/** Tables of text (cli.md §11.2). */
import { widthsOf } from "./width";

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** What makes a padded cell of text ready for the terminal. */
  readonly paint?: (text: string) => string;
}

const COLUMN_GAP = "   ";

/**
 * The table with a header row, unless `header` is false. Every cell, those of the last column too, is padded to its column's width; columns are
 * parted by three blanks; each row ends in a newline. Every row must have a cell for each column.
 */
export async function tableText(
  columns: readonly Column[],
  rows: readonly string[][],
  { header = true, paintTitle = (text: string): string => text } = {},
): Promise<string> {
  const all = [...(header ? [columns.map(({ title }) => title)] : []), ...rows];
  const widthOf = await widthsOf(all.flat());
  const widths = columns.map((_, index) =>
    all.reduce((widest, row) => Math.max(widest, widthOf(row[index] ?? "")), 0),
  );
  const line = (row: readonly string[], isHeader: boolean): string =>
    row
      .map((cell, index) => {
        const { align, paint } = columns[index] ?? { align: "left" };
        const padding = " ".repeat((widths[index] ?? 0) - widthOf(cell));
        const padded = align === "right" ? padding + cell : cell + padding;
        return isHeader ? paintTitle(padded) : (paint?.(padded) ?? padded);
      })
      .join(COLUMN_GAP);
  return all.map((row, index) => `${line(row, header && index === 0)}\n`).join("");
}
