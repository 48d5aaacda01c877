/** The commands and their options in the manual page, from the grammar. */
import { extensions } from "../parser/extensions";
import type { Command, Option, Positional } from "../parser/grammar";
import { COMMAND_NOTES } from "./notes";
import { bold, entry, escaped, italic, nested, prose } from "./roff";

const shownPositional = ({ name, shown, count }: Positional): string => {
  const text = italic(shown ?? name);
  if (count === "many") return `${text}...`;
  return count === "optional" ? `[${text}]` : text;
};

export function shownOption({ name, short, words, metavar = "VALUE" }: Option): string {
  const flag = short === undefined ? bold(name) : `${bold(short)}, ${bold(name)}`;
  if (words === "none") return flag;
  const value = metavar.startsWith("{") ? escaped(metavar) : italic(metavar);
  return words === "any" ? `${flag} [${value}...]` : `${flag} ${value}`;
}

const synopsis = (path: readonly Command[], command: Command): string =>
  [
    bold(path.map(({ name }) => name).join(" ")),
    ...((command.options ?? []).length > 0 ? [`[${italic("options")}]`] : []),
    ...(command.positionals ?? []).map(shownPositional),
  ].join(" ");

/** Help as the manual shows it. */
export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** The options that are the command's own. Those of its kind are described once for all. */
const ownOptions = ({ options = [] }: Command): string[] =>
  options
    .filter(({ hidden }) => hidden !== true)
    .flatMap((option) => entry(shownOption(option), [sentence(option.help)]));

function ownPositionals({ positionals = [] }: Command): string[] {
  return positionals.flatMap((positional) => entry(shownPositional(positional), [sentence(positional.help)]));
}

const commonText = (command: Command): string => {
  const names = extensions(command).map(({ name }) => `\`${name}\``);
  return names.length === 0 ? "" : `Takes ${names.join(", ")} too.`;
};

function entryOf(path: readonly Command[], command: Command): string[] {
  const words = path
    .slice(1)
    .map(({ name }) => name)
    .join(" ");
  const aliases = command.aliases ?? [];
  const summary = [
    command.commands === undefined ? sentence(command.help) : `The same as \`stratis ${words} list\`.`,
    ...(command.epilogue === undefined ? [] : [command.epilogue]),
    ...(aliases.length === 0 ? [] : [`Also spelled ${aliases.map((alias) => `\`${alias}\``).join(", ")}.`]),
  ].join(" ");
  const texts = [summary, ...(COMMAND_NOTES[words] ?? []), commonText(command)].filter((text) => text !== "");
  return [
    ...entry(synopsis(path, command), texts),
    ...nested([...ownPositionals(command), ...ownOptions(command)]),
  ];
}

/** All commands below one that can be run, in the order of the grammar. */
export function commandEntries(path: readonly Command[]): string[] {
  const command = path.at(-1);
  if (command === undefined) return [];
  return [
    ...(command.action === undefined ? [] : entryOf(path, command)),
    ...(command.commands ?? []).flatMap((child) => commandEntries([...path, child])),
  ];
}

/** The alias of a group of commands, if it has one. */
export const groupText = ({ help, aliases = [] }: Command): string =>
  prose(
    sentence(help) +
      (aliases.length === 0 ? "" : ` Also spelled ${aliases.map((alias) => `\`${alias}\``).join(", ")}.`),
  );
