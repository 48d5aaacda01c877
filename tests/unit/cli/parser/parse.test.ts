import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse, ParseError, type Parsed } from "../../../../cli/parser/parse";
import { rootCommand } from "../../../../cli/parser/root";
import type { Command } from "../../../../cli/parser/grammar";

const UUID = "0c2caf641dde41beb40bed6911f75c74";

const read = (...words: string[]): Parsed => parse(rootCommand, words);
const pathText = (path: readonly Command[]): string => path.map(({ name }) => name).join(" ");

/** The error must come from the command `from`, and its message contain `phrase`. */
function refuses(words: string[], from: string, phrase: string): void {
  assert.throws(
    () => read(...words),
    (error: unknown) => {
      assert.ok(error instanceof ParseError);
      assert.equal(pathText(error.path), from, words.join(" "));
      assert.ok(error.message.includes(phrase), `${words.join(" ")}: ${error.message}`);
      return true;
    },
  );
}

/** Every command below `command`, with the path to it. */
function* commandsBelow(path: readonly Command[]): Generator<readonly Command[]> {
  yield path;
  for (const child of path.at(-1)?.commands ?? []) yield* commandsBelow([...path, child]);
}

test("commands without a default action miss their sub-command", () => {
  refuses([], "stratis", "missing sub-command");
  for (const words of [
    "daemon",
    "debug",
    "pool debug",
    "pool bind",
    "pool rebind",
    "pool encryption",
    "pool encryption bind",
    "pool encryption rebind",
    "filesystem debug",
    "blockdev debug",
  ])
    refuses(words.split(" "), `stratis ${words}`, "missing sub-command");
});

test("commands with a default action run it, and take no other word for its argument", () => {
  for (const words of [["pool"], ["blockdev"], ["filesystem"], ["fs"], ["key"], ["report"]])
    assert.equal(read(...words).request, null);
  refuses(["pool", "notasub"], "stratis pool", "invalid choice: 'notasub'");
  refuses(["notasub"], "stratis", "invalid choice: 'notasub'");
  refuses(["help"], "stratis", "invalid choice: 'help'");
  refuses(["pool", "--stopped"], "stratis", "unrecognized arguments: --stopped");
});

test("sub-commands have aliases, which errors do not show, but no abbreviations", () => {
  assert.equal(pathText(read("fs", "create", "p", "f").path), "stratis filesystem create");
  assert.equal(
    pathText(read("pool", "crypt", "bind", "tang", "--name=p", "u", "--trust-url").path),
    "stratis pool encryption bind nbde",
  );
  refuses(
    ["fs", "create"],
    "stratis filesystem create",
    "the following arguments are required: pool_name, fs_name",
  );
  refuses(
    ["pool", "bind", "tang", "p", "u"],
    "stratis pool bind nbde",
    "one of the arguments --trust-url --thumbprint is required",
  );
  refuses(["pool", "lis"], "stratis pool", "invalid choice");
});

test("options of the root come before the sub-command", () => {
  const { values } = read("--propagate", "--unhyphenated-uuids", "pool", "list");
  assert.ok(values.flag("--propagate") && values.flag("--unhyphenated-uuids"));
  refuses(["pool", "list", "--propagate"], "stratis", "unrecognized arguments: --propagate");
});

test("long options may be abbreviated as far as they are unambiguous", () => {
  assert.equal(read("key", "set", "k", "--keyf", "F").values.text("--keyfile-path"), "F");
  assert.equal(read("pool", "start", "--na", "p", "--un", "any").values.text("--unlock-method"), "any");
  assert.equal(read("--v").request, "version");
  assert.ok(read("--prop", "pool").values.flag("--propagate"));
  // Of these, one is the beginning of the other.
  assert.equal(read("fs", "create", "p", "f", "--size", "1B").values.integer("--size"), 1n);
  assert.equal(read("fs", "create", "p", "f", "--size-l=1B").values.integer("--size-limit"), 1n);
  refuses(["--p"], "stratis", "ambiguous option: --p could match --print-all-help, --propagate");
  refuses(
    ["pool", "create", "p", "/d", "--t"],
    "stratis pool create",
    "ambiguous option: --t could match --tang-url, --trust-url, --thumbprint, --tag-spec",
  );
});

