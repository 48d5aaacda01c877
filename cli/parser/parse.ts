/**
 * Reads a command line by the rules of Python's argparse, which the users' habits and the test suites rest on (cli.md
 * §2): abbreviated long options, negative numbers as arguments, options anywhere, errors told by the deepest command.
 */
import { extensions } from "./extensions";
import { ValueError, type Command, type Option, type Positional } from "./grammar";
import { pythonString } from "../format/python-literal";
import { Values, type Value } from "./values";

/** The command line is wrong; code 2. `path` leads from the root to the command whose usage is to be shown. */
export class ParseError extends Error {
  override name = "ParseError";
  constructor(
    readonly path: readonly Command[],
    message: string,
    /** Words that are none of the choices, for hints. */
    readonly unknown?: { readonly words: readonly string[]; readonly choices: readonly string[] },
  ) {
    super(message);
  }
}

export interface Parsed {
  /** From the root to the command that was named last. */
  readonly path: readonly Command[];
  readonly values: Values;
  /** One of the options that end the run was given; nothing after it was looked at. */
  readonly request: "help" | "version" | "all-help" | null;
}

interface GivenOption {
  readonly option: Option;
  readonly attached: string | undefined;
}

const HELP: Option = { name: "--help", short: "-h", words: "none", help: "show this help message and exit" };
/** Options that are carried out as soon as they are met. */
const REQUESTS: Readonly<Record<string, Parsed["request"]>> = {
  "--help": "help",
  "--version": "version",
  "--print-all-help": "all-help",
};

/** Every command has --help. */
export const optionsOf = (command: Command): readonly Option[] => [
  HELP,
  ...(command.options ?? []),
  ...extensions(command),
];

const NEGATIVE_NUMBER = /^-\d+$|^-\d*\.\d+$/;

/** A word that can be the value of an option or a positional. */
const isArgument = (word: string): boolean =>
  !word.startsWith("-") || word === "-" || NEGATIVE_NUMBER.test(word) || word.includes(" ");

class Parser {
  readonly #path: Command[];
  readonly #values = new Map<string, Value>();
  readonly #leftOver: string[] = [];
  #request: Parsed["request"] = null;
  /** Words that are not read yet. */
  #words: string[];

  constructor(root: Command, words: readonly string[]) {
    this.#path = [root];
    this.#words = [...words];
  }

  parse(): Parsed {
    let next = this.#readCommand(this.#command);
    while (next !== null) {
      this.#path.push(next);
      next = this.#readCommand(next);
    }
    if (this.#request === null) this.#finish();
    return { path: this.#path, values: new Values(this.#values), request: this.#request };
  }

  get #command(): Command {
    const last = this.#path.at(-1);
    if (last === undefined) throw new Error("The path of commands is empty");
    return last;
  }

  #error(message: string): ParseError {
    return new ParseError([...this.#path], message);
  }

  /** Reads the words of one command. Returns the sub-command that has the rest. */
  #readCommand(command: Command): Command | null {
    const operands: string[] = [];
    const given = new Set<Option>();
    let onlyOperands = false;
    for (let word = this.#words.shift(); word !== undefined; word = this.#words.shift()) {
      if (!onlyOperands && word === "--") {
        onlyOperands = true;
        continue;
      }
      const option = onlyOperands ? "operand" : this.#option(command, word);
      if (option === "operand") {
        if (command.commands !== undefined) return this.#subCommand(command.commands, word);
        operands.push(word);
      } else if (option !== "unknown") {
        this.#readOption(command, option.option, option.attached, given);
        if (this.#request !== null) return null;
      }
    }
    this.#assign(command.positionals ?? [], operands);
    for (const { options, required } of command.exclusive ?? [])
      if (required && !options.some((option) => given.has(option)))
        throw this.#error(`one of the arguments ${options.map(({ name }) => name).join(" ")} is required`);
    return null;
  }

  #subCommand(commands: readonly Command[], word: string): Command {
    const found = commands.find(({ name, aliases = [] }) => name === word || aliases.includes(word));
    if (found !== undefined) return found;
    const namesOf = (some: readonly Command[]): string[] =>
      some.flatMap(({ name, aliases = [] }) => [name, ...aliases]);
    const names = namesOf(commands);
    const known = namesOf(commands.filter(({ extension }) => extension !== true));
    throw new ParseError(
      [...this.#path],
      `argument : invalid choice: ${pythonString(word)} (choose from ${known.join(", ")})`,
      { words: [word], choices: names },
    );
  }

  /** The option that a word is, with the value attached by "=". What looks like one but is none is put aside. */
  #option(command: Command, word: string): GivenOption | "operand" | "unknown" {
    if (!word.startsWith("-") || word === "-") return "operand";
    const letter = optionsOf(command).find(({ short }) => short === word);
    if (letter !== undefined) return { option: letter, attached: undefined };
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const name = equals === -1 ? word : word.slice(0, equals);
      const attached = equals === -1 ? undefined : word.slice(equals + 1);
      const options = optionsOf(command);
      const exact = options.find((option) => option.name === name);
      const candidates =
        exact === undefined
          ? options.filter((option) => option.extension !== true && option.name.startsWith(name))
          : [exact];
      const [option, ...others] = candidates;
      if (others.length > 0) {
        const names = candidates.map((candidate) => candidate.name).join(", ");
        throw this.#error(`ambiguous option: ${word} could match ${names}`);
      }
      if (option !== undefined) return { option, attached };
    }
    if (isArgument(word)) return "operand";
    this.#leftOver.push(word);
    return "unknown";
  }

