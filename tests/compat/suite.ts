/**
 * The integration tests of the released stratis-cli, run against our daemon with its simulator. Exit status 0: all
 * passed; 1: some failed; 77: they could not be run on this machine, and it has said what is missing.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { isolationRefusal } from "./isolated";
import { dealOut, pythonEnvironment, runLane, RUNNER, type Outcome, type Surroundings } from "./lanes";
import { endWith, NotRunError } from "./not-run";
import { pythonProgram } from "./python";
import { stratisCliFolder } from "./sources";

/** How many the release has: fewer means that they were not found, not that all is well. */
const TESTS = 329;
const LANES = 5;
/** How often those that were late run again. */
const LATE_ROUNDS = 3;
const LIST_TIMEOUT_MS = 60_000;
const NOBODY_ON_BUS = /org\.freedesktop\.DBus\.Error\.(NameHasNoOwner|ServiceUnknown)/;

function prepare(): Surroundings {
  const refusal = isolationRefusal();
  if (refusal !== null) throw new NotRunError(refusal);
  const sources = stratisCliFolder();
  return { sources, python: pythonProgram() };
}

function listTests(surroundings: Surroundings): string[] {
  const folder = join(surroundings.sources, "tests");
  const { status, stdout, stderr, error } = spawnSync(surroundings.python, [RUNNER, "list", folder], {
    encoding: "utf8",
    timeout: LIST_TIMEOUT_MS,
    env: pythonEnvironment(surroundings),
  });
  if (status !== 0)
    throw new Error(`${RUNNER} could not list the tests of ${folder}: ${error?.message ?? stderr}`);
  const tests = stdout.trim().split("\n");
  if (tests.length !== TESTS)
    throw new Error(`${folder} has ${tests.length} tests, where the release has ${TESTS}`);
  return tests;
}

const merged = (outcomes: readonly Outcome[]): Outcome => ({
  passed: outcomes.flatMap(({ passed }) => passed),
  problems: outcomes.flatMap(({ problems }) => problems),
});

/**
 * Each test starts the daemon and expects it on the bus a second later. The daemon takes a third of that; a machine
 * that is busy with something else can make it late. Only tests that found nobody on the bus run again, alone.
 */
async function runLate(
  surroundings: Surroundings,
  first: Outcome,
  tests: readonly string[],
): Promise<Outcome> {
  let outcome = first;
  for (let round = 1; round <= LATE_ROUNDS; round += 1) {
    const late = outcome.problems.filter(
      ({ test, text }) => tests.includes(test) && NOBODY_ON_BUS.test(text),
    );
    if (late.length === 0) break;
    console.log(`${late.length} found no daemon on the bus in time, and run again:`);
    for (const { test } of late) console.log(`late: ${test}`);
    const others = { ...outcome, problems: outcome.problems.filter((problem) => !late.includes(problem)) };
    const again = await runLane(
      surroundings,
      late.map(({ test }) => test),
    );
    outcome = merged([others, again]);
  }
  return outcome;
}

function report({ passed, problems }: Outcome, seconds: number): void {
  for (const { test, text } of problems) console.log(`\n---- ${test}\n${text.trimEnd()}`);
  for (const { test } of problems) console.log(`failed: ${test}`);
  console.log(`stratis-cli's integration tests, in ${seconds} s:`);
  console.log(`${passed.length} passed, ${problems.length} failed`);
}

async function main(): Promise<number> {
  const begin = performance.now();
  const surroundings = prepare();
  const tests = listTests(surroundings);
  const lanes = dealOut(tests, LANES);
  const first = merged(await Promise.all(lanes.map((lane) => runLane(surroundings, lane))));
  const outcome = await runLate(surroundings, first, tests);
  report(outcome, Math.round((performance.now() - begin) / 1000));
  return outcome.problems.length === 0 && outcome.passed.length === TESTS ? 0 : 1;
}

endWith("stratis-cli's integration tests", main);
