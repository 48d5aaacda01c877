/** The program stratis-metrics. `stratis metrics` does the same. */
import { parseCommandLine, type CommandSpec } from "./command-line";
import type { Output, Request, Tool } from "./tool";
import { writeMetrics } from "./write-metrics";

const NAME = "stratis-metrics";

const HELP = `Prints sizes, use and alerts of Stratis pools and filesystems as OpenMetrics text

Usage: ${NAME} [OPTIONS]

Options:
      --output <FILE>  Replace FILE at once instead of printing, as node_exporter's textfile collector wants it
  -h, --help           Print help
  -V, --version        Print version
`;

const SPEC: CommandSpec = { options: { output: { value: "FILE" } }, positionals: [], version: true };

async function run(args: readonly string[], output: Output): Promise<Request> {
  const line = parseCommandLine(args, SPEC);
  if (line.request !== null) return line.request;
  const failure = await writeMetrics(process.env, line.value("output"), (text) => {
    output.out(text);
  });
  if (failure !== undefined) throw failure;
  return null;
}

export const metricsTool: Tool = { name: NAME, help: HELP, failurePrefix: "Error: ", run };
