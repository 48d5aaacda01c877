/** The command as a process: signals, pipes that close, large output, its user on the bus (cli.md §8.6, §17). */
import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { COMMAND } from "./cli-support/run";
import { useHarness } from "./cli-support/harness";
import { ok } from "./cli-support/world";

const harness = useHarness();

const END_TIMEOUT_MS = 20_000;

function start(words: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(process.execPath, [COMMAND, ...words], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], DBUS_SYSTEM_BUS_ADDRESS: harness().address },
    timeout: END_TIMEOUT_MS,
  });
}

/** A report far larger than what a pipe holds. */
const LARGE = JSON.stringify({ names: Array.from({ length: 60_000 }, (_, index) => `filesystem ${index}`) });
const REPORT = { EngineStateReport: ok("s", LARGE) };

test("an interrupt ends the command with a line and code 1", async () => {
  const { fake } = harness();
  const asked = new Promise<void>((resolve) => {
    fake.reset((_, member) => {
      if (member === "version") return undefined;
      resolve();
      return "silence";
    });
  });
  const child = start(["pool", "stop", "--name=p"]);
  const exited = once(child, "close");
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  await asked;
  child.kill("SIGINT");
  assert.deepEqual(await exited, [1, null]);
  assert.equal(await stdout, "");
  assert.equal(await stderr, "Received KeyboardInterrupt\n");
});

test("large output arrives in full", async () => {
  const { code, stdout } = await harness().run(["report"], { answers: REPORT });
  assert.equal(code, 0);
  assert.deepEqual(JSON.parse(stdout), JSON.parse(LARGE));
});

test("a reader that goes away ends the command with a line and code 1", async () => {
  const { fake } = harness();
  fake.reset((_, member) => (member === "version" ? undefined : REPORT.EngineStateReport));
  const child = start(["report"]);
  const exited = once(child, "close");
  const stderr = text(child.stderr);
  await once(child.stdout, "data");
  child.stdout.destroy();
  assert.deepEqual(await exited, [1, null]);
  assert.equal(await stderr, "Broken pipe\n");
});
