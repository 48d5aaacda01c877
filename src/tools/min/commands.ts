/** A tree of commands, and the walk from the words of a command line to the one that is meant. */
import {
  parseCommandLine,
  UsageError,
  type CommandLine,
  type CommandSpec,
  type OptionSpec,
} from "../command-line";
import type { Output, Request } from "../tool";

export interface Leaf {
  readonly about: string;
  readonly options?: CommandSpec["options"];
  readonly positionals?: readonly string[];
  readonly variadic?: boolean;
  /** Throws UsageError for options that do not go together, MinError when the command fails. */
  run(line: CommandLine, output: Output): Promise<void>;
}

export interface Group {
  readonly about: string;
  readonly commands: Readonly<Record<string, Command>>;
  /** Other names of its commands. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** What it does without a further word; absent: that is an error. */
  readonly otherwise?: (output: Output) => Promise<void>;
  /** Options before the further word. */
  readonly options?: CommandSpec["options"];
}

export type Command = Leaf | Group;

const isGroup = (command: Command): command is Group => "commands" in command;

const optionHelp = ([name, { value, short }]: [string, OptionSpec]): string =>
  `  ${short === undefined ? "    " : `-${short}, `}--${name}${value === undefined ? "" : ` <${value}>`}`;

/** What --help prints of a command that the words in `path` lead to. */
export function helpText(command: Command, path: readonly string[]): string {
  const options = Object.entries(command.options ?? {}).map(optionHelp);
  const common = ["  -h, --help", ...(path.length === 1 ? ["  -V, --version"] : [])];
  const words = isGroup(command)
    ? [command.otherwise === undefined ? "<COMMAND>" : "[COMMAND]"]
    : (command.positionals ?? []).map((name) => `<${name}>`);
  const dots = !isGroup(command) && command.variadic === true ? "..." : "";
  const usage = `Usage: ${[...path, "[OPTIONS]", ...words].join(" ")}${dots}`;
  const commands = isGroup(command)
    ? [
        "Commands:",
        ...Object.entries(command.commands).map(([name, { about }]) => `  ${name.padEnd(16)}${about}`),
        "",
      ]
    : [];
  return [command.about, "", usage, "", ...commands, "Options:", ...options, ...common, ""].join("\n");
}

/** Help that was asked for is printed; "version" is left to the caller. */
export async function runCommand(
  command: Command,
  path: readonly string[],
  args: readonly string[],
  output: Output,
): Promise<Request> {
  const spec: CommandSpec = {
    options: command.options ?? {},
    positionals: [],
    version: path.length === 1,
    ...(isGroup(command)
      ? { subcommands: [...Object.keys(command.commands), ...Object.keys(command.aliases ?? {})] }
      : { positionals: command.positionals ?? [], variadic: command.variadic ?? false }),
  };
  if (isGroup(command) && command.otherwise !== undefined && args.length === 0) {
    await command.otherwise(output);
    return null;
  }
  const line = parseCommandLine(args, spec);
  if (line.request === "help") {
    output.out(helpText(command, path));
    return null;
  }
  if (line.request !== null) return line.request;
  if (!isGroup(command)) {
    await command.run(line, output);
    return null;
  }
  const word = line.subcommand ?? "";
  const name = command.aliases?.[word] ?? word;
  const next = command.commands[name];
  if (next === undefined) throw new UsageError(`unrecognized subcommand '${word}'`);
  return await runCommand(next, [...path, name], line.rest, output);
}