test("values follow a blank or an equals sign, may be empty, and the last one counts", () => {
  assert.equal(read("pool", "stop", "--name", "p").values.text("--name"), "p");
  assert.equal(read("pool", "stop", "--name=p=q").values.text("--name"), "p=q");
  assert.equal(read("pool", "stop", "--name=").values.text("--name"), "");
  assert.equal(read("pool", "stop", "--name", "").values.text("--name"), "");
  assert.equal(read("pool", "stop", "--name=a", "--name=b").values.text("--name"), "b");
  refuses(["pool", "stop", "--name"], "stratis pool stop", "argument --name: expected one argument");
  refuses(["pool", "list", "--stopped=yes"], "stratis pool list", "ignored explicit argument 'yes'");
});

test("--device-uuid takes all words that follow, and adds up", () => {
  const other = UUID.replace("0c", "1d");
  const { values } = read("pool", "extend-data", "p", "--device-uuid", UUID, other, "--device-uuid", UUID);
  assert.deepEqual(values.texts("--device-uuid"), [UUID, other, UUID]);
  assert.deepEqual(read("pool", "extend-data", "p", "--device-uuid").values.texts("--device-uuid"), []);
  assert.deepEqual(read("pool", "extend-data", "p").values.texts("--device-uuid"), []);
  refuses(
    ["pool", "extend-data", "--device-uuid", UUID, "p"],
    "stratis pool extend-data",
    "invalid UUID value: 'p'",
  );
});

test("options stand anywhere among positionals", () => {
  const { values } = read("pool", "create", "p", "--tag-spec=32b", "/dev/a", "/dev/b", "--no-overprovision");
  assert.equal(values.text("pool_name"), "p");
  assert.deepEqual(values.texts("blockdevs"), ["/dev/a", "/dev/b"]);
  assert.equal(values.text("--tag-spec"), "32b");
});

test("negative numbers are arguments, other words with a hyphen are options", () => {
  refuses(
    ["pool", "set-fs-limit", "p", "-1"],
    "stratis pool set-fs-limit",
    "Argument -1 is not a natural number.",
  );
  refuses(["pool", "set-fs-limit", "p", "-2.5"], "stratis pool set-fs-limit", "is not a natural number");
  refuses(["pool", "set-fs-limit", "p", "1.2"], "stratis pool set-fs-limit", "is not a natural number");
  refuses(
    ["fs", "create", "p", "f", "--size", "-5GiB"],
    "stratis filesystem create",
    "expected one argument",
  );
  refuses(
    ["fs", "create", "p", "f", "--size=-5GiB"],
    "stratis filesystem create",
    "Ill-formed size specification",
  );
  refuses(["pool", "destroy", "p", "-x"], "stratis", "unrecognized arguments: -x");
  refuses(
    ["pool", "destroy", "-x"],
    "stratis pool destroy",
    "the following arguments are required: pool_name",
  );
});

test("after -- all words are arguments", () => {
  assert.deepEqual(read("fs", "create", "p", "--", "-f", "--size").values.texts("fs_name"), ["-f", "--size"]);
});

test("of options that exclude each other one may be given, and where one must be, one is", () => {
  refuses(
    ["pool", "list", "--name=a", `--uuid=${UUID}`],
    "stratis pool list",
    "argument --uuid: not allowed with argument --name",
  );
  refuses(
    ["pool", "start", "--name=x", "--unlock-method=any", "--token-slot=1"],
    "stratis pool start",
    "argument --token-slot: not allowed with argument --unlock-method",
  );
  refuses(["pool", "start"], "stratis pool start", "one of the arguments --name --uuid is required");
  refuses(["key", "set"], "stratis key set", "the following arguments are required: keydesc");
  refuses(
    ["key", "set", "d"],
    "stratis key set",
    "one of the arguments --keyfile-path --capture-key is required",
  );
});

test("superfluous words are told by the root", () => {
  refuses(["pool", "destroy", "a", "b"], "stratis", "unrecognized arguments: b");
  refuses(["daemon", "version", "x"], "stratis", "unrecognized arguments: x");
});

