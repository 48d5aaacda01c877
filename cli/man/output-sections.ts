/** The sections of stratis(8) on what is printed. */
import { extensions } from "../parser/extensions";
import * as fields from "../parser/fields";
import type { Command, Option } from "../parser/grammar";
import { sentence, shownOption } from "./commands";
import { bold, entry, example, nested, paragraph, prose, subsection } from "./roff";

/** One command of each kind, to ask for the options of the kind. */
const KINDS: readonly { readonly what: string; readonly command: Command }[] = [
  { what: "Of commands that list things:", command: kind([fields.POOLS]) },
  { what: "Of commands that change something:", command: kind("change", true) },
  { what: "Of other commands that show something:", command: kind("document") },
];

function kind(shows: NonNullable<Command["shows"]>, destructive = false): Command {
  return { name: "", help: "", shows, ...(destructive ? { destructive: true } : {}) };
}

/** The names of the columns are told with the lists. */
const helpOf = ({ name, help }: Option): string =>
  name === "--columns"
    ? "Columns to show, by the names under LIST OUTPUT FIELDS. With `--json`, the members that objects are to have. With " +
      "`--name` or `--uuid`, a table of one row instead of the detailed view."
    : name === "--yes"
      ? `${help}; only of commands that may lose some`
      : help;

export const commonOptionEntries = (): string[] => [
  prose(
    "All of these are additions to stratis-cli, as are some of the options of single commands. They cannot be abbreviated.",
  ),
  ...KINDS.flatMap(({ what, command }) => [
    ...paragraph(what),
    ...nested(
      extensions(command).flatMap((option) => entry(shownOption(option), [sentence(helpOf(option))])),
    ),
  ]),
];

const TABLES: readonly {
  readonly command: string;
  readonly standard: string;
  readonly table: fields.TableSpec;
}[] = [
  {
    command: "stratis pool list",
    standard:
      "Columns: name; size, part of it that is used, and the rest; properties; UUID; codes of alerts. The properties are " +
      "Le (metadata version 1), Ca (cache), Cr (encrypted) and Op (overprovisioning is possible), with `~` before what the pool " +
      "has not, and `?` for what is not known.",
    table: fields.POOLS,
  },
  {
    command: "stratis pool list --stopped",
    standard:
      "Columns: name; metadata version; UUID; number of devices; whether a key and Clevis can unlock the pool.",
    table: fields.STOPPED_POOLS,
  },
  {
    command: "stratis filesystem list",
    standard: "Columns: pool; name; size, part of it that is used, the rest, and limit; device; UUID.",
    table: fields.FILESYSTEMS,
  },
  {
    command: "stratis blockdev list",
    standard:
      "Columns: pool; device, and in brackets the one that holds the metadata if that is another; size in use, and in brackets " +
      "the size that the device has now if that is another; tier; UUID.",
    table: fields.BLOCKDEVS,
  },
  { command: "stratis key list", standard: "One column.", table: fields.KEYS },
  {
    command: "stratis history",
    standard: "Columns: time; command, user and process that asked; operation and what it was about; result.",
    table: fields.HISTORY,
  },
];

const typeText = (type: fields.FieldType): string =>
  ({
    text: "string",
    uuid: "string, a UUID with hyphens",
    time: "string, a time by RFC 3339",
    size: "integer, bytes",
    integer: "integer",
    flag: "boolean",
    words: "array of strings",
    data: "array",
  })[type];

export const listSection = (): string[] => [
  prose(
    "What is not known is shown as `???`. Each list has a table of its own, and these fields for `--columns` and `--json`. " +
      "The form in brackets is that of JSON.",
  ),
  ...TABLES.flatMap(({ command, standard, table }) => [
    subsection(command),
    prose(standard),
    ...Object.entries(table.fields).flatMap(([name, { help, type }]) =>
      entry(bold(name), [sentence(`${help} (${typeText(type)})`)]),
    ),
  ]),
];

const DOCUMENTS: readonly (readonly [string, string])[] = [
  ...TABLES.map(({ command, table }): [string, string] => [
    table.key,
    `Of \`${command}\`: an array of objects, also when there is only one.`,
  ]),
  [
    "action, dry_run, finished, created, changed, removed, unchanged",
    "Of commands that change something: the command, whether it was only rehearsed, whether it is done or stratisd goes on " +
      "with it, and four arrays of what was changed. Their objects have *kind* (pool, filesystem, blockdev, key or daemon) and, " +
      "as far as they apply, *name*, *uuid*, *device*, *pool* (its name) and *set* (an object of the fields that have a new value).",
  ],
  ["alert", "Of `stratis pool explain`: *code*, *summary*, *explanation*."],
  ["report, contents", "Of `stratis report`: the name of the report, and the report."],
  [
    "healthy, findings",
    "Of `stratis doctor`: whether there is neither a warning nor an error, and an array of objects with *check*, *level*, " +
      "*message* and *advice* (null if there is none).",
  ],
  [
    "metrics",
    "Of `stratis metrics`: an array of objects with *name*, *type*, *unit* (null if there is none), *help* and *samples*, which " +
      "are objects with *labels* and *value*.",
  ],
  ["daemon", "Of `stratis daemon version`: *version*."],
  ["object_path", "Of the commands `debug get-object-path`."],
  ["metadata", "Of the commands `debug get-metadata`."],
  [
    "error",
    "On standard error when a command fails; standard output stays empty. *kind* is one of unintended_command, no_effect, " +
      "not_found, engine, incoherence, partly_done, declined, version, no_bus, dbus, interface, uevent, environment, unsupported, " +
      "history and internal; *message* is for people. With no_effect, *would_change* and *unchanged* name what would be changed and " +
      "what would not; with dbus, *dbus_error* is the name of the error; with partly_done, *created*, *changed*, *removed* and " +
      "*unchanged* are as above. A wrong command line is always told as text.",
  ],
];

export const jsonSection = (): string[] => [
  prose(
    "With `--json` a command prints one object. Its member *version* is 1. The number grows when a member is renamed or removed " +
      "or means something else; members may be added at any time. Integers are exact, and can be larger than what fits into a " +
      "floating point number. A member that stratisd could not tell is left out; one for which there is no value is null. " +
      "Other members, by command:",
  ),
  ...DOCUMENTS.flatMap(([members, text]) => entry(bold(members), [text])),
  ...paragraph("For example, all pools with an alert:"),
  ...example(["stratis pool list --json | jq '.pools[] | select(.alerts != []) | .name'"]),
];
