/** stratis-min against stratisd-min, as processes: prompts, keys, errors, exit codes (system.md §19.2 to §19.4). */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { commandLine } from "../../../../cli/hints/shell";
import { runLineOnTerminal } from "../../../support/terminal";
import { programFile, type Ran } from "../run";
import { Machine } from "./machine";

let machine: Machine;
before(async () => {
  machine = await Machine.make();
});
after(() => machine.end());

const NO_DAEMON = "IO error: No such file or directory (os error 2)";
const ONCE = "Enter passphrase followed by return: ";
const TWICE = `${ONCE}Verify passphrase: `;
const NO_EFFECT = "The requested action had no effect";
const UNKNOWN = "17101e39-e72e-423c-90d8-be5cb37c055b";

const failed = (message: string, stdout = ""): Ran => ({ code: 1, stdout, stderr: `Error: "${message}"\n` });
const done = (stdout = ""): Ran => ({ code: 0, stdout, stderr: "" });
const words = (line: string): string[] => line.split(" ");
const min = (line: string, input?: string): Promise<Ran> => machine.min(words(line), input);

async function fails(line: string, message: RegExp): Promise<void> {
  const { code, stdout, stderr } = await min(line);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "" }, line);
  assert.match(stderr, /^Error: "/);
  assert.match(stderr, message);
}

test("without a daemon", async () => {
  for (const line of ["report", "pool", "pool is-stopped --name p", `pool start ${UNKNOWN}`])
    assert.deepEqual(await min(line), failed(NO_DAEMON), line);
  assert.deepEqual(await min("key set k --capture-key", "a\na\n"), failed(NO_DAEMON, TWICE));
  // Found before anybody is asked.
  await fails("pool start xyz", /Uuid error/);
});

test("command lines that make no sense", async () => {
  assert.deepEqual((await machine.min([])).code, 2);
  for (const [line, message] of [
    ["notasub", /unrecognized subcommand/],
    ["report stopped_pools", /unexpected argument/],
    ["pool create pn", /required arguments were not provided/],
    ["pool bind", /subcommand/],
    ["pool unbind", /subcommand/],
    ["pool rebind", /subcommand/],
  ] as const) {
    const { code, stdout, stderr } = await min(line);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" }, line);
    assert.match(stderr, message);
  }
});

test("a passphrase that is typed: asked for twice, compared, and not empty", async () => {
  await machine.startDaemon();
  const set = "key set k --capture-key";
  assert.deepEqual(await min(set, "one\ntwo\n"), failed("Passphrases did not match", TWICE));
  // Blanks count, also at the end.
  assert.deepEqual(await min(set, "one\none \n"), failed("Passphrases did not match", TWICE));
  for (const nothing of ["\n\n", ""])
    assert.deepEqual(await min(set, nothing), failed("Password provided was empty", TWICE));
  assert.deepEqual(await min("key"), done("Key Description   \n"), "nothing of that has set a key");
  assert.deepEqual(await min(set, " one \n one \n"), done(TWICE));
  assert.deepEqual(await min("key"), done("Key Description   \nk                 \n"));
  assert.deepEqual(await min(set, " one \n one \n"), failed(NO_EFFECT, TWICE));
});

test("a key in a file is taken as it is", async () => {
  const file = (content: string): string => {
    writeFileSync(machine.outside("/run/key"), content);
    return "key set k --keyfile-path /run/key";
  };
  assert.deepEqual(await min(file(" one ")), failed(NO_EFFECT), "the same key as the one that was typed");
  assert.deepEqual(await min(file(" one \n")), done(), "another one: the newline belongs to it");
  assert.deepEqual(await min("key set k --keyfile-path /run/none"), failed(NO_DAEMON));
  assert.deepEqual(await min("key unset k"), done());
  assert.deepEqual(await min("key unset k"), failed(NO_EFFECT));
});

test("on a terminal nothing of a passphrase is shown", async () => {
  const line = commandLine("nsenter", ...machine.entered, process.execPath, programFile("stratis-min"));
  const { code, screen } = await runLineOnTerminal(`exec ${line} key set k --capture-key`, {
    typed: [
      { after: ONCE, text: "sesame\n" },
      { after: "Verify passphrase: ", text: "sesame\n" },
    ],
  });
  assert.deepEqual({ code, screen }, { code: 0, screen: `${ONCE}\nVerify passphrase: \n` });
  assert.match((await min("key list")).stdout, /^k /m);
});

test("pools: what is refused, in the daemon's words", async () => {
  assert.deepEqual(await min("pool create p /dev/n --key-descs k"), done());
  assert.deepEqual(await min("filesystem create p f"), done());
  await fails("pool destroy p", /filesystems remaining on pool/);
  await fails(`pool stop ${UNKNOWN}`, /was not found and cannot be stopped/);
  await fails("pool rename p p", /The requested action had no effect/);
  const origin = await min("filesystem origin p f");
  assert.deepEqual(origin, done("None\n"));
});

test("a pool is started by a passphrase that is typed, which must not be empty", async () => {
  assert.deepEqual(await min("pool stop --name p"), done());
  const start = "pool start --name p --token-slot any --prompt";
  for (const nothing of ["\n", ""])
    assert.deepEqual(await min(start, nothing), failed("Password provided was empty", ONCE));
  assert.deepEqual(await min("pool is-stopped --name p"), done("true\n"));
  assert.deepEqual(await min(start, "sesame\n"), done(ONCE));
  for (const [question, answer] of [
    ["is-stopped", "false"],
    ["is-encrypted", "true"],
    ["has-passphrase", "true"],
    ["is-bound", "false"],
  ] as const) {
    assert.deepEqual(await min(`pool ${question} --name p`), done(`${answer}\n`));
    // Scripts run the word as a command: there must be none.
    await fails(`pool ${question} ${UNKNOWN}`, new RegExp(UNKNOWN));
  }
});

test("lists and the report", async () => {
  assert.match((await min("pool")).stdout, /^Name .*UUID\np /);
  assert.match((await min("filesystem")).stdout, /^Pool Name .*\np +f .*\/somepath\/p\/f /);
  const report = JSON.parse((await min("report")).stdout) as { pools: { name: string }[] };
  assert.deepEqual(
    report.pools.map(({ name }) => name),
    ["p"],
  );
});

test("one daemon at a time; what a killed one has left disturbs none", async () => {
  const second = await machine.daemon("--sim");
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^Error: "Daemon already running with supposed pid: \d+"$/m);
  assert.equal(await machine.endDaemon("SIGKILL"), null);
  await fails("report", /IO error: Connection refused \(os error 111\)/);
  await machine.startDaemon();
  assert.doesNotMatch((await min("pool")).stdout, /^p /m, "the simulator starts empty");
  assert.equal(await machine.endDaemon("SIGINT"), 0);
});
