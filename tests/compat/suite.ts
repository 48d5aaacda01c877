/**
 * The integration tests of the released stratis-cli, run against our daemon with its simulator. Exit status 0: all
 * passed; 1: some failed; 77: they could not be run on this machine, and it has said what is missing.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { isolationRefusal } from "./isolated";
import { dealOut, pythonEnvironment, runLane, RUNNER, type Outcome, type Surroundings } from "./lanes";
import { NotRunError } from "./not-run";
import { pythonProgram } from "./python";
import { stratisCliFolder } from "./sources";

const NOT_RUN_STATUS = 77;
/** How many the release has: fewer means that they were not found, not that all is well. */
const TESTS = 329;
const LANES = 2;
const LIST_TIMEOUT_MS = 60_000;

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

function report(outcomes: readonly Outcome[], seconds: number): boolean {
  const problems = outcomes.flatMap((outcome) => outcome.problems);
  const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed.length, 0);
  for (const { test, text } of problems) console.log(`\n---- ${test}\n${text.trimEnd()}`);
  for (const { test } of problems) console.log(`failed: ${test}`);
  console.log(`stratis-cli's integration tests, in ${seconds} s:`);
  console.log(`${passed} passed, ${problems.length} failed`);
  return problems.length === 0;
}

async function main(): Promise<number> {
  const begin = performance.now();
  const surroundings = prepare();
  const lanes = dealOut(listTests(surroundings), LANES);
  const outcomes = await Promise.all(lanes.map((tests) => runLane(surroundings, tests)));
  return report(outcomes, Math.round((performance.now() - begin) / 1000)) ? 0 : 1;
}

void main()
  .catch((error: unknown) => {
    if (!(error instanceof NotRunError)) throw error;
    console.log(`NOT RUN: stratis-cli's integration tests. ${error.message}`);
    return NOT_RUN_STATUS;
  })
  .then((status) => {
    process.exitCode = status;
  });
