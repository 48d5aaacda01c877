/**
 * The tests by which upstream certifies stratisd and stratis-cli as installed on a system (stratis-storage/testing),
 * unmodified: on a user's machine, against our package, with all of their checks after each test. Those of the command
 * line are for ours, and for stratis-cli itself as a client of our daemon. Exit status as of suite.ts. Words: names of
 * tests to run instead of all, or what they are for: stratisd, stratis, stratis-cli.
 */
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/native";
import type { CommandGuest } from "../vm/harness/guest";
import { bootMachine, DEVICE, installPackage, machine, POOLS, settled } from "../vm/harness/user-machine";
import { runInGuests, runTest } from "./in-guest";
import { endWith } from "./not-run";
import { copyPackages } from "./python";
import { certificationFolder, stratisCliFolder } from "./sources";

const WHAT = "the certification of an installed Stratis";
const TEST_MILLISECONDS = 10 * 60_000;
const LIMIT_SECONDS = 6 * 3600;
/** Below the project, because the guest sees that. */
const SHARED = "build/compat/certify";
const FOLDER = `/project/${SHARED}`;
const PROGRAMS: readonly Program[] = [
  { subject: "stratisd", file: "stratisd_cert.py", env: {} },
  { subject: "stratis", file: "stratis_cli_cert.py", env: {} },
  {
    subject: "stratis-cli",
    file: "stratis_cli_cert.py",
    env: { STRATIS_CLI: `${FOLDER}/stratis-cli/bin/stratis` },
  },
];
const CHECKS = [
  ...["monitor-dbus", "verify-sysfs", "verify-private-symlinks"],
  ...["verify-filesystem-symlinks", "verify-pool-metadata"],
];

interface Program {
  /** What it certifies. */
  subject: string;
  file: string;
  env: Record<string, string>;
}

interface Run {
  program: Program;
  test: string;
}

/** Puts the tests, and the packages that they need, where the guest can see them. Returns all that there are. */
function prepare(): Run[] {
  const shared = join(packageRoot, SHARED);
  rmSync(shared, { recursive: true, force: true });
  for (const part of ["scripts", "testlib", ...PROGRAMS.map(({ file }) => file)])
    cpSync(join(certificationFolder(), part), join(shared, part), { recursive: true });
  for (const part of ["bin", "src"])
    cpSync(join(stratisCliFolder(), part), join(shared, "stratis-cli", part), { recursive: true });
  copyPackages(join(shared, "python"));
  return PROGRAMS.flatMap((program) =>
    testsIn(readFileSync(join(shared, program.file), "utf8")).map((test) => ({ program, test })),
  );
}

/** The tests of a Python program, as unittest names them on its command line. */
function testsIn(source: string): string[] {
  const tests: string[] = [];
  let testCase = "";
  for (const [, name, method] of source.matchAll(/^(?:class (\w+)| {4}def (test_\w+))\(/gm)) {
    if (name !== undefined) testCase = name;
    else tests.push(`${testCase}.${method ?? ""}`);
  }
  return tests;
}

async function bootGuest(): Promise<CommandGuest> {
  // Not in user mode, which has no systemd of a user's machine.
  await bootMachine(LIMIT_SECONDS);
  await settled();
  await installPackage();
  return machine();
}

function runOne(guest: CommandGuest, { program, test }: Run): Promise<boolean> {
  const env = {
    HOME: "/root",
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONPATH: `${FOLDER}/python:${FOLDER}/stratis-cli/src`,
    ...program.env,
  };
  const disks = POOLS.map((serial) => `--disk=$(readlink -f ${DEVICE}-${serial})`).join(" ");
  const checks = CHECKS.map((check) => `--post-test-check=${check}`).join(" ");
  const said = "/tmp/certify";
  // unittest takes a test that is left out as passed.
  const command =
    `cd ${FOLDER} && python3 ${program.file} ${disks} ${checks} -v ${test} > ${said} 2>&1; status=$?; ` +
    `cat ${said}; [ $status = 0 ] && ! grep -q skipped ${said}`;
  return runTest(guest, `${program.subject}  ${test}`, { command, env, timeoutMs: TEST_MILLISECONDS });
}

function main(words: readonly string[]): Promise<number> {
  const all = prepare();
  const runs = all.filter(
    ({ program, test }) =>
      words.length === 0 || words.some((word) => word === program.subject || test.includes(word)),
  );
  return runInGuests(WHAT, runs, bootGuest, runOne);
}

endWith(WHAT, () => main(process.argv.slice(2)));
