/** The script behind stratis-fstab-setup@.service, with stratis-min and stratis that are told what to answer. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { after, beforeEach, test } from "node:test";
import { packageRoot } from "../../../src/native";
import { temporary } from "./support";

const SCRIPT = path.join(packageRoot, "systemd/stratis-fstab-setup");
const UUID = "17101e39-e72e-423c-90d8-be5cb37c055b";
const TIMEOUT_MS = 60_000;

const [folder, remove] = temporary();
after(remove);
const programs = path.join(folder, "bin");
const calls = path.join(folder, "calls");

/**
 * A program that writes down its arguments, and its standard input if they ask for it; then it does what the first
 * answer says that fits them: a line "PATTERN|STATUS|TEXT" of the file that bears its name. An answer with a fourth
 * field is used up by the call, which is how things change.
 */
const FAKE = `#!/bin/sh
name=$(basename "$0")
echo "$name $*" >> "$FOLDER/calls"
case " $* " in *" --prompt "* | *" --capture-key "*) echo "stdin: $(cat)" >> "$FOLDER/calls" ;; esac
number=0
while IFS='|' read -r pattern status text once; do
    number=$((number + 1))
    case "$*" in
        $pattern)
            [ -z "$once" ] || sed -i "\${number}d" "$FOLDER/$name"
            [ -z "$text" ] || printf "$text\\\\n"
            exit "$status"
            ;;
    esac
done < "$FOLDER/$name"
exit 64
`;

function answer(program: string, ...lines: string[]): void {
  writeFileSync(path.join(programs, program), FAKE, { mode: 0o755 });
  writeFileSync(path.join(folder, program), lines.map((line) => `${line}\n`).join(""));
}

beforeEach(() => {
  rmSync(programs, { recursive: true, force: true });
  mkdirSync(programs);
  writeFileSync(calls, "");
  answer("udevadm", "settle|0|");
  answer("sleep", "*|0|");
});

interface Ran {
  status: number | null;
  stderr: string;
  calls: string[];
}

