/** The program stratis-predict-usage as its callers run it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runProgram } from "./run";

const run = (...words: string[]) => runProgram("stratis-predict-usage", words);

async function fails(code: number, message: string, ...words: string[]): Promise<void> {
  const ran = await run(...words);
  assert.equal(ran.stdout, "", words.join(" "));
  assert.ok(ran.stderr.includes(message), `${words.join(" ")}: "${message}" is not in:\n${ran.stderr}`);
  assert.equal(ran.code, code, words.join(" "));
}

test("a pool, as blivet asks for it", async () => {
  assert.deepEqual(await run("pool", "--device-size", "1099511627776", "--filesystem-size", "1073741824"), {
    code: 0,
    stdout:
      '{"free":"1081071366144","stratis-admin-space":"1082130432","stratis-metadata-space":"17336111104",' +
      '"total":"1099511627776","used":"18440261632"}\n',
    stderr: "",
  });
});

test("encryption makes no difference", async () => {
  const size = "--device-size=1099511627776";
  assert.deepEqual(await run("pool", size, "--encrypted"), await run("pool", size));
});

test("options about integrity", async () => {
  const words = [
    ...["pool", "--device-size=1099511627776", "--integrity-tag-spec=0b"],
    ...["--integrity-journal-size=0", "--no-integrity-superblock"],
  ];
  const { code, stdout } = await run(...words);
  assert.equal(code, 0);
  // 8192 sectors at the start of the device, 34816 for a LUKS2 header.
  assert.ok(stdout.includes(`"stratis-metadata-space":"${(8192 + 34816) * 512}"`), stdout);
});

test("filesystems", async () => {
  const sizes = ["--filesystem-size=1073741824", "--filesystem-size=1099511627776"];
  assert.deepEqual(await run("filesystem", ...sizes), {
    code: 0,
    stdout: '{"used":"1130364928"}\n',
    stderr: "",
  });
  assert.deepEqual(await run("filesystem", "--no-overprovision", ...sizes), {
    code: 0,
    stdout: '{"used":"1100585369600"}\n',
    stderr: "",
  });
});

test("log messages go to standard error, when they are wanted", async () => {
  for (const level of ["info", "debug", "trace"]) {
    const { code, stdout, stderr } = await run("--log-level", level, "pool", "--device-size=1099511627776");
    assert.equal(code, 0);
    assert.match(stdout, /^\{"free":"1081093386240",.*\}\n$/);
    const lines = stderr.split("\n");
    assert.equal(lines.length, 5);
    assert.match(
      lines[3] ?? "",
      /^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO {2}stratis-predict-usage\] Size after deductions: 2113658872 sectors$/,
    );
  }
  for (const level of ["off", "error", "warn"])
    assert.equal((await run(`--log-level=${level}`, "pool", "--device-size=1099511627776")).stderr, "");
});

test("what can't be", async () => {
  await fails(1, "Error: Some device sizes too small for DM metadata.", "pool", "--device-size=512");
  await fails(1, "Error: Specified filesystem size 1 bytes", "filesystem", "--filesystem-size=1");
  const journal = "--integrity-journal-size=4097";
  await fails(
    1,
    "Error: Integrity journal size of 4097 bytes",
    "pool",
    "--device-size=1099511627776",
    journal,
  );
});

test("wrong command lines", async () => {
  await fails(2, "a subcommand was not given");
  await fails(2, "unrecognized subcommand 'disk'", "disk");
  await fails(2, "--device-size <device-size>", "pool");
  await fails(2, "--filesystem-size <filesystem-size>", "filesystem");
  await fails(2, "unexpected argument '--device-size'", "filesystem", "--device-size=1");
  for (const size of ["", "1k", "-1", "0x10", "1.5", (1n << 128n).toString()])
    await fails(2, "invalid value", "pool", `--device-size=${size}`);
  const journal = (1n << 64n).toString();
  await fails(2, "not less than 2^64", "pool", "--device-size=1", `--integrity-journal-size=${journal}`);
  await fails(2, "possible values: 0b, 32b, 512b", "pool", "--device-size=1", "--integrity-tag-spec=64b");
  await fails(2, "possible values: off, error", "--log-level=loud", "pool", "--device-size=1");
  await fails(2, "unexpected argument '--version'", "--version");
});

test("help", async () => {
  for (const words of [["--help"], ["pool", "-h"], ["filesystem", "--help"]]) {
    const { code, stdout, stderr } = await run(...words);
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /Usage: stratis-predict-usage/);
  }
});
