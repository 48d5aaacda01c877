/** The command line of stratisd and stratisd-min (system.md §2, §17). */
import { parseArgs } from "node:util";
import { LOG_LEVELS, type LogLevel } from "../log";

export type Invocation =
  | {
      run: "daemon";
      simulator: boolean;
      simErrors: SimErrors | null;
      /** How long the simulator's encryption, re-encryption and decryption in place take. */
      simInPlaceSeconds: number;
      logLevel: LogLevel | null;
    }
  | { run: "help" }
  | { run: "version" };

/** How often the simulator fails; without a seed it takes one of its own. */
export interface SimErrors {
  /** 0 to 1. */
  probability: number;
  seed: bigint | null;
}

/** What was wrong with the command line; the program exits with 2. */
export class UsageError extends Error {
  override name = "UsageError";
}

export const helpText = (program: string): string => `Stratis storage daemon

Usage: ${program} [OPTIONS]

Options:
      --sim                Use the simulator: touches no storage, needs no privileges but those of its
                           pid file and its clients' way to it
      --sim-errors <PROBABILITY[,SEED]>
                           With --sim: let operations fail at random, each with this probability (0 to 1) and before
                           it has changed anything. The same SEED (0 to 18446744073709551615) and the same calls give
                           the same failures; without one a seed is drawn. Every failure names the seed
      --sim-in-place <SECONDS>
                           With --sim: let encryption, re-encryption and decryption in place take so long (0 to 86400),
                           so that clients can watch their progress; without it they are done at once
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
  const simulator = values.sim === true;
  const simErrors = values["sim-errors"] === undefined ? null : parseSimErrors(values["sim-errors"]);
  if (simErrors !== null && !simulator)
    throw new UsageError("the argument '--sim-errors <PROBABILITY[,SEED]>' can only be used with '--sim'");
  const inPlace = values["sim-in-place"];
  if (inPlace !== undefined && !simulator)
    throw new UsageError("the argument '--sim-in-place <SECONDS>' can only be used with '--sim'");
  const simInPlaceSeconds = inPlace === undefined ? 0 : parseSeconds(inPlace);
  const level = values["log-level"];
  const logLevel = LOG_LEVELS.find((known) => known === level);
  if (level !== undefined && logLevel === undefined)
    throw new UsageError(
      `invalid value '${level}' for '--log-level <LEVEL>'\n  [possible values: ${LOG_LEVELS.join(", ")}]`,
    );
  return { run: "daemon", simulator, simErrors, simInPlaceSeconds, logLevel: logLevel ?? null };
}

const MAX_SEED = 2n ** 64n - 1n;
const MAX_SECONDS = 86_400;
const DECIMAL = /^(\d+(\.\d*)?|\.\d+)$/;

function parseSimErrors(text: string): SimErrors {
  const refuse = (why: string): UsageError =>
    new UsageError(`invalid value '${text}' for '--sim-errors <PROBABILITY[,SEED]>': ${why}`);
  const [probability = "", seed, ...others] = text.split(",");
  if (others.length > 0) throw refuse("there is more than one comma");
  if (!DECIMAL.test(probability) || Number(probability) > 1)
    throw refuse(`the probability '${probability}' is not a decimal number from 0 to 1`);
  if (seed !== undefined && (!/^\d{1,20}$/.test(seed) || BigInt(seed) > MAX_SEED))
    throw refuse(`the seed '${seed}' is not a whole number from 0 to ${MAX_SEED}`);
  return { probability: Number(probability), seed: seed === undefined ? null : BigInt(seed) };
}

function parseSeconds(text: string): number {
  if (!DECIMAL.test(text) || Number(text) > MAX_SECONDS)
    throw new UsageError(
      `invalid value '${text}' for '--sim-in-place <SECONDS>': it is not a decimal number from 0 to ${MAX_SECONDS}`,
    );
  return Number(text);
}

interface Values {
  sim?: boolean | undefined;
  "sim-errors"?: string | undefined;
  "sim-in-place"?: string | undefined;
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
        "sim-errors": { type: "string" },
        "sim-in-place": { type: "string" },
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
