/** Runs files of cases where they belong, one after another, and judges what they report. */
import { randomUUID } from "node:crypto";
import type { ExecOptions, ExecResult } from "./agent-client";

/** Where cases run: a guest, a guest that is kept, or this machine. */
export interface Place {
  /** The project's folder there. */
  project: string;
  node: string;
  /** The disks that cases may use, by serial. */
  disks: Readonly<Record<string, string>>;
  exec(command: string[] | string, options?: ExecOptions): Promise<ExecResult>;
}

export interface CaseResult {
  file: string;
  passed: number;
  failed: number;
  seconds: number;
  /** Why the file counts as failed; null: it passed. */
  problem: string | null;
}

/** How long a file may take. */
export const CASE_SECONDS = Number(process.env["STRATIS_VM_CASE_SECONDS"] ?? 900);
const CASE_MILLISECONDS = CASE_SECONDS * 1000;
const CLEAN_MILLISECONDS = 120_000;

interface Count {
  passed: number;
  failed: number;
}

/** From the totals at the end of a TAP report; null when there are none. */
export function countTap(report: string): Count | null {
  const total = (name: string): number | null => {
    const found = new RegExp(`^# ${name} (\\d+)$`, "m").exec(report)?.[1];
    return found === undefined ? null : Number(found);
  };
  const [passed, failed, cancelled] = [total("pass"), total("fail"), total("cancelled")];
  return passed === null || failed === null ? null : { passed, failed: failed + (cancelled ?? 0) };
}

function judge(result: ExecResult, count: Count | null): string | null {
  if (result.timedOut) return `no end within ${CASE_MILLISECONDS / 1000} s`;
  if (count === null) return `no result came back (status ${result.status ?? result.signal ?? "unknown"})`;
  if (count.failed > 0) return `${count.failed} failed`;
  if (count.passed === 0) return "it holds no tests";
  return result.status === 0 ? null : `its process ended with ${result.status ?? result.signal ?? "unknown"}`;
}

async function clean(place: Place): Promise<void> {
  const script = `${place.project}/tests/vm/guest/clean.sh`;
  const result = await place.exec(["/bin/sh", script, ...Object.values(place.disks)], {
    timeoutMs: CLEAN_MILLISECONDS,
  });
  if (result.status !== 0)
    throw new Error(`Cleaning up with ${script} failed: ${result.stdout}${result.stderr}`);
}

/** Where a report goes, as it comes. */
export type Print = (text: string) => void;
export const printNow: Print = (text) => void process.stdout.write(text);

/** `file` relative to the project. */
export async function runCase(place: Place, file: string, print: Print = printNow): Promise<CaseResult> {
  const started = Date.now();
  print(`\n== ${file}\n`);
  const done = (count: Count | null, problem: string | null): CaseResult => ({
    file,
    passed: count?.passed ?? 0,
    failed: count?.failed ?? 0,
    seconds: (Date.now() - started) / 1000,
    problem,
  });
  try {
    await clean(place);
    const report = `/run/stratis-case-${randomUUID()}.tap`;
    const reporters = [
      ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
      ...["--test-reporter=tap", `--test-reporter-destination=${report}`],
    ];
    const result = await place.exec([place.node, ...reporters, `${place.project}/${file}`], {
      timeoutMs: CASE_MILLISECONDS,
      env: { STRATIS_CASE_DISKS: JSON.stringify(place.disks), ...ownSettings() },
      onOutput: print,
    });
    const tap = await place.exec(`cat ${report} && rm ${report}`);
    const count = countTap(tap.stdout);
    const problem = judge(result, count);
    if (problem !== null) await showDaemonLog(place, print);
    return done(count, problem);
  } catch (error) {
    return done(null, error instanceof Error ? error.message : String(error));
  }
}

/** What is set for cases in this environment, such as STRATIS_CRASH_POINTS. */
const ownSettings = (): Record<string, string> =>
  Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      /^STRATIS_(CRASH|CHANCE)_/.test(name) && value !== undefined ? [[name, value] as [string, string]] : [],
    ),
  );

const LOG_LINES_SHOWN = 40;

async function showDaemonLog(place: Place, print: Print): Promise<void> {
  const log = await place.exec(`journalctl -q --no-pager -o cat -u stratisd -n ${LOG_LINES_SHOWN}`);
  if (log.stdout !== "") print(`-- the end of the daemon's log:\n${log.stdout}`);
  const kernel = await place.exec("dmesg --level=emerg,alert,crit,err | tail -n 10");
  if (kernel.stdout !== "") print(`-- errors of the kernel:\n${kernel.stdout}`);
}

/** Prints a line per file and returns whether all passed. */
export function summarize(results: readonly CaseResult[]): boolean {
  process.stdout.write("\n");
  for (const { file, passed, seconds, problem } of results)
    process.stdout.write(
      `${problem === null ? "pass" : "FAIL"}  ${file}: ${passed} passed${problem === null ? "" : `; ${problem}`}` +
        ` (${seconds.toFixed(1)} s)\n`,
    );
  return results.length > 0 && results.every(({ problem }) => problem === null);
}
