/** What udev waits for at every event of a filesystem's device: its helpers, each run many times. Prints a table. */
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { packageRoot } from "../src/native";

const RUNS = 1000;
const GOAL_MS = 2;
/** Starting a program from here takes longer than the program: a small shell does it. */
const LOOP = `i=0; while [ $i -lt ${RUNS} ]; do "$@" > /dev/null || exit 1; i=$((i + 1)); done`;
const UUID = "17101e39-e72e-423c-90d8-be5cb37c055b";

/** Milliseconds of one run, its start included. */
function milliseconds(command: readonly string[]): number {
  const started = performance.now();
  const { status, error } = spawnSync("/bin/sh", ["-c", LOOP, "sh", ...command], { stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command.join(" ")} failed`);
  return (performance.now() - started) / RUNS;
}

const helper = (name: string): string => path.join(packageRoot, "build/Release", name);

console.log(`\n${"".padEnd(48)}${"this".padStart(12)}${"goal".padStart(12)}`);
for (const [what, command, goal] of [
  ["stratis-base32-decode", [helper("stratis-base32-decode"), "STRATIS_POOL_NAME", "NV4XA33PNQ"], GOAL_MS],
  ["stratis-str-cmp", [helper("stratis-str-cmp"), UUID, UUID], GOAL_MS],
  ["true (does nothing, is dynamically linked)", ["/bin/true"], null],
] as const) {
  const figure = `${milliseconds(command).toFixed(2)} ms`;
  console.log(
    `${what.padEnd(48)}${figure.padStart(12)}${(goal === null ? "–" : `≤ ${goal} ms`).padStart(12)}`,
  );
}
