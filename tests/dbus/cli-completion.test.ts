/** The hidden query of the completion, with names from the bus, and the scripts in the shells that are there. */
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { commandLine, shellWord } from "../../cli/hints/shell";
import { completionScripts } from "../../cli/complete/write-scripts";
import { COMMAND, runStratis } from "./cli-support/run";
import { useHarness } from "./cli-support/harness";
import { DATA_UUID, STOPPED_UUIDS } from "./cli-support/world";

const harness = useHarness();
const execute = promisify(execFile);
const SHELL_TIMEOUT_MS = 60_000;

let directory = "";
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "stratis-completion-"));
  for (const [name, content] of Object.entries(completionScripts()))
    await writeFile(join(directory, name), content);
  const command = join(directory, "stratis");
  await writeFile(command, `#!/bin/sh\nexec ${shellWord(process.execPath)} ${shellWord(COMMAND)} "$@"\n`);
  await chmod(command, 0o755);
});
after(() => rm(directory, { recursive: true }));

async function complete(...words: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await harness().run(["--complete", ...words]);
  assert.deepEqual([code, stderr], [0, ""], words.join(" "));
  return stdout.split("\n").slice(0, -1);
}

const dashed = (digits: string): string =>
  digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

test("names come from stratisd, with what helps to tell them apart", async () => {
  assert.deepEqual(await complete("pool", "destroy", ""), ["vault\t2.00 TiB", "data\t100 GiB"]);
  assert.deepEqual(await complete("pool", "stop", "--uuid", "0"), [`${dashed(DATA_UUID)}\tdata`]);
  assert.deepEqual(await complete("fs", "destroy", "data", "www-"), ["www-snap\t1 TiB"]);
  assert.deepEqual(await complete("fs", "destroy", "nope", ""), []);
  assert.deepEqual(await complete("pool", "start", "--name", "b"), ["backup\t/dev/sdd, /dev/sde"]);
  assert.deepEqual(await complete("pool", "start", "--uuid", dashed(STOPPED_UUIDS.unnamed)), [
    `${dashed(STOPPED_UUIDS.unnamed)}\t`,
  ]);
  assert.deepEqual(await complete("key", "unset", ""), ["k1\t", "a2\t"]);
  assert.deepEqual(await complete("blockdev", "debug", "get-object-path", "--name", "/dev/n"), [
    "/dev/nvme0n1\t10 GiB",
  ]);
  assert.deepEqual(await complete("key", "set", "k", "--keyfile-path", "/"), ["\tfiles"]);
  const devices = await complete("pool", "create", "p", "");
  assert.ok(devices.every((line) => /^\/dev\/|^\tfiles$/.test(line)));
});

test("what the grammar fixes needs no bus, and what does says that there is none", async () => {
  const nowhere = "unix:path=/nonexistent/bus";
  assert.equal((await runStratis(nowhere, ["--complete", "poo"])).stdout, "pool\tmanage pools\n");
  const { code, stdout, stderr } = await runStratis(nowhere, ["--complete", "pool", "destroy", ""]);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /could not connect to the message bus/);
});

/**
 * Milliseconds of computing that the fastest of several runs of Node takes. Not of the clock: other tests run at the
 * same time. The shell tells them of its children, in its second line.
 */
async function fastest(words: readonly string[]): Promise<number> {
  const line = `${commandLine(process.execPath, ...words)} > /dev/null; times`;
  const runs: number[] = [];
  for (let run = 0; run < 7; run++) {
    const { stdout } = await execute("sh", ["-c", line], {
      env: { DBUS_SYSTEM_BUS_ADDRESS: harness().address },
    });
    const parts = [...(stdout.split("\n")[1] ?? "").matchAll(/(\d+)m([\d.]+)s/g)];
    assert.equal(parts.length, 2, stdout);
    runs.push(parts.reduce((sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds), 0));
  }
  return Math.min(...runs) * 1000;
}

test("an answer takes less than 150 ms, where Node itself takes less than 60 to start", async () => {
  await harness().run(["--version"]);
  const bare = await fastest(["-e", "0"]);
  const answer = await fastest([COMMAND, "--complete", "pool", "destroy", ""]);
  assert.ok(answer <= Math.max(150, 2.5 * bare), `${answer} ms, where Node alone takes ${bare} ms`);
});

test("an answer loads nothing that only other runs need", async () => {
  const hook = join(directory, "loaded.js");
  await writeFile(
    hook,
    'process.on("exit", () => process.stderr.write(JSON.stringify(Object.keys(require.cache))));',
  );
  await harness().run(["--version"]);
  const words = ["--require", hook, COMMAND, "--complete", "pool", "destroy", ""];
  const env = { DBUS_SYSTEM_BUS_ADDRESS: harness().address };
  const { stdout, stderr } = await execute(process.execPath, words, { env });
  assert.match(stdout, /^vault\t/);
  const loaded = JSON.parse(stderr) as string[];
  assert.ok(loaded.length < 80, `${loaded.length} modules`);
  for (const unwanted of ["/commander/", "/cli/actions/", "/cli/hints/", "/cli/output/", "/cli/parser/help"])
    assert.ok(!loaded.some((path) => path.includes(unwanted)), unwanted);
});

