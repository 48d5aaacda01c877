/**
 * Options that stratis-cli does not have. They are to be spelled in full, so that every abbreviation and every error
 * message is that of stratis-cli's own options.
 */
import type { TableSpec } from "./fields";
import { ValueError, type Command, type Option } from "./grammar";

const OUTPUT = "Output";
const EXECUTION = "Execution";

const json: Option = {
  name: "--json",
  words: "none",
  group: OUTPUT,
  extension: true,
  help: "print JSON, see JSON OUTPUT in stratis(8)",
};
const bytes: Option = {
  name: "--bytes",
  words: "none",
  group: OUTPUT,
  extension: true,
  help: "print sizes as numbers of bytes",
};
const noHeader: Option = {
  name: "--no-header",
  words: "none",
  group: OUTPUT,
  extension: true,
  help: "leave out the line with the columns' titles",
};
const watch: Option = {
  name: "--watch",
  words: "none",
  group: OUTPUT,
  extension: true,
  help: "print again whenever something changes, until interrupted",
};
const quiet: Option = {
  name: "--quiet",
  words: "none",
  group: OUTPUT,
  extension: true,
  help: "print nothing but errors and prompts",
};
const dryRun: Option = {
  name: "--dry-run",
  words: "none",
  group: EXECUTION,
  extension: true,
  help: "check everything that can be checked and say what would be done, but change nothing",
};
const yes: Option = {
  name: "--yes",
  words: "none",
  group: EXECUTION,
  extension: true,
  help: "do not ask before data are lost",
};

/** The words of --columns. */
export const columnNames = (text: string): string[] => text.split(",");

/** Of a command that shows several tables, the columns of all of them; its check has to tell them apart. */
const columns = (tables: readonly TableSpec[]): Option => {
  const known = new Set(tables.flatMap(({ fields }) => Object.keys(fields)));
  return {
    name: "--columns",
    metavar: "COLUMN[,...]",
    group: OUTPUT,
    extension: true,
    help: `columns to show, of: ${[...known].join(", ")}`,
    convert: (text) => {
      const unknown = columnNames(text).find((column) => !known.has(column));
      if (unknown !== undefined)
        throw new ValueError(`invalid column: '${unknown}' (choose from ${[...known].join(", ")})`);
      return text;
    },
  };
};

/** A complaint about the first column of --columns that `table` does not have. */
export function checkColumns(text: string | undefined, { fields }: TableSpec): string | null {
  if (text === undefined) return null;
  const unknown = columnNames(text).find((column) => !Object.hasOwn(fields, column));
  if (unknown === undefined) return null;
  return `argument --columns: invalid column: '${unknown}' (choose from ${Object.keys(fields).join(", ")})`;
}

const made = new WeakMap<Command, readonly Option[]>();

function extensionsOf({ shows, destructive }: Command): Option[] {
  switch (shows) {
    case undefined:
      return [];
    case "document":
      return [json];
    case "change":
      return [json, quiet, dryRun, ...(destructive === true ? [yes] : [])];
    default:
      return [
        json,
        ...(shows.some(({ fields }) => Object.values(fields).some(({ type }) => type === "size"))
          ? [bytes]
          : []),
        noHeader,
        columns(shows),
        ...(shows.every(({ unsignalled }) => unsignalled !== true) ? [watch] : []),
      ];
  }
}

/** The options that a command has beyond its own, by what it prints. */
export function extensions(command: Command): readonly Option[] {
  const known = made.get(command);
  if (known !== undefined) return known;
  const options = extensionsOf(command);
  made.set(command, options);
  return options;
}
