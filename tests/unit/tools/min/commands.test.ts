/** stratis-min without a daemon: what its words become, what it refuses, what it prints. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { quotedText } from "../../../../src/jsonrpc/quoted";
import { CommandLine, parseCommandLine } from "../../../../src/tools/command-line";
import { encryption, slotInput, tangBinding, unlock } from "../../../../src/tools/min/arguments";
import { poolTable, sizeText, filesystemTable } from "../../../../src/tools/min/tables";
import { runMinTool } from "../../../../src/tools/min-tool";

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = "";
  let err = "";
  const code = await runMinTool(args, { out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

const lineOf = (options: string[], multiple: boolean, ...args: string[]): CommandLine =>
  parseCommandLine(args, {
    options: Object.fromEntries(
      options.map((name) => [name, name === "trust-url" ? {} : { value: "V", multiple }]),
    ),
    positionals: [],
    variadic: true,
    version: false,
  });

test("command lines that make no sense", async () => {
  for (const [args, expected] of [
    [[], /^Asks stratisd-min/],
    [["notasub"], /unrecognized subcommand 'notasub'/],
    [["pool", "list"], /unrecognized subcommand 'list'/],
    [["report", "stopped_pools"], /unexpected argument 'stopped_pools' found/],
    [["pool", "create", "pn"], /required arguments were not provided/],
    [["key", "set", "kd"], /required arguments were not provided/],
    [["key", "set", "kd", "--capture-key", "--keyfile-path", "/f"], /exactly one of/],
    [["pool", "bind"], /a subcommand was not given/],
    [["pool", "unbind"], /a subcommand was not given/],
    [["pool", "rebind"], /a subcommand was not given/],
    [["pool", "unbind", "clevis", "--name", "p", "--token-slot", "x"], /invalid value 'x'/],
    [["pool", "bind", "nbde", "--name", "p", "u", "--trust-url", "--thumbprint", "t"], /cannot be used/],
  ] as const) {
    const { code, out, err } = await run(...args);
    assert.deepEqual({ code, out }, { code: 2, out: "" }, args.join(" "));
    assert.match(err, expected);
  }
});

test("mistakes that are found before anybody is asked", async () => {
  for (const [args, message] of [
    [["pool", "start", "xyz"], 'Uuid error: \\"xyz\\" is not a UUID'],
    [["pool", "create", "p", "/d", "--key-descs", "a;b"], "Key description a;b contains a ';'"],
    [["pool", "create", "p", "/d", "--clevis-infos", "tang_url=u"], "pin is required"],
    [["pool", "create", "p", "/d", "--clevis-infos", "pin"], "Value required for key pin"],
    [["pool", "create", "p", "/d", "--clevis-infos", "pin=x"], "Invalid pin x"],
    [["pool", "create", "p", "/d", "--clevis-infos", "pin=tang"], "tang_url is required"],
    [
      ["pool", "create", "p", "/d", "--clevis-infos", "pin=tang tang_url=u trust_url=1"],
      "trust_url takes no argument",
    ],
    [
      ["pool", "create", "p", "/d", "--clevis-infos", "pin=tang tang_url=u"],
      "Missing required argument trust_url or thumbprint=",
    ],
    [
      ["pool", "create", "p", "/d", "--clevis-infos", "pin=tang tang_url=u trust_url thumbprint=t"],
      "thumbprint= cannot be used with trust_url",
    ],
    [["pool", "create", "p", "/d", "--clevis-infos", "pin=tpm2 token_slot"], "token_slot requires argument"],
    [
      ["pool", "create", "p", "/d", "--key-descs", "a:3", "--clevis-infos", "pin=tpm2 token_slot=3"],
      "Token slot 3 already taken",
    ],
    [["key", "set", "kd", "--keyfile-path", "/no/such"], "IO error: No such file or directory (os error 2)"],
  ] as const)
    assert.deepEqual(await run(...args), { code: 1, out: "", err: `Error: "${message}"\n` });
});

test("help and version of every level", async () => {
  assert.deepEqual(await run("--version"), { code: 0, out: "stratis-min 3.9.2\n", err: "" });
  const { out } = await run("pool", "bind", "--help");
  assert.match(out, /^Usage: stratis-min pool bind \[OPTIONS\] <COMMAND>$/m);
  assert.match(
    (await run("--debug", "pool", "create", "-h")).out,
    /create \[OPTIONS\] <NAME> <BLOCKDEVS>\.\.\./,
  );
});

test("options in the terms of requests", () => {
  const infos = [
    "--key-descs=a:b",
    "--key-descs=k:7",
    "--clevis-infos=pin=tang tang_url=http://u/?a=b trust_url",
  ];
  assert.deepEqual(encryption(lineOf(["key-descs", "clevis-infos"], true, ...infos)), {
    encryption_infos: [
      [null, { KeyDesc: "a:b" }],
      [7, { KeyDesc: "k" }],
      [null, { ClevisInfo: ["tang", { url: "http://u/?a=b", "stratis:tang:trust_url": true }] }],
    ],
  });
  assert.equal(encryption(lineOf([], false)), null);
  const slot = (...args: string[]): CommandLine => lineOf(["token-slot"], false, ...args);
  assert.deepEqual(
    [unlock(slot()), unlock(slot("--token-slot=any")), unlock(slot("--token-slot=3"))],
    ["None", "Any", { Token: 3 }],
  );
  assert.deepEqual(
    [slotInput(slot()), slotInput(slot("--token-slot=legacy")), slotInput(slot("--token-slot=3"))],
    ["None", "Legacy", { Some: 3 }],
  );
  assert.deepEqual(tangBinding(lineOf(["thumbprint", "trust-url"], false, "id", "u", "--thumbprint=t")), {
    url: "u",
    thp: "t",
  });
});

test("sizes are cut, not rounded", () => {
  const texts = [0n, 5n, 1035n, 1048575n, 1048576n, 1935000n].map(sizeText);
  assert.deepEqual(texts, ["0.00 B", "5.00 B", "1.01 KiB", "1023.99 KiB", "1.00 MiB", "1.84 MiB"]);
});

test("tables have the form that upstream's have", () => {
  const uuid = "824da802-f37d-43c7-916f-71d33fc9a208";
  assert.equal(
    poolTable([["p1"], [[1099511627776n, 18418241536n]], [[false, true]], [uuid]]),
    "Name                          Total Physical   Properties                                   UUID\n" +
      `p1        1.00 TiB / 17.15 GiB / 1006.84 GiB      ~Ca, Cr   ${uuid}\n`,
  );
  assert.match(
    poolTable([["p"], [[1n, null]], [[true, false]], [uuid]]),
    /1\.00 B \/ FAILURE \/ FAILURE {6} Ca,~Cr/,
  );
  assert.equal(
    filesystemTable([[], [], [], [], [], []]),
    "Pool Name   Name   Used   Created   Device   UUID   \n",
  );
  assert.throws(() => poolTable([["p"], [], [], []]), /another form/);
});

test("texts of errors are quoted", () => {
  assert.equal(quotedText('a "b"\\\n\u0007é'), '"a \\"b\\"\\\\\\n\\u{7}é"');
});