const isThere = (program: string): boolean => spawnSync(program, ["--version"]).error === undefined;

/** Runs a script in a shell; the command is found first in its PATH. */
async function inShell(program: string, ...words: string[]): Promise<string> {
  // So that the fake answers as to a run of the command.
  await harness().run(["--version"]);
  const env = {
    PATH: `${directory}:${process.env["PATH"] ?? ""}`,
    HOME: directory,
    DBUS_SYSTEM_BUS_ADDRESS: harness().address,
  };
  return (await execute(program, words, { env, timeout: SHELL_TIMEOUT_MS })).stdout;
}

/** As bash calls the function when the cursor is at the end of the line; `parts` as it parts the line. */
async function inBash(line: string, ...parts: string[]): Promise<string[]> {
  const script = [
    `source ${shellWord(join(directory, "stratis.bash"))}`,
    `COMP_LINE=${shellWord(line)} COMP_POINT=${line.length}`,
    `COMP_WORDS=(${parts.map(shellWord).join(" ")}) COMP_CWORD=${parts.length - 1}`,
    "_stratis 2>/dev/null",
    'printf "%s\\n" "${COMPREPLY[@]}"',
  ].join("\n");
  return (await inShell("bash", "--norc", "-c", script)).split("\n").filter((word) => word !== "");
}

test("bash", async () => {
  assert.deepEqual(await inBash("stratis po", "stratis", "po"), ["pool"]);
  assert.deepEqual(await inBash("stratis pool  des", "stratis", "pool", "des"), ["destroy"]);
  assert.deepEqual(await inBash("stratis fs crea", "stratis", "fs", "crea"), ["create"]);
  assert.deepEqual(await inBash("stratis pool stop --na", "stratis", "pool", "stop", "--na"), ["--name"]);
  assert.deepEqual(await inBash("stratis pool destroy ", "stratis", "pool", "destroy", ""), [
    "vault",
    "data",
  ]);
  // bash parts the word at the equals sign, and replaces only what follows it.
  assert.deepEqual(
    await inBash("stratis pool stop --name=d", "stratis", "pool", "stop", "--name", "=", "d"),
    ["data"],
  );
  assert.deepEqual(await inBash("stratis pool stop --name=", "stratis", "pool", "stop", "--name", "="), [
    "vault",
    "data",
  ]);
  const files = await inBash(
    `stratis key set k --keyfile-path ${directory}/stratis.f`,
    ..."stratis key set k --keyfile-path".split(" "),
    `${directory}/stratis.f`,
  );
  assert.deepEqual(files, [join(directory, "stratis.fish")]);
});

test("fish", async (context: TestContext) => {
  if (!isThere("fish")) {
    context.diagnostic("fish is not installed: its script was only made");
    return;
  }
  const at = async (line: string): Promise<string[]> => {
    const script = `source ${join(directory, "stratis.fish")}; complete -C '${line}'`;
    return (await inShell("fish", "--no-config", "-c", script)).split("\n").slice(0, -1);
  };
  assert.deepEqual(await at("stratis poo"), ["pool\tmanage pools"]);
  assert.deepEqual(await at("stratis fs crea"), ["create\tcreate filesystems"]);
  assert.deepEqual(await at("stratis pool stop --na"), ["--name\tname of the pool"]);
  assert.deepEqual(await at("stratis pool stop --name=d"), ["--name=data\t100 GiB"]);
  assert.deepEqual((await at("stratis fs destroy data ")).sort(), ["www\t1 TiB", "www-snap\t1 TiB"]);
  const [file] = await at(`stratis key set k --keyfile-path ${directory}/stratis.b`);
  assert.match(file ?? "", /\/stratis\.bash/);
});

test("zsh", async (context: TestContext) => {
  if (!isThere("zsh")) {
    context.diagnostic("zsh is not installed: its script was only made");
    return;
  }
  // In place of the line editor's own functions: what would be offered is printed.
  const at = async (...words: string[]): Promise<string[]> => {
    const script = [
      "_describe() { print -rl -- ${(P)@[-1]} }",
      "compset() { }",
      "_files() { print files }",
      "compdef() { }",
      `source ${join(directory, "_stratis")}`,
      `words=(${["stratis", ...words].map(shellWord).join(" ")}) CURRENT=${words.length + 1}`,
      "_stratis",
    ].join("\n");
    return (await inShell("zsh", "-f", "-c", script)).split("\n").slice(0, -1);
  };
  assert.ok((await at("")).includes("pool:manage pools"));
  assert.ok((await at("fs", "")).includes("create:create filesystems"));
  assert.ok((await at("pool", "stop", "--")).includes("--name:name of the pool"));
  assert.deepEqual(await at("pool", "destroy", ""), ["vault:2.00 TiB", "data:100 GiB"]);
  assert.deepEqual(await at("pool", "stop", "--name=d"), ["data:100 GiB"]);
  assert.deepEqual(await at("key", "set", "k", "--keyfile-path", "/"), ["files"]);
});
