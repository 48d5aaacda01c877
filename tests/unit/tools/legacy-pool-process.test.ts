/** What stratis-legacy-pool does without device-mapper: its command line, its question, and devices that it refuses. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { programFile } from "./run";

function run(words: string[], input = ""): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(programFile("stratis-legacy-pool"), words, {
    input,
    encoding: "utf8",
    timeout: 40_000,
  });
  return { code: status, stdout, stderr };
}

test("whatever is not a yes ends it with nothing done", () => {
  for (const input of ["", "\n", "n\n", "YES\n", "no\n"]) {
    const { code, stdout, stderr } = run(["pool", "/dev/does-not-exist"], input);
    assert.deepEqual([code, stderr], [0, ""], input);
    assert.ok(stdout.endsWith("Do you want to continue? [Y/n] "));
  }
});

test("a device that can't be used is refused by name", () => {
  for (const [device, reason] of [
    ["/dev/does-not-exist", /does-not-exist/],
    ["relative", /absolute/],
    ["/dev/null", /not a block device/],
  ] as const) {
    const { code, stderr } = run(["pool", device], "Yes\n");
    assert.equal(code, 1);
    assert.match(stderr, /^Error: /);
    assert.match(stderr, reason);
  }
  assert.match(run(["a/b", "/dev/null"], "y\n").stderr, /^Error: .*a\/b/);
});

test("a key that is not set is refused, and options that contradict each other as wrong", () => {
  const { code, stderr } = run(["pool", "/dev/null", "--key-desc", "never-set"], "Yes\n");
  // Where this user has no keyring, that is the reason.
  assert.deepEqual([code, /never-set|keyring/.test(stderr)], [1, true], stderr);
  for (const words of [
    ["pool"],
    ["pool", "/dev/null", "--clevis", "tang"],
    ["pool", "/dev/null", "--clevis", "tang", "--tang-url", "u", "--thumbprint", "t", "--trust-url"],
    ["pool", "/dev/null", "--clevis", "none"],
  ])
    assert.equal(run(words).code, 2, words.join(" "));
});