test("values are checked against their types", () => {
  refuses(["report", "notreport"], "stratis report", "invalid ReportKey value: 'notreport'");
  refuses(["pool", "overprovision", "p", "Yes"], "stratis pool overprovision", "invalid YesOrNo value");
  refuses(
    ["pool", "explain", "ws001"],
    "stratis pool explain",
    "invalid choice: 'ws001' (choose from WS001, IDS001, WDS002, WC001, WC002, EM001, EM002)",
  );
  refuses(
    ["pool", "debug", "get-object-path", "--uuid=not"],
    "stratis pool debug get-object-path",
    "argument --uuid: invalid UUID value: 'not'",
  );
  refuses(["pool", "create", "p", "/d", "--tag-spec=0b"], "stratis pool create", "invalid choice");
  for (const size of ["32GB", "32 GiB", "1EiB", "5gib", ""])
    refuses(
      ["fs", "create", "p", "f", `--size=${size}`],
      "stratis filesystem create",
      "Ill-formed size specification",
    );
  refuses(
    ["fs", "create", "p", "f", "--size-limit=current"],
    "stratis filesystem create",
    "Ill-formed size specification",
  );
});

test("options that only make sense together are checked last, by the root", () => {
  const create = ["pool", "create", "p", "/dev/n"];
  const cases: [string[], string][] = [
    [["--clevis=tang"], "but URL was not specified"],
    [["--clevis=nbde", "--trust-url"], "but URL was not specified"],
    [["--clevis=tang", "--tang-url=u"], "neither --thumbprint nor --trust-url option was specified"],
    [["--tang-url=u"], "neither --thumbprint nor --trust-url option was specified"],
    [["--tang-url=u", "--trust-url"], "Specified --tang-url without specifying Clevis encryption method"],
    [
      ["--clevis=tpm2", "--tang-url=u", "--trust-url"],
      "Specified --tang-url without specifying Clevis encryption method",
    ],
    [["--trust-url"], "without specifying tang URL"],
    [["--thumbprint=t"], "without specifying tang URL"],
  ];
  for (const [options, phrase] of cases) {
    refuses([...create, ...options], "stratis", phrase);
    refuses(["pool", "encryption", "on", "--name=p", ...options], "stratis", phrase);
  }
  refuses(
    [...create, "--integrity=no", "--tag-spec=512b"],
    "stratis",
    '--integrity value "no" and --tag-spec option can not be specified together',
  );
  refuses(
    [...create, "--integrity=no", "--journal-size=128MiB"],
    "stratis",
    '--integrity value "no" and --journal-size option can not be specified together',
  );
  refuses(["fs", "list", "--name=b"], "stratis", "pool name must also be specified");
  assert.equal(
    read(...create, "--key-desc=k", "--clevis=tang", "--tang-url=", "--thumbprint=").request,
    null,
  );
});

test("the option of upstream's that is not meant for users is refused", () => {
  for (const option of ["--post-parser", "--post-parser=x"])
    assert.throws(() => read("pool", "create", "p", "/d", option), ParseError);
});

test("every command has a help option, in both spellings, that needs nothing else", () => {
  for (const path of commandsBelow([rootCommand])) {
    const words = path.slice(1).map(({ name }) => name);
    assert.equal(read(...words, "--help").request, "help");
    assert.equal(read(...words, "-h").request, "help");
    assert.equal(pathText(read(...words, "--he").path), pathText(path));
  }
});

test("every command that can be run has an action that can be loaded", () => {
  let actions = 0;
  for (const path of commandsBelow([rootCommand])) {
    const { action } = path.at(-1) ?? {};
    if (action === undefined) continue;
    assert.equal(typeof action(), "function", pathText(path));
    actions++;
  }
  assert.ok(actions > 50, `${actions}`);
});

test("whatever the words are, they are read or refused as a wrong command line", () => {
  const known = [...commandsBelow([rootCommand])].flatMap((path) => {
    const { name, options = [] } = path.at(-1) ?? { name: "" };
    return [name, ...options.map((option) => option.name)];
  });
  const word = fc.oneof(
    fc.constantFrom(...known, "--", "-", "-1", "--name=", "--un"),
    fc.string(),
    fc.string().map((text) => `--${text}`),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), (words) => {
      try {
        assert.equal(read(...words).path[0], rootCommand);
      } catch (error) {
        if (!(error instanceof ParseError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
