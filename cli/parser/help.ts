/** Usage and help texts, laid out by commander from the grammar. */
import { Argument, Command as Layout, Option as LayoutOption } from "commander";
import { byCodePoint } from "../format/order";
import type { Command, Option, Positional } from "./grammar";
import { optionsOf } from "./parse";

/** Cells that a description must have for it to be wrapped. */
const NARROWEST_TEXT = 20;

type Path = readonly Command[];

const shownName = ({ name, shown, count }: Positional): string => {
  const text = shown ?? name;
  if (count === "many") return `<${text}...>`;
  return count === "optional" ? `[${text}]` : `<${text}>`;
};

const shownOption = ({ name, words, metavar = "VALUE" }: Option): string => {
  if (words === "none") return name;
  if (metavar.startsWith("{")) return `${name} ${metavar}`;
  return words === "any" ? `${name} [${metavar}...]` : `${name} <${metavar}>`;
};

/** What follows the command's name in its usage line. */
function synopsis(command: Command): string {
  const required = (command.exclusive ?? []).filter((exclusive) => exclusive.required);
  return [
    "[options]",
    ...required.map(({ options }) => `(${options.map(shownOption).join(" | ")})`),
    ...(command.positionals ?? []).map(shownName),
    ...(command.commands === undefined ? [] : [command.action === undefined ? "<command>" : "[command]"]),
  ].join(" ");
}

function layoutOption(option: Option): LayoutOption {
  const { short } = option;
  const flags = short === undefined ? shownOption(option) : `${short}, ${shownOption(option)}`;
  const layout = new LayoutOption(flags, option.help).hideHelp(option.hidden ?? false);
  return option.group === undefined ? layout : layout.helpGroup(`${option.group}:`);
}

function layoutOf(path: Path): Layout {
  const command = path.at(-1);
  if (command === undefined) throw new Error("There is no command to describe");
  const layout = new Layout(path.map(({ name }) => name).join(" "))
    .description(command.help)
    .usage(synopsis(command))
    .helpOption(false)
    .configureHelp({
      minWidthToWrap: NARROWEST_TEXT,
      styleTitle: (title) => (title === "Usage:" ? "usage:" : title),
    })
    .helpCommand(false);
  for (const positional of command.positionals ?? [])
    layout.addArgument(new Argument(shownName(positional), positional.help));
  for (const option of optionsOf(command)) layout.addOption(layoutOption(option));
  for (const child of command.commands ?? [])
    layout.addCommand(
      new Layout(child.name)
        .aliases(child.aliases ?? [])
        .summary(child.help)
        .usage(synopsis(child)),
      { hidden: child.hidden ?? false },
    );
  if (command.epilogue !== undefined) layout.addHelpText("after", `\n${command.epilogue}`);
  return layout;
}

/** The usage line of the command that `path` leads to, with a newline. */
export const usageText = (path: Path): string => {
  const layout = layoutOf(path);
  return `usage: ${layout.createHelp().commandUsage(layout)}\n`;
};

/** The whole help of the command that `path` leads to. `width`: cells in a line. */
export function helpText(path: Path, width: number): string {
  let text = "";
  layoutOf(path)
    .configureOutput({ getOutHelpWidth: () => width, writeOut: (part) => (text += part) })
    .outputHelp();
  return text;
}

/** The help of the command and of all below it, depth first, in alphabetical order. */
export function allHelpText(path: Path, width: number): string {
  const children = [...(path.at(-1)?.commands ?? [])].sort((left, right) =>
    byCodePoint(left.name, right.name),
  );
  return [helpText(path, width), ...children.map((child) => allHelpText([...path, child], width))].join("\n");
}
