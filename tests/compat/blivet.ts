/**
 * blivet, the library by which Anaconda and the storage role of Ansible manage disks: its own tests of Stratis, unmodified,
 * in a guest against our daemon. Exit status as of suite.ts. Words: names of tests to run instead of all.
 */
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/native";
import { GIB, Guest, type CommandGuest } from "../vm/harness/guest";
import { runInGuests, runTest, startTang, TANG_URL } from "./in-guest";
import { endWith } from "./not-run";
import { blivetFolder } from "./sources";

const WHAT = "blivet's tests of Stratis";
const TEST_MILLISECONDS = 20 * 60_000;
const LIMIT_SECONDS = 4 * 3600;
/** Below the project, because the guest sees that. */
const SHARED = "build/compat/blivet";
const MODULE = "tests.storage_tests.devices_test.stratis_test";
/** All that the release has but test_stratis_encrypted_clevis_tpm: the guest has no TPM. */
const TESTS = [
  "StratisTestCase.test_stratis_basic",
  "StratisTestCase.test_stratis_encrypted",
  "StratisTestCase.test_stratis_encrypted_keyfile",
  "StratisTestCase.test_stratis_overprovision",
  "StratisTestCase.test_stratis_add_device",
  "StratisTestCase.test_stratis_pool_start_stop",
  "StratisTestCase.test_stratis_pool_start_stop_encrypted",
  "StratisTestCaseClevis.test_stratis_encrypted_clevis_tang",
  "StratisGrowTestCase.test_stratis_grow",
  "StratisGrowTestCase.test_stratis_grow_maxsize",
  "StratisDeviceFactoryTestCase.test_factory_create",
  "StratisDeviceFactoryTestCase.test_factory_encrypted",
  "StratisDeviceFactoryTestCase.test_factory_grow",
  "StratisDeviceFactoryTestCase.test_factory_overprovisioning",
];
/** As many of each size as a test wants at once. */
const DISKS = [
  ...["small1", "small2"].map((serial) => ({ serial, sizeBytes: 2 * GIB })),
  ...["large1", "large2"].map((serial) => ({ serial, sizeBytes: 5 * GIB })),
];

/** Puts blivet and its tests where the guest can see them. */
function prepare(): void {
  const sources = blivetFolder();
  const shared = join(packageRoot, SHARED);
  rmSync(shared, { recursive: true, force: true });
  mkdirSync(shared, { recursive: true });
  for (const part of ["blivet", "tests"])
    cpSync(join(sources, part), join(shared, part), { recursive: true });
}

async function bootGuest(): Promise<CommandGuest> {
  // Not in user mode, whose disks blivet does not know as such.
  const guest = await Guest.boot({ disks: DISKS, limitSeconds: LIMIT_SECONDS });
  await startTang(guest);
  return guest;
}

function runOne(guest: CommandGuest, test: string): Promise<boolean> {
  const env = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONPATH: `/project/${SHARED}`,
    TANG_URL,
    BLIVET_DISKS: DISKS.map(({ serial }) => `/dev/disk/by-id/virtio-${serial}`).join(" "),
  };
  const command = `python3 /project/tests/compat/run_blivet.py ${MODULE}.${test}`;
  return runTest(guest, test, { command, env, timeoutMs: TEST_MILLISECONDS });
}

function main(words: readonly string[]): Promise<number> {
  prepare();
  const tests = TESTS.filter((test) => words.length === 0 || words.some((name) => test.includes(name)));
  return runInGuests(WHAT, tests, bootGuest, runOne);
}

endWith(WHAT, () => main(process.argv.slice(2)));