function run(
  args: readonly string[] = [UUID],
  env: NodeJS.ProcessEnv = { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/x" },
): Ran {
  const { status, stderr, error } = spawnSync("sh", [SCRIPT, ...args], {
    encoding: "utf8",
    env: { PATH: `${programs}:/usr/bin:/bin`, FOLDER: folder, STRATIS_SETUP_TRIES: "3", ...env },
    timeout: TIMEOUT_MS,
  });
  if (error !== undefined) throw error;
  const made = readFileSync(calls, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return { status, stderr, calls: made };
}

/** All went well, and of the calls only those that changed something are left. */
function succeeded({ status, stderr, calls: made }: Ran): string[] {
  assert.equal(status, 0, stderr);
  return made.filter((call) => !/ pool (is-|has-|list)/.test(call));
}

const MIN_STOPPED = "pool is-stopped *|0|true";
const MIN_RUNNING = "pool is-stopped *|0|false";
const MIN_GONE = 'pool is-stopped *|1|Error: "IO error: No such file or directory (os error 2)"';

test("stratis-min: a pool that runs is only waited for", () => {
  answer("stratis-min", MIN_RUNNING);
  assert.deepEqual(succeeded(run()), ["udevadm settle"]);
});

test("stratis-min: a pool without encryption is started", () => {
  answer("stratis-min", MIN_STOPPED, "pool is-encrypted *|0|false", "pool start *|0|");
  assert.deepEqual(succeeded(run()), [`stratis-min pool start ${UUID}`, "udevadm settle"]);
});

const ENCRYPTED = [MIN_STOPPED, "pool is-encrypted *|0|true"];

test("stratis-min: a pool with a Clevis binding is started by it", () => {
  answer("stratis-min", ...ENCRYPTED, "pool is-bound *|0|true", "pool start *|0|");
  assert.deepEqual(succeeded(run()), [`stratis-min pool start --token-slot=any ${UUID}`, "udevadm settle"]);
});

test("stratis-min: when Clevis fails a passphrase is asked for, and once more if it is wrong", () => {
  answer("systemd-ask-password", "*|0|wrong|once", "*|0|s3 cret|once");
  answer(
    "stratis-min",
    ...ENCRYPTED,
    "pool is-bound *|0|true",
    "pool has-passphrase *|0|true",
    `pool start --token-slot=any ${UUID}|1|Error: no Tang|once`,
    `pool start --token-slot=any --prompt ${UUID}|1|Error: wrong|once`,
    `pool start --token-slot=any --prompt ${UUID}|0|`,
  );
  const ran = run();
  const byPassphrase = `stratis-min pool start --token-slot=any --prompt ${UUID}`;
  const changing = succeeded(ran).filter((call) => !call.startsWith("systemd-ask-password"));
  assert.deepEqual(changing, [
    `stratis-min pool start --token-slot=any ${UUID}`,
    ...[byPassphrase, "stdin: wrong", byPassphrase, "stdin: s3 cret"],
    "udevadm settle",
  ]);
  const asked = `systemd-ask-password --id=stratis:${UUID} Enter password for pool with UUID ${UUID}`;
  assert.equal(ran.calls.filter((call) => call === asked).length, 2);
  assert.match(ran.stderr, /by its Clevis bindings failed/);
  assert.match(ran.stderr, /attempt 1 of 3/);
});

test("stratis-min: wrong passphrases fail after three attempts", () => {
  answer("systemd-ask-password", "*|0|wrong");
  const words = ["pool is-bound *|0|false", "pool has-passphrase *|0|true"];
  answer("stratis-min", ...ENCRYPTED, ...words, "pool start *|1|");
  const { status, stderr, calls: made } = run();
  assert.equal(status, 1);
  assert.equal(made.filter((call) => call === "stdin: wrong").length, 3);
  assert.match(stderr, /could not be started/);
});

test("stratis-min: what can't be found out is an error, not a no", () => {
  for (const [known, unknown] of [
    [MIN_STOPPED, "is-encrypted"],
    ["pool is-encrypted *|0|true", "is-bound"],
  ] as const) {
    answer("stratis-min", MIN_STOPPED, known, `pool ${unknown} *|1|`, "pool start *|0|");
    const { status, stderr, calls: made } = run();
    assert.equal(status, 1);
    assert.match(stderr, new RegExp(`asking for ${unknown} of pool ${UUID} failed`));
    assert.ok(!made.some((call) => call.includes("pool start")));
  }
});

test("a pool that somebody else starts meanwhile is started", () => {
  answer("stratis-min", `${MIN_STOPPED}|once`, "pool is-encrypted *|0|false", "pool start *|1|", MIN_RUNNING);
  assert.deepEqual(succeeded(run()), [`stratis-min pool start ${UUID}`, "udevadm settle"]);
});

test("a pool that comes late is waited for", () => {
  answer("stratis-min", `${MIN_GONE}|once`, `${MIN_GONE}|once`, MIN_RUNNING);
  answer("stratis", "*|1|Execution failed: no stratisd");
  assert.deepEqual(succeeded(run()), ["sleep 1", "sleep 1", "udevadm settle"]);
});

test("a pool that does not come is an error that says why", () => {
  answer("stratis-min", MIN_GONE);
  answer("stratis", "*|1|Execution failed: no stratisd");
  const { status, stderr, calls: made } = run();
  assert.equal(status, 1);
  assert.match(stderr, new RegExp(`pool ${UUID} did not appear: Execution failed: no stratisd`));
  assert.equal(made.filter((call) => call === "sleep 1").length, 2);
});

test("a pool that stratisd-min does not have is not asked of stratisd", () => {
  const absent = `pool is-stopped *|1|Error: "Pool with UUID ${UUID} not found"`;
  answer("stratis-min", `${absent}|once`, MIN_RUNNING);
  answer("stratis", "*|1|");
  const { status, calls: made } = run();
  assert.equal(status, 0);
  assert.ok(!made.some((call) => call.startsWith("stratis ")));
  answer("stratis-min", absent);
  assert.match(run().stderr, new RegExp(`pool ${UUID} did not appear: .*not found`));
});

test("a failing udev fails the script", () => {
  answer("stratis-min", MIN_RUNNING);
  answer("udevadm", "settle|3|");
  assert.equal(run().status, 3);
});

const details = (...lines: string[]): string =>
  `pool list --stopped --uuid=*|0|${[`UUID: ${UUID}`, ...lines, "Devices:"].join("\\n")}`;
const V2 = (key: string, clevis: string): string =>
  details(
    "Encryption Enabled: Yes",
    `    Allows Unlock via a Key in Kernel Keyring or a User-Entered Passphrase: ${key}`,
    `    Allows Unattended Unlock via Clevis: ${clevis}`,
  );
const V1 = (key: string, clevis: string): string =>
  details("Encryption Enabled: Yes", `    Key Description: ${key}`, `    Clevis Configuration: ${clevis}`);
const START = `stratis pool start --unlock-method=any --uuid=${UUID}`;
const START_BY_KEY = `stratis pool start --unlock-method=any --capture-key --uuid=${UUID}`;

test("stratis: pools are started by what they can be unlocked with", () => {
  answer("systemd-ask-password", "*|0|s3cret");
  for (const [stopped, expected] of [
    [details("Encryption Enabled: No"), [`stratis pool start --uuid=${UUID}`]],
    [V2("No", "Yes"), [START]],
    [V2("Yes", "No"), [START_BY_KEY, "stdin: s3cret"]],
    [V1("N/A", 'tang   {"url": "x"}'), [START]],
    [V1("key1", "N/A"), [START_BY_KEY, "stdin: s3cret"]],
  ] as const) {
    writeFileSync(calls, "");
    answer("stratis", stopped, "pool start *|0|");
    const made = succeeded(run()).filter((call) => !call.startsWith("systemd-ask-password"));
    assert.deepEqual(made, [...expected, "udevadm settle"], stopped);
  }
});

test("stratis: a pool that runs, and one whose encryption is not known", () => {
  answer("stratis", "pool list --stopped *|1|no such pool", "pool list --uuid=*|0|UUID: x");
  assert.deepEqual(succeeded(run()), ["udevadm settle"]);
  answer("stratis", details("Encryption Enabled: Unknown"), "pool start *|0|");
  const { status, stderr } = run();
  assert.equal(status, 1);
  assert.match(stderr, /whether pool .* is encrypted is not known: "Unknown"/);
});

test("wrong arguments", () => {
  for (const args of [[], [UUID, UUID], [""], ["--help"], [`${UUID};`], ["data"]]) {
    const { status, stderr, calls: made } = run(args);
    assert.equal(status, 1, args.join(" "));
    assert.match(stderr, /^stratis-fstab-setup: /);
    assert.deepEqual(made, []);
  }
});

test("without anybody who could answer, nothing is waited for", () => {
  const user = process.geteuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const command = 'mount -t tmpfs tmpfs /run && exec sh "$@"';
  const words = [...user, "--mount", "sh", "-c", command, "sh", SCRIPT, UUID];
  const env = { PATH: `${programs}:/usr/bin:/bin`, FOLDER: folder };
  const { status, stderr } = spawnSync("unshare", words, { encoding: "utf8", env, timeout: TIMEOUT_MS });
  assert.equal(status, 1);
  assert.match(stderr, /stratis-min is not installed, and without the system bus/);
  assert.equal(readFileSync(calls, "utf8"), "");
});