  #readOption(command: Command, option: Option, attached: string | undefined, given: Set<Option>): void {
    const { name, words } = option;
    if (option.rejected === true)
      throw this.#error(`argument ${name}: Option ${name} can not be assigned to or set.`);
    const values = words === "none" ? [] : this.#valuesOf(option, attached);
    if (words === "none" && attached !== undefined)
      throw this.#error(`argument ${name}: ignored explicit argument '${attached}'`);
    for (const { options } of command.exclusive ?? []) {
      const other = options.find((candidate) => candidate !== option && given.has(candidate));
      if (other !== undefined && options.includes(option))
        throw this.#error(`argument ${name}: not allowed with argument ${other.name}`);
    }
    given.add(option);
    this.#request = REQUESTS[name] ?? null;
    const converted = values.map((value) => this.#convert(option, value));
    const earlier = this.#values.get(name);
    if (words === "any")
      this.#values.set(name, [...(typeof earlier === "object" ? earlier : []), ...converted]);
    else this.#values.set(name, converted[0] ?? true);
  }

  /** The words that belong to an option that takes any. */
  #valuesOf({ name, words }: Option, attached: string | undefined): string[] {
    if (attached !== undefined) return [attached];
    const values: string[] = [];
    const most = words === "any" ? Infinity : 1;
    while (values.length < most && this.#words[0] !== undefined && isArgument(this.#words[0])) {
      values.push(this.#words[0]);
      this.#words.shift();
    }
    if (words !== "any" && values.length === 0) throw this.#error(`argument ${name}: expected one argument`);
    return values;
  }

  #convert({ name, convert }: Option | Positional, word: string): string | bigint {
    if (convert === undefined) return word;
    try {
      return convert(word);
    } catch (error) {
      if (error instanceof ValueError) throw this.#error(`argument ${name}: ${error.message}`);
      throw error;
    }
  }

  #assign(positionals: readonly Positional[], operands: string[]): void {
    const rest = [...operands];
    const missing: string[] = [];
    for (const positional of positionals) {
      const words = positional.count === "many" ? rest.splice(0) : rest.splice(0, 1);
      const values = words.map((word) => this.#convert(positional, word));
      const [first] = values;
      if (first !== undefined)
        this.#values.set(positional.name, positional.count === "many" ? values : first);
      else if (positional.count !== "optional") missing.push(positional.shown ?? positional.name);
    }
    if (missing.length > 0) throw this.#error(`the following arguments are required: ${missing.join(", ")}`);
    this.#leftOver.push(...rest);
  }

  /** What is told only after the command itself has been found in order. */
  #finish(): void {
    const root = this.#path.slice(0, 1);
    if (this.#leftOver.length > 0)
      throw new ParseError(root, `unrecognized arguments: ${this.#leftOver.join(" ")}`, {
        words: this.#leftOver.filter((word) => word.startsWith("--")),
        choices: optionsOf(this.#command).map(({ name }) => name),
      });
    if (this.#command.action === undefined) throw this.#error("missing sub-command");
    const complaint = this.#command.check?.(new Values(this.#values));
    if (complaint !== undefined && complaint !== null) throw new ParseError(root, complaint);
  }
}

/** Parses the words after the program's name. Throws ParseError. */
export const parse = (root: Command, words: readonly string[]): Parsed => new Parser(root, words).parse();
