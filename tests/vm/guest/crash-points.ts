/** Daemons that are killed before a step of an operation, or one of whose steps fails: see crash-native/ beside this file. */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { startDaemon } from "./daemon";

const CONTROL = "/run/stratis-crash-control";
let tokens = 0;

/** A daemon whose steps are counted. */
export async function startCountedDaemon(): Promise<void> {
  writeFileSync(CONTROL, "");
  await startDaemon({
    direct: true,
    env: {
      STRATIS_NATIVE_BUILD: path.join(__dirname, "crash-native"),
      STRATIS_CRASH_CONTROL: CONTROL,
    },
  });
}

function order(limit: number, ...more: string[]): void {
  tokens += 1;
  writeFileSync(`${CONTROL}.steps`, "");
  rmSync(`${CONTROL}.died`, { force: true });
  writeFileSync(CONTROL, [`${limit} ${process.pid}-${tokens}`, ...more].join("\n"));
}

/** From now on steps are counted, and before step `limit` the daemon dies; 0: it never does. */
export function countSteps(limit: number): void {
  order(limit);
}

/** Whether the daemon has come to the step before which it dies; its process may take a moment to be gone. */
export const diedAtStep = (): boolean => existsSync(`${CONTROL}.died`);

/** From now on steps are counted, and step `number` fails. */
export function failStep(number: number): void {
  order(-number);
}

/** For the shell of a program that the daemon runs: the daemon's next step fails. */
export const FAIL_NEXT_STEP = `echo "-1 of-a-program" > ${CONTROL}`;

/** From now on steps are counted, and before the first one whose name matches the command is run. */
export function beforeStep(name: RegExp, command: string): void {
  order(0, name.source, command);
}

/** From now on steps are counted, and the first one whose name matches fails. */
export function failStepNamed(name: RegExp): void {
  beforeStep(name, "exit 1");
}

/** What was done since countSteps(); ends the counting. */
export function stepsSoFar(): string[] {
  writeFileSync(CONTROL, "");
  return readFileSync(`${CONTROL}.steps`, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}
