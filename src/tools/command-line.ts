/**
 * The command line of the auxiliary programs: options and arguments, judged one by one from left to right, so that
 * of several mistakes the first is told, and a request for help before it is obeyed.
 */
import { parseArgs } from "node:util";

/** What was wrong with the command line; the program exits with 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

export interface OptionSpec {
  /** What the value is called in help and messages; absent for an option without one. */
  value?: string;
  short?: string;
  /** May be given more than once. */
  multiple?: boolean;
  required?: boolean;
  /** All values that there are. */
  choices?: readonly string[];
}

export interface CommandSpec {
  /** By long name, without dashes. */
  options: Readonly<Record<string, OptionSpec>>;
  /** Names of the arguments, all of which must be given. */
  positionals: readonly string[];
  /** The last of them may be given several times. */
  variadic?: boolean;
  /** The first argument names a subcommand; what follows is left to it, in `rest`. */
  subcommands?: readonly string[];
  /** Whether there is an option -V, --version. */
  version: boolean;
}

export class CommandLine {
  constructor(
    /** What was asked for instead of the program's work. */
    readonly request: "help" | "version" | null,
    private readonly values: ReadonlyMap<string, readonly string[]>,
    /** In the order of CommandSpec.positionals, all of the last one where that may be repeated. */
    readonly positionals: readonly string[],
    readonly subcommand: string | null,
    readonly rest: readonly string[],
  ) {}

  flag(name: string): boolean {
    return this.values.has(name);
  }

  value(name: string): string | undefined {
    return this.values.get(name)?.[0];
  }

  all(name: string): readonly string[] {
    return this.values.get(name) ?? [];
  }
}

const HELP = { help: { short: "h" } };
const VERSION = { version: { short: "V" } };

const shown = (name: string, { value }: OptionSpec): string =>
  value === undefined ? `--${name}` : `--${name} <${value}>`;

const listed = (choices: readonly string[]): string => `\n  [possible values: ${choices.join(", ")}]`;

type Token = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];

function tokensOf(args: readonly string[], options: Readonly<Record<string, OptionSpec>>): Token[] {
  const configured = Object.entries(options).map(([name, { value, short }]) => [
    name,
    { type: value === undefined ? "boolean" : "string", ...(short === undefined ? {} : { short }) } as const,
  ]);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(configured) as Record<string, { type: "boolean" | "string" }>,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  return tokens;
}

/** The value of an option as given; undefined for an option that takes none. Throws UsageError. */
function checkedValue(
  token: Token & { kind: "option" },
  spec: OptionSpec,
  already: readonly string[],
): string | undefined {
  const name = shown(token.name, spec);
  if (already.length > 0 && spec.multiple !== true)
    throw new UsageError(`the argument '${name}' cannot be used multiple times`);
  const { value, inlineValue } = token;
  if (spec.value === undefined) {
    if (value !== undefined) throw new UsageError(`unexpected value '${value}' for '${name}' found`);
    return undefined;
  }
  // What looks like an option is one: a value of that form must be joined to its option by "=".
  if (value === undefined || (!inlineValue && value.startsWith("-") && value.length > 1))
    throw new UsageError(`a value is required for '${name}' but none was supplied`);
  if (spec.choices !== undefined && !spec.choices.includes(value))
    throw new UsageError(`invalid value '${value}' for '${name}'${listed(spec.choices)}`);
  return value;
}

/** Throws UsageError. */
export function parseCommandLine(args: readonly string[], spec: CommandSpec): CommandLine {
  const options: Record<string, OptionSpec> = { ...spec.options, ...HELP, ...(spec.version ? VERSION : {}) };
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokensOf(args, options)) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      if (spec.subcommands !== undefined) {
        const rest = args.slice(token.index + 1);
        return new CommandLine(null, values, [], subcommand(token.value, spec.subcommands), rest);
      }
      if (positionals.length === spec.positionals.length && spec.variadic !== true)
        throw new UsageError(`unexpected argument '${token.value}' found`);
      positionals.push(token.value);
      continue;
    }
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (option === undefined) throw new UsageError(`unexpected argument '${token.rawName}' found`);
    if (token.name === "help" || token.name === "version")
      return new CommandLine(token.name, values, positionals, null, []);
    const given = values.get(token.name) ?? [];
    const value = checkedValue(token, option, given);
    values.set(token.name, [...given, value ?? ""]);
  }
  requireAll(spec, values, positionals);
  return new CommandLine(null, values, positionals, null, []);
}

function subcommand(word: string, known: readonly string[]): string {
  if (!known.includes(word)) throw new UsageError(`unrecognized subcommand '${word}'`);
  return word;
}

function requireAll(
  spec: CommandSpec,
  values: ReadonlyMap<string, readonly string[]>,
  positionals: readonly string[],
): void {
  if (spec.subcommands !== undefined)
    throw new UsageError(
      `a subcommand was not given\n  [subcommands: ${spec.subcommands.join(", ")}, or --help]`,
    );
  const missing = [
    ...Object.entries(spec.options)
      .filter(([name, { required }]) => required === true && !values.has(name))
      .map(([name, option]) => shown(name, option)),
    ...spec.positionals.slice(positionals.length).map((name) => `<${name}>`),
  ];
  if (missing.length > 0)
    throw new UsageError(
      `the following required arguments were not provided:${missing.map((name) => `\n  ${name}`).join("")}`,
    );
}
