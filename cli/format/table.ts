/** Tables of text (cli.md §11.2). */
import { widthsOf } from "./width";

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

const COLUMN_GAP = "   ";

/**
 * The table with a header row, unless `header` is false. Every cell, those of the last column too, is padded to its column's width; columns are
 * parted by three blanks; each row ends in a newline. Every row must have a cell for each column.
 */
export async function tableText(
  columns: readonly Column[],
  rows: readonly string[][],
  { header = true } = {},
): Promise<string> {
  const all = [...(header ? [columns.map(({ title }) => title)] : []), ...rows];
  const widthOf = await widthsOf(all.flat());
  const widths = columns.map((_, index) =>
    all.reduce((widest, row) => Math.max(widest, widthOf(row[index] ?? "")), 0),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, index) => {
        const padding = " ".repeat((widths[index] ?? 0) - widthOf(cell));
        return columns[index]?.align === "right" ? padding + cell : cell + padding;
      })
      .join(COLUMN_GAP);
  return all.map((row) => `${line(row)}\n`).join("");
}
