import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions, UsageError } from "../../../src/daemon/options";

test("no argument runs the daemon with the real engine", () => {
  assert.deepEqual(parseOptions([]), { run: "daemon", simulator: false, logLevel: null });
});

test("the level is taken with a blank and with an equals sign", () => {
  const expected = { run: "daemon", simulator: true, logLevel: "debug" };
  assert.deepEqual(parseOptions(["--sim", "--log-level", "debug"]), expected);
  assert.deepEqual(parseOptions(["--log-level=debug", "--sim"]), expected);
});

test("help and version are asked for, short and long", () => {
  for (const word of ["-h", "--help"]) assert.deepEqual(parseOptions([word]), { run: "help" });
  for (const word of ["-V", "--version"]) assert.deepEqual(parseOptions([word]), { run: "version" });
});

const REFUSED: [string, string[]][] = [
  ["an unknown option", ["--simulator"]],
  ["a positional argument", ["sim"]],
  ["a level that is not accepted", ["--log-level", "off"]],
  ["a level in capitals", ["--log-level", "DEBUG"]],
  ["a level that is missing", ["--log-level"]],
  ["a level given twice", ["--log-level", "info", "--log-level", "info"]],
  ["an option given twice", ["--sim", "--sim"]],
  ["a value for an option that takes none", ["--sim=yes"]],
];
for (const [what, args] of REFUSED)
  test(`refused: ${what}`, () => {
    assert.throws(() => parseOptions(args), UsageError);
  });
