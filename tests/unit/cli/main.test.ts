import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { main } from "../../../cli/main";

interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

async function run(words: string[], env: Record<string, string> = {}): Promise<Ran> {
  const ran = { stdout: "", stderr: "" };
  const code = await main(words, {
    stdout: { write: (text) => void (ran.stdout += text) },
    stderr: { write: (text) => void (ran.stderr += text) },
    env: { DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nonexistent/bus", ...env },
  });
  return { code, ...ran };
}

test("--version prints the version of the package", async () => {
  const manifest = JSON.parse(await readFile(join(process.cwd(), "package.json"), "utf8")) as {
    version: string;
  };
  assert.deepEqual(await run(["--version"]), { code: 0, stdout: `${manifest.version}\n`, stderr: "" });
});

test("a wrong command line shows usage and message on standard error only", async () => {
  const { code, stdout, stderr } = await run(["fs", "destroy"]);
  assert.equal(code, 2);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    /^usage: stratis filesystem destroy .*\nstratis filesystem destroy: error: the following arguments are required: pool_name, fs_name\n$/,
  );
});

test("help goes to standard output and names the options", async () => {
  const { code, stdout, stderr } = await run(["pool", "stop", "--help"]);
  assert.equal(code, 0);
  assert.equal(stderr, "");
  assert.match(stdout, /^usage: stratis pool stop /);
  for (const name of ["-h, --help", "--name", "--uuid", "Pool Identifier:"])
    assert.ok(stdout.includes(name), name);
});

test("deprecated spellings are not in the parent's help, and say where they have moved", async () => {
  const parent = await run(["pool", "--help"]);
  assert.doesNotMatch(parent.stdout, /\b(re|un)?bind\b/);
  const moved = await run(["pool", "unbind", "--help"]);
  assert.match(moved.stdout, /"stratis pool encryption unbind"/);
  assert.match(moved.stdout, /3\.10\.0/);
});

test("the help of hidden options is hidden, and all help is that of every command", async () => {
  const root = await run(["--help"]);
  assert.doesNotMatch(root.stdout, /print-all-help/);
  const { code, stdout } = await run(["--print-all-help"]);
  assert.equal(code, 0);
  const usages = stdout.split("\n").filter((line) => line.startsWith("usage: "));
  for (const name of [
    "stratis pool encryption bind nbde",
    "stratis pool bind keyring",
    "stratis filesystem debug get-metadata",
  ])
    assert.ok(
      usages.some((usage) => usage.startsWith(`usage: ${name} `)),
      name,
    );
  const top = usages.map((usage) => usage.split(" ")[2]);
  assert.ok(top.indexOf("blockdev") < top.indexOf("daemon") && top.indexOf("key") < top.indexOf("pool"));
});

test("the width of help follows COLUMNS", async () => {
  const lengths = async (columns: string): Promise<number> => {
    const { stdout } = await run(["pool", "create", "--help"], { COLUMNS: columns });
    return Math.max(
      ...stdout
        .split("\n")
        .slice(1)
        .map((line) => line.length),
    );
  };
  assert.ok((await lengths("60")) <= 60);
  assert.ok((await lengths("200")) > 80);
});

test("pool explain has a line for each code and needs no daemon", async () => {
  for (const code of ["WS001", "IDS001", "WDS002", "WC001", "WC002", "EM001", "EM002"]) {
    const ran = await run(["pool", "explain", code], { STRATIS_DBUS_TIMEOUT: "abc" });
    assert.equal(ran.code, 0);
    assert.equal(ran.stderr, "");
    assert.match(ran.stdout, /^.{20,}\n$/);
  }
});

test("without --in-place, encryption commands are refused without asking a daemon", async () => {
  for (const command of ["on", "off", "reencrypt"]) {
    const { code, stdout, stderr } = await run(["pool", "encryption", command, "--name", "data"]);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /^Execution failed:\nIt appears that you issued an unintended command: Specify the --in-place option/,
    );
  }
});

test("debug uevent tells why it failed", async () => {
  const absent = await run(["debug", "uevent", "/nonexistent/device"]);
  assert.equal(absent.code, 1);
  assert.match(
    absent.stderr,
    /^Execution failed:\nstratis reported an error in generating a synthetic udev event: Failed to send synth event: ENOENT/,
  );
  const character = await run(["debug", "uevent", "/dev/null"]);
  assert.equal(character.code, 1);
  assert.match(character.stderr, /\/dev\/null is not a block device/);
});

test("a timeout variable that cannot be used is told before the bus is tried", async () => {
  const reasons: [string, string][] = [
    ["abc", "The timeout value provided is not an integer."],
    ["", "The timeout value provided is not an integer."],
    ["2.0", "The timeout value provided is not an integer."],
    ["-2", "The timeout value provided is smaller than the smallest acceptable value, -1."],
    ["1073741824", "The timeout value provided exceeds the largest acceptable value, 1073741823."],
  ];
  for (const [value, reason] of reasons)
    assert.deepEqual(await run(["pool"], { STRATIS_DBUS_TIMEOUT: value }), {
      code: 1,
      stdout: "",
      stderr: `Value of STRATIS_DBUS_TIMEOUT invalid: ${reason}\n`,
    });
});

test("without a bus the command says what it tried", async () => {
  const { code, stdout, stderr } = await run(["pool"]);
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    /^Execution failed:\nstratis could not connect to the message bus at unix:path=\/nonexistent\/bus: .*ENOENT/,
  );
});

test("an address that is no bus's is told", async () => {
  const { code, stderr } = await run(["pool"], { DBUS_SYSTEM_BUS_ADDRESS: "tcp:host=localhost" });
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'Execution failed:\nstratis cannot use the D-Bus address "tcp:host=localhost", which names no Unix socket\n',
  );
});

test("--propagate shows the error with its stack instead of explaining it", async () => {
  const { code, stderr } = await run(["--propagate", "pool", "encryption", "off", "--name", "data"]);
  assert.equal(code, 1);
  assert.match(stderr, /^UnintendedCommandError: Specify the --in-place option[^]*\n {4}at /);
});
