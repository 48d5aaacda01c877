import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOptions, UsageError } from "../../../src/daemon/options";

test("no argument runs the daemon with the real engine", () => {
  const expected = { run: "daemon", simulator: false, simErrors: null, simInPlaceSeconds: 0, logLevel: null };
  assert.deepEqual(parseOptions([]), expected);
});

test("the level is taken with a blank and with an equals sign", () => {
  const expected = {
    run: "daemon",
    simulator: true,
    simErrors: null,
    simInPlaceSeconds: 0,
    logLevel: "debug",
  };
  assert.deepEqual(parseOptions(["--sim", "--log-level", "debug"]), expected);
  assert.deepEqual(parseOptions(["--log-level=debug", "--sim"]), expected);
});

test("errors of the simulator: a probability, and a seed if they are to come again", () => {
  const errors = (value: string): unknown => {
    const invocation = parseOptions(["--sim", "--sim-errors", value]);
    return invocation.run === "daemon" ? invocation.simErrors : null;
  };
  assert.deepEqual(errors("0.25"), { probability: 0.25, seed: null });
  assert.deepEqual(errors("1,0"), { probability: 1, seed: 0n });
  assert.deepEqual(errors("0,18446744073709551615"), { probability: 0, seed: 2n ** 64n - 1n });
});

test("errors of the simulator: what is wrong with a value is said", () => {
  const wrong: [string, RegExp][] = [
    ["", /the probability '' is not a decimal number from 0 to 1/],
    ["1.01", /the probability '1.01' is not a decimal number from 0 to 1/],
    ["-0.1", /--sim-errors/],
    ["NaN", /the probability 'NaN'/],
    ["1e-3", /the probability '1e-3'/],
    ["50%", /the probability '50%'/],
    ["0.5,", /the seed '' is not a whole number from 0 to 18446744073709551615/],
    ["0.5,x", /the seed 'x'/],
    ["0.5,18446744073709551616", /the seed '18446744073709551616'/],
    ["0.5,1,2", /more than one comma/],
  ];
  for (const [value, message] of wrong)
    assert.throws(
      () => parseOptions(["--sim", "--sim-errors", value]),
      (error: unknown) => error instanceof UsageError && message.test(error.message),
      value,
    );
});

test("time of the simulator's operations in place", () => {
  const seconds = (value: string): unknown => {
    const invocation = parseOptions(["--sim", "--sim-in-place", value]);
    return invocation.run === "daemon" ? invocation.simInPlaceSeconds : null;
  };
  assert.deepEqual(["0", "1.5", "86400"].map(seconds), [0, 1.5, 86_400]);
  for (const value of ["", "86401", "1e3", "30s", "Infinity"])
    assert.throws(
      () => seconds(value),
      (error: unknown) =>
        error instanceof UsageError &&
        error.message.includes(`'${value}' for '--sim-in-place <SECONDS>': it is`),
      value,
    );
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
  ["errors of the simulator without the simulator", ["--sim-errors", "0.5"]],
  ["time of the simulator without the simulator", ["--sim-in-place", "5"]],
];
for (const [what, args] of REFUSED)
  test(`refused: ${what}`, () => {
    assert.throws(() => parseOptions(args), UsageError);
  });
