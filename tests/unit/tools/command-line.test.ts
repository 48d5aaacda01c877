import assert from "node:assert/strict";
import { test } from "node:test";
import { parseCommandLine, UsageError, type CommandSpec } from "../../../src/tools/command-line";

const SPEC: CommandSpec = {
  options: {
    bytes: { short: "b" },
    only: { value: "PORTION", choices: ["pool"] },
    size: { value: "SIZE", multiple: true },
  },
  positionals: ["dev"],
  version: true,
};

const refused = (args: string[], message: string, spec = SPEC): void => {
  assert.throws(
    () => parseCommandLine(args, spec),
    (error) => error instanceof UsageError && error.message === message,
    args.join(" "),
  );
};

test("options in every form, in any place", () => {
  for (const args of [
    ["-b", "--only", "pool", "/dev/x", "--size=1", "--size", "2"],
    ["/dev/x", "--only=pool", "--size=1", "--bytes", "--size=2"],
    ["--size=1", "--size=2", "--only=pool", "-b", "--", "/dev/x"],
  ]) {
    const line = parseCommandLine(args, SPEC);
    assert.equal(line.request, null);
    assert.deepEqual(line.positionals, ["/dev/x"]);
    assert.equal(line.flag("bytes"), true);
    assert.equal(line.value("only"), "pool");
    assert.deepEqual(line.all("size"), ["1", "2"]);
  }
});

test("what was not given is absent", () => {
  const line = parseCommandLine(["--", "-b"], SPEC);
  assert.deepEqual(line.positionals, ["-b"]);
  assert.equal(line.flag("bytes"), false);
  assert.equal(line.value("only"), undefined);
  assert.deepEqual(line.all("size"), []);
});

test("help and version come before mistakes that follow them, not before others", () => {
  assert.equal(parseCommandLine(["-h", "--nonsense"], SPEC).request, "help");
  assert.equal(parseCommandLine(["--only=pool", "--help"], SPEC).request, "help");
  assert.equal(parseCommandLine(["-bV"], SPEC).request, "version");
  refused(["--nonsense", "-h"], "unexpected argument '--nonsense' found");
});

test("mistakes", () => {
  refused([], "the following required arguments were not provided:\n  <dev>");
  refused(["a", "b"], "unexpected argument 'b' found");
  refused(["a", "-x"], "unexpected argument '-x' found");
  refused(["a", "--constructor"], "unexpected argument '--constructor' found");
  refused(["a", "-b", "-b"], "the argument '--bytes' cannot be used multiple times");
  refused(["a", "--bytes=1"], "unexpected value '1' for '--bytes' found");
  refused(["a", "--only"], "a value is required for '--only <PORTION>' but none was supplied");
  refused(["a", "--size", "-1"], "a value is required for '--size <SIZE>' but none was supplied");
  refused(["a", "--only=x"], "invalid value 'x' for '--only <PORTION>'\n  [possible values: pool]");
  refused(["a", "-V"], "unexpected argument '-V' found", { ...SPEC, version: false });
  const required = { ...SPEC, options: { output: { value: "output", required: true } } };
  refused([], "the following required arguments were not provided:\n  --output <output>\n  <dev>", required);
});

test("what follows a subcommand is left to it", () => {
  const spec = { ...SPEC, positionals: [], subcommands: ["go"] };
  const line = parseCommandLine(["-b", "go", "-h", "there"], spec);
  assert.equal(line.subcommand, "go");
  assert.deepEqual(line.rest, ["-h", "there"]);
  assert.equal(line.flag("bytes"), true);
  refused(["stay"], "unrecognized subcommand 'stay'", spec);
  refused([], "a subcommand was not given\n  [subcommands: go, or --help]", spec);
});
