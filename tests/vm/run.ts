/**
 * Runs cases on a real kernel.
 *
 *   run.js [FILE]...           boots guests and runs the cases in them (all of cases/ and host-cases/ unless named);
 *                              STRATIS_VM_LANES says how many at a time (default 2)
 *   run.js --long              the same with those of long-cases/, which take many minutes
 *   run.js --keep              boots a guest and keeps it until --stop
 *   run.js --attach [FILE]...  runs cases in the guest that is kept; `--attach -c COMMAND` runs a command there
 *   run.js --host [FILE]...    runs the cases on this machine, on loop devices; needs root and device-mapper
 *   run.js --stop              ends the guest that is kept
 */
import { existsSync, readdirSync } from "node:fs";
import * as path from "node:path";
import { runCase, summarize, type CaseResult, type Place } from "./harness/cases";
import { CASE_DISKS, Guest } from "./harness/guest";
import { onThisMachine } from "./harness/host";
import { DIST_NAME, PROJECT } from "./harness/image";
import { attach, keep, stopKept } from "./harness/keep";
import { drivesGuests, HOST_CASES, inGuest, runInGuests } from "./harness/lanes";

const LONG_CASES = "long-cases";
const KEPT_LIMIT_SECONDS = 24 * 3600;

function filesOf(folder: string): string[] {
  return readdirSync(path.join(__dirname, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.js"))
    .sort()
    .map((name) => path.join(DIST_NAME, "tests", "vm", folder, name));
}

/** The files that were asked for, relative to the project. */
function wantedFiles(named: readonly string[]): string[] {
  if (named.length === 0) return [...filesOf("cases"), ...filesOf(HOST_CASES)];
  return named.map((name) => {
    const file = path.relative(PROJECT, path.resolve(name));
    if (file.startsWith("..")) throw new Error(`${name} is not below ${PROJECT}, so the guest can't see it`);
    if (!existsSync(path.join(PROJECT, file))) throw new Error(`There is no ${name}`);
    return file;
  });
}

async function runAll(place: Place, files: readonly string[]): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const file of files) results.push(await runCase(place, file));
  return results;
}

async function keepGuest(): Promise<void> {
  const guest = await Guest.boot({ disks: CASE_DISKS, limitSeconds: KEPT_LIMIT_SECONDS });
  await keep(guest);
  await guest.shutdown();
}

async function runAttached(args: readonly string[]): Promise<boolean> {
  const agent = await attach();
  try {
    if (args[0] === "-c") {
      const { status } = await agent.exec(args.slice(1).join(" "), {
        onOutput: (text, stream) => (stream === "out" ? process.stdout : process.stderr).write(text),
      });
      return status === 0;
    }
    const files = wantedFiles(args.length === 0 ? filesOf("cases") : args);
    const foreign = files.find(drivesGuests);
    if (foreign !== undefined)
      throw new Error(`${foreign} drives guests of its own; run it without --attach`);
    await agent.mustExec("cat /project/tests/vm/guest/refresh.sh > /run/refresh.sh && sh /run/refresh.sh");
    return summarize(await runAll(inGuest(agent), files));
  } finally {
    agent.close();
  }
}

async function runOnThisMachine(named: readonly string[]): Promise<boolean> {
  const files = wantedFiles(named.length === 0 ? filesOf("cases") : named);
  return await onThisMachine(async (place) => summarize(await runAll(place, files)));
}

async function main(args: readonly string[]): Promise<boolean> {
  const [mode, ...rest] = args;
  switch (mode) {
    case "--long":
      return summarize(await runInGuests(rest.length === 0 ? filesOf(LONG_CASES) : wantedFiles(rest)));
    case "--keep":
      await keepGuest();
      return true;
    case "--stop":
      await stopKept();
      return true;
    case "--attach":
      return await runAttached(rest);
    case "--host":
      return await runOnThisMachine(rest);
    case undefined:
    default:
      return summarize(await runInGuests(wantedFiles(args)));
  }
}

main(process.argv.slice(2)).then(
  (passed) => process.exit(passed ? 0 : 1),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
