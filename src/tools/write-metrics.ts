/** What stratisd knows, as OpenMetrics text: printed, or written to a file. */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import * as path from "node:path";
import { CommandError, messageOf } from "../../cli/errors";
import { asInteger } from "../../cli/values";
import { noMetrics, stratisMetrics, type Observed } from "./metrics";
import { metricsText, type Family } from "./openmetrics";
import { StratisdBus } from "./stratisd-bus";
import { ToolError } from "./tool";

const KIB = 1024n;

type Env = Readonly<Record<string, string | undefined>>;

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

const observe = (env: Env): Promise<Observed> =>
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
async function collect(env: Env): Promise<{ families: readonly Family[]; failure?: ToolError }> {
  try {
    return { families: stratisMetrics(await observe(env)) };
  } catch (error) {
    if (error instanceof ToolError) return { families: noMetrics, failure: error };
    if (!(error instanceof CommandError)) throw error;
    return { families: noMetrics, failure: new ToolError(error.message, { cause: error }) };
  }
}

/**
 * Prints the metrics, or puts them into `file`. Returns why they say only that stratisd does not answer, if they do.
 * Throws ToolError when the file could not be written.
 */
export async function writeMetrics(
  env: Env,
  file: string | undefined,
  print: (text: string) => void,
  form: (families: readonly Family[]) => string = metricsText,
): Promise<ToolError | undefined> {
  const { families, failure } = await collect(env);
  const text = form(families);
  if (file === undefined) print(text);
  else await replace(file, text);
  return failure;
}
