/** The command line of stratisd (system.md §2). */
import { parseArgs } from "node:util";
import { LOG_LEVELS, type LogLevel } from "../log";

export type Invocation =
  { run: "daemon"; simulator: boolean; logLevel: LogLevel | null } | { run: "help" } | { run: "version" };

/** What was wrong with the command line; the program exits with 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

export const HELP = `Stratis storage daemon

Usage: stratisd [OPTIONS]

Options:
      --sim                Use the simulator: touches no storage, needs no privileges but the bus name
      --log-level <LEVEL>  Log this program's messages of this level and above [${LOG_LEVELS.join(", ")}];
                           without it, the environment variable RUST_LOG decides
  -h, --help               Print help
  -V, --version            Print version
`;

/** Throws UsageError. */
export function parseOptions(args: readonly string[]): Invocation {
  const { values, counts } = parse(args);
  for (const [name, count] of counts)
    if (count > 1 && name !== "help" && name !== "version")
      throw new UsageError(`the argument '--${name}' cannot be used multiple times`);
  if (values.help === true) return { run: "help" };
  if (values.version === true) return { run: "version" };
  const level = values["log-level"];
  const logLevel = LOG_LEVELS.find((known) => known === level);
  if (level !== undefined && logLevel === undefined)
    throw new UsageError(
      `invalid value '${level}' for '--log-level <LEVEL>'\n  [possible values: ${LOG_LEVELS.join(", ")}]`,
    );
  return { run: "daemon", simulator: values.sim === true, logLevel: logLevel ?? null };
}

interface Values {
  sim?: boolean | undefined;
  "log-level"?: string | undefined;
  help?: boolean | undefined;
  version?: boolean | undefined;
}

function parse(args: readonly string[]): { values: Values; counts: Map<string, number> } {
  try {
    const { values, tokens } = parseArgs({
      args: [...args],
      options: {
        sim: { type: "boolean" },
        "log-level": { type: "string" },
        help: { type: "boolean", short: "h" },
        version: { type: "boolean", short: "V" },
      },
      strict: true,
      tokens: true,
    });
    const counts = new Map<string, number>();
    for (const token of tokens)
      if (token.kind === "option") counts.set(token.name, (counts.get(token.name) ?? 0) + 1);
    return { values, counts };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
