/** Lists as stratis-min prints them (system.md §19.3). */
import { ToolError } from "../tool";

export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
}

const GAP = 3;

const lengthOf = (text: string): number => Array.from(text).length;

/** Every cell is as wide as the widest of its column, in characters, and three blanks more. */
export function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const all = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => GAP + Math.max(...all.map((row) => lengthOf(row[index] ?? ""))));
  const cell = (text: string, index: number): string => {
    const blanks = " ".repeat((widths[index] ?? 0) - lengthOf(text));
    return columns[index]?.align === "right" ? blanks + text : text + blanks;
  };
  return all.map((row) => `${row.map(cell).join("")}\n`).join("");
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/** In the largest unit of which there is one, with two decimals, cut and not rounded. */
export function sizeText(bytes: bigint): string {
  let exponent = 0;
  while (exponent < UNITS.length - 1 && bytes >= 1024n ** BigInt(exponent + 1)) exponent += 1;
  const hundredths = (100n * bytes) / 1024n ** BigInt(exponent);
  return `${hundredths / 100n}.${(hundredths % 100n).toString().padStart(2, "0")} ${UNITS[exponent] ?? ""}`;
}

/** Columns of a parallel-array answer as rows. Throws ToolError for anything else. */
export function rowsOf(answer: unknown, columns: number): unknown[][] {
  const arrays: readonly unknown[] = Array.isArray(answer) ? answer : [];
  const lengths = new Set(arrays.map((array) => (Array.isArray(array) ? array.length : -1)));
  const [length] = lengths;
  if (arrays.length !== columns || lengths.size !== 1 || length === undefined || length < 0)
    throw new ToolError("stratisd-min sent a list of another form than this program knows");
  return Array.from({ length }, (_, row) => arrays.map((array) => (array as unknown[])[row]));
}

const textOf = (value: unknown): string => {
  if (typeof value !== "string") throw new ToolError("stratisd-min sent something else than text in a list");
  return value;
};
const bytesOf = (value: unknown): bigint => {
  if (typeof value !== "bigint")
    throw new ToolError("stratisd-min sent something else than a size in a list");
  return value;
};

export function poolTable(answer: unknown): string {
  const rows = rowsOf(answer, 4).map(([name, sizes, properties, uuid]) => {
    const [total, used] = sizes as unknown[];
    const size = bytesOf(total);
    const usage =
      used === null
        ? ["FAILURE", "FAILURE"]
        : [sizeText(bytesOf(used)), sizeText(size > bytesOf(used) ? size - bytesOf(used) : 0n)];
    const [cache, encrypted] = properties as unknown[];
    return [
      textOf(name),
      [sizeText(size), ...usage].join(" / "),
      `${cache === true ? " " : "~"}Ca,${encrypted === true ? " " : "~"}Cr`,
      textOf(uuid),
    ];
  });
  return tableText(
    [
      { title: "Name", align: "left" },
      { title: "Total Physical", align: "right" },
      { title: "Properties", align: "right" },
      { title: "UUID", align: "right" },
    ],
    rows,
  );
}

export function filesystemTable(answer: unknown): string {
  const titles = ["Pool Name", "Name", "Used", "Created", "Device", "UUID"];
  const rows = rowsOf(answer, titles.length).map(([pool, name, used, created, device, uuid]) => [
    textOf(pool),
    textOf(name),
    used === null ? "FAILURE" : sizeText(bytesOf(used)),
    textOf(created),
    textOf(device),
    textOf(uuid),
  ]);
  return tableText(
    titles.map((title) => ({ title, align: "left" })),
    rows,
  );
}

export function keyTable(answer: unknown): string {
  if (!Array.isArray(answer)) throw new ToolError("stratisd-min sent something else than a list of keys");
  return tableText(
    [{ title: "Key Description", align: "left" }],
    answer.map((key) => [textOf(key)]),
  );
}
