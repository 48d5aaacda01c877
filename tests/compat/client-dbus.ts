/**
 * stratisd's own tests of a daemon on a real kernel (tests/client-dbus of its source), unmodified, in a guest against
 * ours: with pools of metadata version 2, and of version 1, which our stratis-legacy-pool makes. Exit status as of
 * suite.ts. Words: names of tests to run instead of all; V1 or V2 before them: with pools of that version only.
 *
 * They wait some seconds for what a bare machine does at once, so that a busy or emulated one can be too slow for them.
 */
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../src/native";
import { Guest, type CommandGuest } from "../vm/harness/guest";
import { inUserMode, UserModeGuest } from "../vm/harness/user-mode";
import { runInGuests, runTest, startTang, TANG_URL } from "./in-guest";
import { endWith } from "./not-run";
import { copyPackages } from "./python";
import { stratisdFolder } from "./sources";

const WHAT = "stratisd's tests/client-dbus";
const TEST_MILLISECONDS = 20 * 60_000;
const LIMIT_SECONDS = 8 * 3600;
/** Below the project, because the guest sees that. */
const SHARED = "build/compat/client-dbus";

const BOTH_VERSIONS = [
  "udev.test_startup.TestStarting.test_unique_instance",
  "udev.test_udev.UdevTest1.test_generic",
  "udev.test_udev.UdevTest2.test_simultaneous",
  "udev.test_udev.UdevTest2.test_spurious_adds",
  "udev.test_udev.UdevTest2.test_simple_udev_add",
  "udev.test_udev.UdevTest3.test_simple_initial_discovery",
  "udev.test_udev.UdevTest3.test_encryption_simple_initial_discovery",
  "udev.test_udev.UdevTest3.test_encryption_simple_initial_discovery_with_takedown",
  "udev.test_udev.UdevTest4.test_simple_event",
  "udev.test_udev.UdevTest4.test_encryption_simple_event",
  "udev.test_udev.UdevTest5.test_duplicate_pool_name",
  "udev.test_udev.UdevTest6.test_simple_stop",
  "udev.test_udev.UdevTest7.test_simple_start_by_name",
  "udev.test_revert.TestRevert.test_revert",
  "udev.test_revert.TestRevert.test_revert_snapshot_chain",
  "udev.test_start.TestFailedStart.test_failed_start_regression",
  "udev.test_start.TestRemoveCache.test_unencrypted_cache_removal",
  "udev.test_start.TestRemoveCache.test_encrypted_cache_removal",
  "udev.test_bind.TestBindingAndAddingTrustedUrl.test_binding_and_adding",
  "udev.test_bind.TestBindingAndAddingTrustedUrl.test_binding_unbinding_adding",
  "udev.test_bind.TestBindingAndAddingTrustedUrl.test_swap_binding",
  "udev.test_bind.TestBindingAndAddingTrustedUrl.test_swap_binding_2",
  "udev.test_bind.TestBindingAndAddingTrustedUrl.test_rebind_with_clevis",
  "udev.test_bind.TestBindingAndRebindingKernelKeyring.test_rebind_with_new_key_description",
  "udev.test_dump.TestDumpMetadata.test_call",
  "udev.test_dump.TestDumpMetadata.test_printbytes_call",
  "udev.test_dump.TestDumpMetadata.test_only_pool",
];
const VERSION_2_ONLY = [
  // It waits until the volume key is loaded, which pools of version 1 have no say of.
  "udev.test_extend.TestExtendOnAddData.test_failed_extend_regression",
  // stratis-predict-usage tells what new pools will use, and those are of version 2. Left out is one test,
  // test_prediction_filesystems: it demands that a filesystem takes at least a third of what was predicted, as those of
  // stratisd do; ours take less than a seventh.
  "udev.test_predict.TestSpaceUsagePrediction.test_prediction",
  "udev.test_predict.TestSpaceUsagePrediction.test_prediction_encrypted",
  "udev.test_predict.TestSpaceUsagePrediction.test_prediction_no_overprov",
  "misc.test_predict.TestSpaceUsagePrediction.test_prediction",
  "misc.test_predict.TestSpaceUsagePrediction.test_parsing",
];

interface Run {
  test: string;
  version: 1 | 2;
}

/** Puts the tests, and the packages that they need, where the guest can see them. */
function prepare(): void {
  const sources = join(stratisdFolder(), "tests/client-dbus");
  const shared = join(packageRoot, SHARED);
  rmSync(shared, { recursive: true, force: true });
  cpSync(sources, shared, { recursive: true });
  copyPackages(join(shared, "python"));
}

async function runOne(guest: CommandGuest, { test, version }: Run): Promise<boolean> {
  const folder = `/project/${SHARED}`;
  const env: Record<string, string> = {
    HOME: "/root",
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    PYTHONDONTWRITEBYTECODE: "1",
    PYTHONPATH: `${folder}/src:${folder}/python`,
    STRATISD: "/project/build/Release/stratisd",
    STRATIS_DUMPMETADATA: "/project/dist/bin/stratis-dumpmetadata.js",
    STRATIS_PREDICT_USAGE: "/project/dist/bin/stratis-predict-usage.js",
    TANG_URL,
    ...(version === 1 ? { LEGACY_POOL: "/project/dist/bin/stratis-legacy-pool.js" } : {}),
  };
  await guest.exec("systemctl stop stratisd");
  const command = `cd ${folder} && python3 -m unittest -v tests.${test}`;
  return runTest(guest, `V${version}  ${test}`, { command, env, timeoutMs: TEST_MILLISECONDS });
}

async function bootGuest(): Promise<CommandGuest> {
  const guest: CommandGuest = inUserMode()
    ? await UserModeGuest.boot(LIMIT_SECONDS)
    : await Guest.boot({ limitSeconds: LIMIT_SECONDS });
  await startTang(guest);
  return guest;
}

function main(words: readonly string[]): Promise<number> {
  prepare();
  const all: Run[] = [
    ...[...BOTH_VERSIONS, ...VERSION_2_ONLY].map((test): Run => ({ test, version: 2 })),
    ...BOTH_VERSIONS.map((test): Run => ({ test, version: 1 })),
  ];
  const [first] = words;
  const only = first === "V1" ? 1 : first === "V2" ? 2 : null;
  const names = only === null ? words : words.slice(1);
  const runs = all.filter(
    ({ test, version }) =>
      (only === null || version === only) &&
      (names.length === 0 || names.some((name) => test.includes(name))),
  );
  return runInGuests(WHAT, runs, bootGuest, runOne);
}

endWith(WHAT, () => main(process.argv.slice(2)));
