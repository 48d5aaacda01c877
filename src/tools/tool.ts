/** What the auxiliary programs have in common: how they are run, and how they end. */
import { VERSION } from "../daemon/version";
import { UsageError } from "./command-line";

/** Why a program could not do its work. The message is all that its user is told. */
export class ToolError extends Error {
  override name = "ToolError";
}

/** Where a program writes. */
export interface Output {
  out(text: string): void;
  err(text: string): void;
}

export interface Tool {
  readonly name: string;
  /** All of what --help prints. */
  readonly help: string;
  /** Begins the line that tells why the program failed. */
  readonly failurePrefix: string;
  /**
   * Does the work that the words after the program's name ask for. Throws UsageError for a command line that makes no
   * sense, ToolError when it can't be done.
   */
  run(args: readonly string[], output: Output): Promise<Request>;
}

/** What is left to do: print a text that was asked for, or nothing. */
export type Request = "help" | "version" | null;

export const EXIT = {
  success: 0,
  failure: 1,
  usage: 2,
  /** What stratisd's programs exit with when an assertion of their own fails. */
  defect: 101,
} as const;

/** Returns the exit code. */
export function reportUsageError(error: UsageError, output: Output): number {
  output.err(`error: ${error.message}\n\nFor more information, try '--help'.\n`);
  return EXIT.usage;
}

/** Runs a program to its end. Returns the exit code. */
export async function runTool(tool: Tool, args: readonly string[], output: Output): Promise<number> {
  try {
    const request = await tool.run(args, output);
    if (request === "help") output.out(tool.help);
    if (request === "version") output.out(`${tool.name} ${VERSION}\n`);
    return EXIT.success;
  } catch (error) {
    if (error instanceof UsageError) return reportUsageError(error, output);
    if (error instanceof ToolError) {
      output.err(`${tool.failurePrefix}${error.message}\n`);
      return EXIT.failure;
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    output.err(`A defect of ${tool.name}: ${text}\n`);
    return EXIT.defect;
  }
}

/** Connects a program to the process. To be called once, as the last thing of a main file. */
export function runProcess(program: (args: readonly string[], output: Output) => Promise<number>): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    const what =
      error.code === "EPIPE" ? "Broken pipe" : `Could not write to standard output: ${error.message}`;
    process.stderr.write(`${what}\n`);
    process.exit(EXIT.failure);
  });
  process.stderr.on("error", () => {
    // There is no place left where this could be told.
    process.exit(EXIT.failure);
  });
  const output: Output = {
    out: (text) => {
      process.stdout.write(text);
    },
    err: (text) => {
      process.stderr.write(text);
    },
  };
  void program(process.argv.slice(2), output).then((code) => {
    // Not process.exit: output that is still under way would be lost.
    process.exitCode = code;
  });
}
