import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as path from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../../src/native";

/** What a process writes to stderr that does this with `lines`, a log, and then ends at once. */
function logOf(statements: string): string {
  const module = path.join(packageRoot, "dist/src/daemon/line-log.js");
  const script = `const lines = require(${JSON.stringify(module)}).startLines(() => process.exit(9));
    const write = (message) => lines.write("info", "t", message);
    (async () => { ${statements} })().then(() => process.exit(0));`;
  const { status, stderr } = spawnSync(process.execPath, ["--eval", script], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return stderr.trimEnd();
}

test("lines come out in their order, also the last ones before an exit", () => {
  const statements = `write("first"); write("second"); await new Promise(setImmediate); write("third");
    for (let number = 0; number < 100; number++) write("number " + number);
    write("last"); await lines.flush();`;
  const numbered = Array.from({ length: 100 }, (_, number) => `number ${number}`);
  const messages = logOf(statements)
    .split("\n")
    .map((line) => line.replace(/^\[\S+ INFO {2}t\] /, ""));
  assert.deepEqual(messages, ["first", "second", "third", ...numbered, "last"]);
});

test("a line has the time at which it was written, not that at which it comes out", () => {
  const statements = `write(new Date().toISOString().slice(0, 19));
    const end = Date.now() + 2100; while (Date.now() < end); await lines.flush();`;
  const [, time = "", written = ""] = /^\[(\S{19})Z INFO {2}t\] (.*)$/.exec(logOf(statements)) ?? [];
  const seconds = (Date.parse(time) - Date.parse(written)) / 1000;
  assert.ok(seconds <= 1, `${written} came out as ${time}`);
});
