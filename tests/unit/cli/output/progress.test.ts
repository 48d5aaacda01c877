import assert from "node:assert/strict";
import { mock, test } from "node:test";
import type { Context } from "../../../../cli/context";
import { Values, type Value } from "../../../../cli/parser/values";
import { withProgress } from "../../../../cli/output/progress";

interface Shown {
  context: Context;
  text: string;
}

function terminal(isTTY: boolean, ...flags: string[]): Shown {
  const shown = { text: "" } as Shown;
  const unused = (): never => {
    throw new Error("not used here");
  };
  shown.context = {
    command: "filesystem create",
    values: new Values(new Map(flags.map((name): [string, Value] => [name, true]))),
    io: {
      stdout: { write: unused },
      stderr: { write: (text) => void (shown.text += text), isTTY },
      env: {},
    },
    unhyphenatedUuids: false,
    stratisd: unused,
    print: unused,
    fail: unused,
  };
  return shown;
}

/** In small steps: the clock that the timers see is the one at the end of a step. */
function pass(seconds: number): void {
  for (let step = 0; step < seconds * 10; step++) mock.timers.tick(100);
}

/** Makes a change of three steps, two seconds each. */
async function change(shown: Shown): Promise<void> {
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  try {
    await withProgress(shown.context, (progress) => {
      for (const step of [0, 1, 2]) {
        progress.step(step, 3, `filesystem f${step}`);
        pass(2);
      }
      return Promise.resolve();
    });
  } finally {
    mock.timers.reset();
  }
}

test("a bar on a terminal, which is erased at the end", async () => {
  const shown = terminal(true);
  await change(shown);
  const lines = shown.text.split("\r\x1b[K");
  assert.ok(lines.includes("[------------------------] 0/3 filesystem f0 (1 s)"), shown.text);
  assert.ok(lines.includes("[########----------------] 1/3 filesystem f1 (3 s)"), shown.text);
  assert.ok(lines.includes("[################--------] 2/3 filesystem f2 (5 s)"), shown.text);
  assert.equal(lines.at(-1), "");
});

test("nothing where nobody sees it, or wants to", async () => {
  for (const shown of [
    terminal(false),
    terminal(true, "--quiet"),
    terminal(true, "--json"),
    terminal(true, "--capture-key"),
  ]) {
    await change(shown);
    assert.equal(shown.text, "");
  }
});

test("a line a minute elsewhere, for what stratis-cli does not have", async () => {
  const shown = terminal(false, "--also");
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  try {
    await withProgress(shown.context, (progress) => {
      pass(61);
      progress.step(1, 3, "filesystem f1");
      pass(70);
      return Promise.resolve();
    });
    pass(120);
  } finally {
    mock.timers.reset();
  }
  assert.equal(shown.text, "filesystem create (60 s)\n1/3 filesystem f1 (120 s)\n");
  const quiet = terminal(false, "--also", "--quiet");
  await change(quiet);
  assert.equal(quiet.text, "");
});

test("nothing for what is over soon, and the command's name for a single step", async () => {
  const quick = terminal(true);
  await withProgress(quick.context, () => Promise.resolve());
  assert.equal(quick.text, "");
  const long = terminal(true);
  mock.timers.enable({ apis: ["setTimeout", "setInterval", "Date"] });
  try {
    const work = withProgress(long.context, () => {
      pass(61);
      return Promise.reject(new Error("failed after all"));
    });
    await assert.rejects(work, /failed after all/);
  } finally {
    mock.timers.reset();
  }
  const lines = long.text.split("\r\x1b[K");
  assert.equal(lines[1], "filesystem create (1 s)");
  assert.equal(lines.at(-2), "filesystem create (61 s)");
  assert.equal(lines.at(-1), "");
});
