/** Where in the grammar the word stands that is to be completed. */
import type { Command, Option, Positional } from "../parser/grammar";
import { optionsOf } from "../parser/parse";

export interface Position {
  /** From the root to the command that was named last. */
  readonly path: readonly Command[];
  /** What has been typed of the word; after "--option=" what follows that. */
  readonly word: string;
  /** What every candidate begins with, before the word: "--option=" or nothing. */
  readonly prefix: string;
  /** The value that is expected, if one is. */
  readonly value: Option | Positional | null;
  /** Whether a sub-command may stand here, and whether an option may. */
  readonly subCommand: boolean;
  readonly option: boolean;
  /** Values before the word, by the names of options and positionals; a flag has none. */
  readonly given: ReadonlyMap<string, readonly string[]>;
}

class Reader {
  readonly path: Command[];
  readonly given = new Map<string, string[]>();
  #operands = 0;
  #onlyOperands = false;
  /** Takes the words that follow. */
  #open: Option | null = null;

  constructor(root: Command) {
    this.path = [root];
  }

  /** Returns false for a word that the grammar does not know. */
  read(word: string): boolean {
    if (this.#onlyOperands) return this.#operand(word);
    if (word === "--") {
      this.#onlyOperands = true;
      this.#open = null;
      return true;
    }
    if (word.startsWith("-") && word !== "-") return this.#option(word);
    if (this.#open !== null) {
      this.#add(this.#open.name, word);
      if (this.#open.words !== "any") this.#open = null;
      return true;
    }
    return this.#operand(word);
  }

  at(word: string): Position {
    const position = {
      path: this.path,
      given: this.given,
      word,
      prefix: "",
      value: null,
      subCommand: false,
      option: false,
    };
    const attached = this.#onlyOperands ? null : /^(--[^=]+=)(.*)$/s.exec(word);
    if (attached !== null) {
      const [, prefix = "", rest = ""] = attached;
      return { ...position, prefix, word: rest, value: this.#find(prefix.slice(0, -1)) ?? null };
    }
    if (!this.#onlyOperands && word.startsWith("-")) return { ...position, option: true };
    if (this.#open !== null) return { ...position, value: this.#open, option: this.#open.words === "any" };
    if (this.#command.commands !== undefined) return { ...position, subCommand: true };
    const value = this.#positional() ?? null;
    return { ...position, value, option: value === null && !this.#onlyOperands };
  }

  get #command(): Command {
    const last = this.path.at(-1);
    if (last === undefined) throw new Error("The path of commands is empty");
    return last;
  }

  #add(name: string, ...values: string[]): void {
    this.given.set(name, [...(this.given.get(name) ?? []), ...values]);
  }

  /** An option by its name, its letter, or the beginning of its name. */
  #find(name: string): Option | undefined {
    const options = optionsOf(this.#command);
    const beginnings = options.filter((option) => option.extension !== true && option.name.startsWith(name));
    return (
      options.find((option) => option.name === name || option.short === name) ??
      (beginnings.length === 1 ? beginnings[0] : undefined)
    );
  }

  #option(word: string): boolean {
    const [name = "", ...rest] = word.split("=");
    const option = this.#find(name);
    if (option === undefined) return false;
    const attached = word.includes("=");
    this.#add(option.name, ...(attached ? [rest.join("=")] : []));
    this.#open = attached || option.words === "none" ? null : option;
    return true;
  }

  #positional(): Positional | undefined {
    const positionals = this.#command.positionals ?? [];
    const last = positionals.at(-1);
    return positionals[this.#operands] ?? (last?.count === "many" ? last : undefined);
  }

  #operand(word: string): boolean {
    const { commands } = this.#command;
    if (commands !== undefined) {
      const next = commands.find(({ name, aliases = [] }) => name === word || aliases.includes(word));
      if (next !== undefined) this.path.push(next);
      return next !== undefined;
    }
    const positional = this.#positional();
    if (positional === undefined) return false;
    this.#add(positional.name, word);
    this.#operands++;
    return true;
  }
}

/** `before` are the words before the one to complete. null: the grammar does not know one of them. */
export function positionOf(root: Command, before: readonly string[], word: string): Position | null {
  const reader = new Reader(root);
  return before.every((earlier) => reader.read(earlier)) ? reader.at(word) : null;
}
