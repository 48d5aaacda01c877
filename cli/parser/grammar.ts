/** The form in which the grammar of the command line is written down (cli.md §3). */
import type { Action } from "../context";
import type { TableSpec } from "./fields";
import type { Values } from "./values";

/** A word on the command line is not what its place demands; the message lacks the argument's name. */
export class ValueError extends Error {
  override name = "ValueError";
}

/** Turns a word into a value; throws ValueError. */
export interface Convert {
  (word: string): string | bigint;
  /** The words that it takes, if they are few. */
  readonly choices?: readonly string[];
}

/** What names something that there is on the machine: for completion. */
export interface Source {
  /** "new": nothing that there is. */
  readonly what: "pool" | "filesystem" | "block device" | "free device" | "key" | "file" | "new";
  /** Default: by name. */
  readonly by?: "uuid";
}

export interface Positional {
  /** Key of its value, and its name in messages. */
  readonly name: string;
  /** "many": one or more words, which must be the last; "optional": one word or none. Default: exactly one. */
  readonly count?: "many" | "optional";
  readonly convert?: Convert;
  readonly help: string;
  /** Name in usage and help, if another than `name`. */
  readonly shown?: string;
  readonly source?: Source;
}

export interface Option {
  /** Key of its value too. */
  readonly name: `--${string}`;
  /** "none": a flag; "any": zero or more words, repeatable. Default: exactly one, and the last occurrence wins. */
  readonly words?: "none" | "any";
  readonly metavar?: string;
  readonly convert?: Convert;
  readonly source?: Source;
  readonly help: string;
  /** Title in the help; options without one come first. */
  readonly group?: string;
  readonly hidden?: true;
  /** Not of stratis-cli: cannot be abbreviated. */
  readonly extension?: true;
  /** Known only to be refused. */
  readonly rejected?: true;
  /** One letter that stands for the option: "-n". */
  readonly short?: `-${string}`;
}

/** Of these options at most one may be given, or exactly one. */
export interface Exclusive {
  readonly options: readonly Option[];
  readonly required: boolean;
}

export interface Command {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly help: string;
  /** Left out of the parent's help. */
  readonly hidden?: true;
  /** Not of stratis-cli: not in its list of choices. */
  readonly extension?: true;
  /** Printed at the end of the help. */
  readonly epilogue?: string;
  readonly positionals?: readonly Positional[];
  readonly options?: readonly Option[];
  readonly exclusive?: readonly Exclusive[];
  readonly commands?: readonly Command[];
  /** What the command does; with sub-commands: what it does without one. Loads the action's module when called. */
  readonly action?: () => Action;
  /** What it prints: tables of these kinds, a document, or, when asked to, what it has changed. */
  readonly shows?: readonly TableSpec[] | "document" | "change";
  /** What it changes may lose data: the user is asked. */
  readonly destructive?: true;
  /** Looks at all values together; returns what is wrong with them. */
  readonly check?: (values: Values) => string | null;
}
