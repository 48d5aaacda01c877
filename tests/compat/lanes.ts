/** Tests of stratis-cli side by side, each lane in namespaces of its own and with its own bus. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { packageRoot } from "../../src/native";
import { spawnIsolated } from "./isolated";

export const RUNNER = join(packageRoot, "tests/compat/run_tests.py");
const DAEMON = join(packageRoot, "build/Release/stratisd");
/** A test takes about two seconds: one for the daemon to start, and its calls. */
const SILENCE_TIMEOUT_MS = 120_000;

export interface Problem {
  /** Id of a test, or unittest's name of what was done around tests. */
  readonly test: string;
  readonly text: string;
}
export interface Outcome {
  readonly passed: string[];
  readonly problems: Problem[];
}

export interface Surroundings {
  readonly python: string;
  /** The checkout of stratis-cli. */
  readonly sources: string;
}

/** Deals the tests out to so many lanes of about the same size. A class stays whole: it is prepared once. */
export function dealOut(tests: readonly string[], lanes: number): string[][] {
  const classes = new Map<string, string[]>();
  for (const test of tests) {
    const name = test.slice(0, test.lastIndexOf("."));
    classes.set(name, [...(classes.get(name) ?? []), test]);
  }
  const dealt = Array.from({ length: lanes }, (): string[] => []);
  for (const members of [...classes.values()].sort((a, b) => b.length - a.length))
    dealt.reduce((least, lane) => (lane.length < least.length ? lane : least)).push(...members);
  return dealt;
}

export const pythonEnvironment = ({ sources }: Surroundings): NodeJS.ProcessEnv => ({
  ...process.env,
  PYTHONPATH: join(sources, "src"),
  // The checkout may be read-only, or not ours.
  PYTHONDONTWRITEBYTECODE: "1",
  STRATISD: DAEMON,
});

interface Line {
  test: string;
  event: "begin" | "end";
  problem?: string | null;
}

/** Reads a lane's report to its end. Ends the lane when it says nothing for too long. */
async function readReport(child: ChildProcess): Promise<{ outcome: Outcome; running: string | null }> {
  if (child.stdout === null) throw new Error("the lane was started without a pipe");
  const outcome: Outcome = { passed: [], problems: [] };
  let running: string | null = null;
  const timer = setTimeout(() => {
    const text = `the lane said nothing for ${SILENCE_TIMEOUT_MS / 1000} s and was ended`;
    outcome.problems.push({ test: running ?? "before the first test", text });
    running = null;
    child.kill("SIGKILL");
  }, SILENCE_TIMEOUT_MS);
  for await (const line of createInterface({ input: child.stdout })) {
    timer.refresh();
    const { test, event, problem } = JSON.parse(line) as Line;
    running = event === "begin" ? test : null;
    if (event === "begin") continue;
    if (typeof problem === "string") outcome.problems.push({ test, text: problem });
    else outcome.passed.push(test);
  }
  clearTimeout(timer);
  return { outcome, running };
}

/** Runs the tests one after the other. Each of them is in the outcome, also when the lane ended early. */
export async function runLane(surroundings: Surroundings, tests: readonly string[]): Promise<Outcome> {
  const folder = join(surroundings.sources, "tests");
  const child = spawnIsolated(
    [process.execPath, join(__dirname, "lane.js"), surroundings.python, RUNNER, "run", folder],
    { stdio: ["pipe", "pipe", "pipe"], env: pythonEnvironment(surroundings) },
  );
  if (child.stdin === null || child.stderr === null) throw new Error("the lane was started without pipes");
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  // A lane that ends before it has read its tests says why on its standard error.
  child.stdin.on("error", () => undefined);
  child.stdin.end(tests.map((test) => `${test}\n`).join(""));
  const [{ outcome, running }, complaints, [status, signal]] = await Promise.all([
    readReport(child),
    text(child.stderr),
    exited,
  ]);
  const reported = new Set([...outcome.passed, ...outcome.problems.map(({ test }) => test)]);
  const end = `the lane ended with ${signal ?? `status ${status ?? "none"}`}`;
  for (const test of tests.filter((candidate) => !reported.has(candidate)))
    outcome.problems.push({
      test,
      text: `${test === running ? "did not come to its end" : "was not run"}: ${end}\n${complaints.slice(-2000)}`,
    });
  if (status !== 0 && outcome.problems.length === 0)
    outcome.problems.push({ test: "the lane itself", text: `${end}\n${complaints.slice(-2000)}` });
  return outcome;
}
