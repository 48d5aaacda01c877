/** The program stratisd-tools, which runs another one: that whose name it is started by, or that its first argument names (system.md §20). */
import * as path from "node:path";
import { VERSION } from "../daemon/version";
import { parseCommandLine, UsageError } from "./command-line";
import { EXIT, reportUsageError, runTool, type Output, type Tool } from "./tool";

const NAME = "stratisd-tools";

const help = (tools: readonly Tool[]): string => `Runs one of a set of stratisd tools

Usage: ${NAME} <EXECUTABLE> [ARGUMENT]...

Arguments:
  <EXECUTABLE>  The tool; what follows is left to it

Options:
  -h, --help     Print help
  -V, --version  Print version

Executables:
${tools.map(({ name }) => `* ${name}\n`).join("")}`;

/**
 * `program` is the path by which it was started; a link to it that bears a tool's name is the tool. Returns the exit code.
 */
export async function dispatch(
  tools: readonly Tool[],
  program: string,
  args: readonly string[],
  output: Output,
): Promise<number> {
  // As it lies in the built tree it has the name of a script.
  const own = path.basename(program, ".js");
  const [word, ...rest] = own === NAME ? args : [own, ...args];
  if (word === undefined) {
    output.err(help(tools));
    return EXIT.usage;
  }
  const name = path.basename(word);
  const tool = tools.find((known) => known.name === name);
  if (tool !== undefined) return await runTool(tool, rest, output);
  try {
    const { request } = parseCommandLine([word], { options: {}, positionals: ["EXECUTABLE"], version: true });
    if (request !== null) {
      output.out(request === "help" ? help(tools) : `${NAME} ${VERSION}\n`);
      return EXIT.success;
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return reportUsageError(error, output);
  }
  output.err(`Unknown executable name ${name}\n`);
  return EXIT.usage;
}
