/** What an action is given. */
import type { Io } from "./io";
import type { Values } from "./parser/values";
import type { Stratisd } from "./stratisd";

export interface Context {
  /** The command in its own words, without the program's: "filesystem create". */
  readonly command: string;
  readonly values: Values;
  readonly io: Io;
  /** Whether lists are to show UUIDs as 32 digits. */
  readonly unhyphenatedUuids: boolean;
  /** stratisd, connected to and its version checked on the first call. */
  readonly stratisd: () => Promise<Stratisd>;
  /** Writes to standard output. An action calls it when nothing can fail any more: failing commands print nothing. */
  readonly print: (text: string) => void;
  /** Has the command end with code 1 although it did what it was to do: what it printed is the reason. */
  readonly fail: () => void;
}

export type Action = (context: Context) => Promise<void>;
