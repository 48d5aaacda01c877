/** The program stratis-metrics: what stratisd knows, as OpenMetrics text. */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import * as path from "node:path";
import { CommandError, messageOf } from "../../cli/errors";
import { asInteger } from "../../cli/values";
import { parseCommandLine, type CommandSpec } from "./command-line";
import { noMetrics, stratisMetrics, type Observed } from "./metrics";
import { metricsText, type Family } from "./openmetrics";
import { StratisdBus } from "./stratisd-bus";
import { ToolError, type Output, type Request, type Tool } from "./tool";

const NAME = "stratis-metrics";
const KIB = 1024n;

const HELP = `Prints sizes, use and alerts of Stratis pools and filesystems as OpenMetrics text

Usage: ${NAME} [OPTIONS]

Options:
      --output <FILE>  Replace FILE at once instead of printing, as node_exporter's textfile collector wants it
  -h, --help           Print help
  -V, --version        Print version
`;

const SPEC: CommandSpec = { options: { output: { value: "FILE" } }, positionals: [], version: true };

/** Bytes of memory that a process has; null when it is gone, or in another process namespace. */
async function residentMemory(pid: bigint): Promise<bigint | null> {
  let status: string;
  try {
    status = await readFile(`/proc/${pid}/status`, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return null;
    throw new ToolError(`Could not read the memory of stratisd, process ${pid}: ${messageOf(error)}`, {
      cause: error,
    });
  }
  const [, kib] = /^VmRSS:\s*(\d+) kB$/m.exec(status) ?? [];
  return kib === undefined ? null : BigInt(kib) * KIB;
}

const observe = (env: NodeJS.ProcessEnv): Promise<Observed> =>
  StratisdBus.with(env, async (stratisd) => {
    const [managed, version, stoppedPools, pid, report] = await Promise.all([
      stratisd.managedObjects(),
      stratisd.managerProperty("Version"),
      stratisd.managerProperty("StoppedPools"),
      stratisd.processId(),
      stratisd.report("daemon_metrics"),
    ]);
    return { managed, version, stoppedPools, report, memory: await residentMemory(asInteger(pid)) };
  });

/** The reader finds the old text or the new one. The name of the new file does not end as those do that it reads. */
async function replace(file: string, text: string): Promise<void> {
  const fresh = path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}`);
  try {
    await writeFile(fresh, text, { mode: 0o644 });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw new ToolError(`Could not write ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** The metrics, and why there are none but that stratisd does not answer. */
async function collect(
  env: NodeJS.ProcessEnv,
): Promise<{ families: readonly Family[]; failure?: ToolError }> {
  try {
    return { families: stratisMetrics(await observe(env)) };
  } catch (error) {
    if (error instanceof ToolError) return { families: noMetrics, failure: error };
    if (!(error instanceof CommandError)) throw error;
    return { families: noMetrics, failure: new ToolError(error.message, { cause: error }) };
  }
}

async function run(args: readonly string[], output: Output): Promise<Request> {
  const line = parseCommandLine(args, SPEC);
  if (line.request !== null) return line.request;
  const file = line.value("output");
  const { families, failure } = await collect(process.env);
  const text = metricsText(families);
  if (file === undefined) output.out(text);
  else await replace(file, text);
  if (failure !== undefined) throw failure;
  return null;
}

export const metricsTool: Tool = { name: NAME, help: HELP, failurePrefix: "Error: ", run };
