/** One run of the command: parse, act, report (cli.md §1). */
import { chainText } from "./chain";
import type { Context } from "./context";
import { CLIENT_VERSION } from "./daemon-version";
import { parseInteger } from "./format/integer";
import type { Io } from "./io";
import { load } from "./load";
import { parse, ParseError, type Parsed } from "./parser/parse";
import { rootCommand } from "./parser/root";
import type { Stratisd } from "./stratisd";

const SUCCESS = 0;
const FAILURE = 1;
const WRONG_COMMAND_LINE = 2;
const DEFAULT_WIDTH = 80;

type Help = typeof import("./parser/help");
type Daemon = typeof import("./stratisd");
type Completion = typeof import("./complete/main");
type FailureHints = typeof import("./hints/failure-hints");
type UsageHints = typeof import("./hints/usage-hints");
type Reporting = typeof import("./report-error");

const help = (): Help => load("./parser/help") as Help;

function helpWidth({ stdout, env }: Io): number {
  const wanted = parseInteger(env["COLUMNS"] ?? "") ?? 0n;
  return wanted > 0n ? Number(wanted) : (stdout.columns ?? DEFAULT_WIDTH);
}

/** Parses; null after a wrong command line, which was reported. */
function parsedOrNull(words: readonly string[], io: Io): Parsed | null {
  try {
    return parse(rootCommand, words);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const program = error.path.map(({ name }) => name).join(" ");
    io.stderr.write(`${help().usageText(error.path)}${program}: error: ${error.message}\n`);
    if (io.stderr.isTTY === true)
      io.stderr.write((load("./hints/usage-hints") as UsageHints).usageHints(error));
    return null;
  }
}

/** The text that an option such as --help asks for; null if there is an action to run instead. */
function requestedText({ request, path }: Parsed, io: Io): string | null {
  switch (request) {
    case "help":
      return help().helpText(path, helpWidth(io));
    case "all-help":
      return help().allHelpText(path, helpWidth(io));
    case "version":
      return `${CLIENT_VERSION}\n`;
    case null:
      return null;
  }
}

interface Run {
  readonly context: Context;
  /** The exit code, if nothing is thrown. */
  readonly code: () => number;
  /** Closes the connection to the bus, if there is one. */
  readonly close: () => Promise<void>;
}

function runOf({ path, values }: Parsed, io: Io): Run {
  let connection: Promise<Stratisd> | undefined;
  let code = SUCCESS;
  const context: Context = {
    command: path
      .slice(1)
      .map(({ name }) => name)
      .join(" "),
    values,
    io,
    unhyphenatedUuids: values.flag("--unhyphenated-uuids"),
    stratisd: () => (connection ??= (load("./stratisd") as Daemon).Stratisd.open(io.env)),
    print: (text) => {
      io.stdout.write(text);
    },
    fail: () => {
      code = FAILURE;
    },
  };
  return {
    context,
    code: () => code,
    close: async () => {
      // Whether it could be opened at all is known to the action, which has been waiting for it.
      await connection?.then(
        (stratisd) => {
          stratisd.close();
        },
        () => undefined,
      );
    },
  };
}

/** Whether to tell more than scripts are told. */
const wantsHints = ({ values }: Parsed, { stderr }: Io): boolean =>
  stderr.isTTY === true && !values.flag("--json") && !values.flag("--quiet") && !values.flag("--propagate");

async function failureText({ values }: Parsed, error: unknown): Promise<string> {
  if (values.flag("--propagate")) return chainText(error);
  const { reportDocument, reportText } = load("./report-error") as Reporting;
  return values.flag("--json") ? reportDocument(error) : reportText(error);
}

/** Returns the exit code. */
async function act(parsed: Parsed, io: Io): Promise<number> {
  const action = parsed.path.at(-1)?.action?.();
  if (action === undefined) throw new Error("The parser let a command without an action through");
  const { context, code, close } = runOf(parsed, io);
  try {
    await action(context);
    return code();
  } catch (error) {
    io.stderr.write(await failureText(parsed, error));
    if (wantsHints(parsed, io))
      io.stderr.write(await (load("./hints/failure-hints") as FailureHints).failureHints(error, context));
    return FAILURE;
  } finally {
    await close();
  }
}

/** Runs the command that the words after the program's name say. Returns the exit code. */
export async function main(words: readonly string[], io: Io): Promise<number> {
  if (words[0] === "--complete") return (load("./complete/main") as Completion).complete(words.slice(1), io);
  const parsed = parsedOrNull(words, io);
  if (parsed === null) return WRONG_COMMAND_LINE;
  const text = requestedText(parsed, io);
  if (text !== null) {
    io.stdout.write(text);
    return SUCCESS;
  }
  return act(parsed, io);
}
