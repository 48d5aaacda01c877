/** What people at a terminal are asked and told, and scripts are not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { useHarness, type World } from "./cli-support/harness";
import { runOnTerminal, type Shown } from "./cli-support/terminal";
import { ok, sampleObjects, SNAPSHOT, WWW } from "./cli-support/world";

const harness = useHarness();

async function onTerminal(
  words: string,
  typed = "",
  world: Partial<World> = {},
  env: Record<string, string> = {},
): Promise<Shown> {
  // Sets the fake's answers as a run without a terminal does.
  await harness().run(["--version"], world);
  return runOnTerminal(harness().address, words.split(" "), typed, env);
}

const called = (): string[] =>
  harness()
    .fake.calls.map(({ member }) => member.split(".").at(-1) ?? "")
    .filter((member) => member !== "GetManagedObjects");

const DESTROYED = {
  DestroyFilesystems: ok("(bas)", [true, ["a", "b"]]),
  DestroyPool: ok("(bs)", [true, "u"]),
  StartPool: ok("(b(oaoao))", [true, ["/org/storage/stratis3/9", [], []]]),
  DecryptPool: ok("b", true),
};

/** The sample without filesystems in pool data. */
function emptied(): Partial<World> {
  const objects = sampleObjects();
  for (const path of [WWW, SNAPSHOT]) Reflect.deleteProperty(objects, path);
  return { objects, answers: DESTROYED };
}

test("what would be lost is shown, and nothing is done unless the user agrees", async () => {
  for (const typed of ["n\n", "\n", "yess\n", ""]) {
    const { code, screen } = await onTerminal("fs destroy data www", typed, { answers: DESTROYED });
    assert.equal(code, 1, typed);
    assert.match(
      screen,
      /These filesystems of pool "data" will be destroyed, with all data on them:\n {2}www: 546 MiB used\nGo on\? \[y\/N\] /,
    );
    assert.match(screen, /Nothing was changed\.\n$/);
    assert.deepEqual(called(), []);
  }
  const { code } = await onTerminal("fs destroy data www www-snap", "y\n", { answers: DESTROYED });
  assert.equal(code, 0);
  assert.deepEqual(called(), ["DestroyFilesystems"]);
});

test("--yes, a dry run, and the absence of a terminal ask nothing", async () => {
  const yes = await onTerminal("fs destroy data www www-snap --yes", "", { answers: DESTROYED });
  assert.deepEqual(yes, { code: 0, screen: "" });
  const dry = await onTerminal("fs destroy data www --dry-run", "", { objects: sampleObjects() });
  assert.doesNotMatch(dry.screen, /Go on/);
  const words = ["fs", "destroy", "data", "www", "www-snap"];
  assert.deepEqual(await harness().run(words, { answers: DESTROYED }), { code: 0, stdout: "", stderr: "" });
});

test("a pool is destroyed with its filesystems only by the option that says so", async () => {
  const refused = {
    DestroyPool: { signature: "(bs)qs", body: [[false, ""], 1, "filesystems remaining on pool"] },
  };
  const plain = await onTerminal("pool destroy data", "", { answers: refused });
  assert.equal(plain.code, 1);
  assert.doesNotMatch(plain.screen, /Go on/);
  assert.match(plain.screen, /filesystems remaining on pool/);
  assert.match(
    plain.screen,
    /Hint: Pool "data" has 2 filesystems\. .*stratis pool destroy data --with-filesystems\n/,
  );
  const all = await onTerminal("pool destroy data --with-filesystems", "y\n", { answers: DESTROYED });
  assert.equal(all.code, 0);
  assert.match(all.screen, /devices will be wiped:\n {2}\/dev\/sdc: 100 GiB\n {2}\/dev\/nvme0n1: 10 GiB\n/);
  assert.match(
    all.screen,
    /filesystems will be destroyed, .*:\n {2}www-snap: 546 MiB used\n {2}www: 546 MiB used\n/,
  );
  assert.deepEqual(called(), ["DestroyFilesystems", "DestroyPool"]);
  const empty = await onTerminal("pool destroy data", "yes\n", emptied());
  assert.equal(empty.code, 0);
  assert.match(empty.screen, /Pool "data" will be destroyed\. .*wiped:\n/);
});

test("that the filesystems are gone is told when the pool could not be destroyed after them", async () => {
  const answers = { ...DESTROYED, DestroyPool: { signature: "(bs)qs", body: [[false, ""], 1, "busy"] } };
  const { code, stderr } = await harness().run(["pool", "destroy", "data", "--with-filesystems"], {
    answers,
  });
  assert.equal(code, 1);
  assert.match(stderr, /The filesystems of pool data were destroyed, but the pool itself was not: .*busy/);
});

test("removing a cache and decrypting are asked about", async () => {
  const cache = await onTerminal("pool start --name backup --remove-cache", "n\n", { answers: DESTROYED });
  assert.match(cache.screen, /The cache of the pool with name backup will be removed/);
  assert.deepEqual([cache.code, called()], [1, []]);
  const plain = await onTerminal("pool start --name backup", "", { answers: DESTROYED });
  assert.deepEqual(plain, { code: 0, screen: "" });
  const decrypt = await onTerminal("pool encryption off --in-place --name vault", "n\n", {
    answers: DESTROYED,
  });
  assert.match(
    decrypt.screen,
    /All data of pool "vault" will be stored without encryption on:\n {2}\/dev\/sdb: 2\.00 TiB\n/,
  );
  assert.deepEqual([decrypt.code, called()], [1, []]);
});

test("hints name what is near, and the next command", async () => {
  const cases: [string, RegExp][] = [
    ["fs create dta new", /does not exist\.\nHint: There is no pool "dta"\.\nHint: Did you mean "data"\?\n$/],
    [
      "pool overprovision backup no",
      /Hint: The pool "backup" is stopped\. Start it with: stratis pool start --name backup\n$/,
    ],
    ["fs list nope", /Hint: There is no pool "nope"\.\nHint: See which there are with: stratis pool list\n$/],
    [
      "fs rename data wwww x",
      /Hint: There is no filesystem "wwww" in pool "data"\.\nHint: Did you mean "www"\?\n$/,
    ],
    ["fs rename vault www x", /Hint: Pool "data" has one of this name\.\n$/],
    [
      "fs destroy data www-snpa",
      /unintended command: .*\nHint: There is no filesystem "www-snpa" in pool "data"\.\nHint: Did you mean "www-snap"\?\n$/,
    ],
    ["pool list --stopped --name bakcup", /Hint: Did you mean "backup"\?\n$/],
    ["pool list --stopped --name data", /Hint: The pool "data" is started\.\n$/],
    ["key reset k2 --capture-key", /Hint: Did you mean "k1" or "a2"\?\n$/],
    ["key set k1 --capture-key", /Hint: Give it another value with: stratis key reset k1 \.\.\.\n$/],
    ["pool lst", /choose from .*\)\nHint: Did you mean "list"\?\n$/],
    [
      "pool create p /dev/x --key-dsec k",
      /unrecognized arguments: --key-dsec\nHint: Did you mean "--key-desc"\?\n$/,
    ],
  ];
  for (const [words, expected] of cases) {
    const { screen, code } = await onTerminal(words);
    assert.match(screen, expected, words);
    assert.notEqual(code, 0);
    const { stderr } = await harness().run(words.split(" "));
    assert.doesNotMatch(stderr, /Hint/, words);
  }
  assert.doesNotMatch((await onTerminal("fs list nope --json")).screen, /Hint/);
});

test("stratisd's messages are completed by names, and by what helps", async () => {
  const refused = (text: string) => ({ signature: "(bo)qs", body: [[false, "/"], 1, text] });
  const snapshot = "fs snapshot data www s";
  const uuid = "17101e39-e72e-423c-90d8-be5cb37c055b";
  const named = await onTerminal(snapshot, "", {
    answers: { SnapshotFilesystem: refused(`no space for ${uuid}`) },
  });
  assert.match(named.screen, new RegExp(`Hint: ${uuid} is filesystem "www" of pool "data"\\.\n`));
  const full = await onTerminal(snapshot, "", {
    answers: { SnapshotFilesystem: refused("The pool limit of 100 filesystems has already been reached") },
  });
  assert.match(full.screen, /Hint: Raise the limit with: stratis pool set-fs-limit data NUMBER\n/);
  const locked = { signature: "(b(oaoao))qs", body: [[false, ["/", [], []]], 1, "no key"] };
  const start = await onTerminal("pool start --name backup", "", { answers: { StartPool: locked } });
  assert.match(
    start.screen,
    /Hint: If the pool is encrypted, unlock it with: stratis pool start --name backup --unlock-method any\n/,
  );
});

test("a time that was too short is told in seconds", async () => {
  const world = { answers: { StopPool: "silence" as const } };
  const { screen } = await onTerminal("pool stop --name data", "", world, { STRATIS_DBUS_TIMEOUT: "1500" });
  assert.match(screen, /in the allowed time\.\nHint: The time that was allowed is 1\.5 seconds\.\n/);
  assert.match(screen, /Hint: To wait for 5 minutes, set STRATIS_DBUS_TIMEOUT=300000/);
});

test("without a daemon, hints say how to get one", async () => {
  const nobody = await runOnTerminal("unix:path=/nonexistent/bus", ["pool", "list"]);
  assert.match(
    nobody.screen,
    /could not connect to the message bus[^]*Hint: Find out what is missing with: stratis doctor\n$/,
  );
});

test("titles and alerts have colours, unless the user wants none", async () => {
  await harness().run(["--version"]);
  const shown = async (words: string, env: Record<string, string> = {}): Promise<string> =>
    (await runOnTerminal(harness().address, words.split(" "), "", env)).screen;
  const coloured = await shown("pool list");
  assert.match(coloured, /^ESC\[1mName +ESC\[0m {3}/);
  assert.match(coloured, /ESC\[31mEM001ESC\[0m, ESC\[36mIDS001ESC\[0m, ESC\[33mWS001ESC\[0m/);
  const { stdout: plain } = await harness().run(["pool", "list"]);
  assert.equal(coloured.replace(/ESC\[\d+m/g, ""), plain);
  assert.equal(await shown("pool list", { NO_COLOR: "1" }), plain);
  assert.equal(await shown("pool list", { TERM: "dumb" }), plain);
  assert.equal(await shown("pool list", { NO_COLOR: "" }), coloured);
  assert.doesNotMatch(await shown("pool list --json"), /ESC/);
});

test("a watched table is drawn over the one before", async () => {
  await harness().run(["--version"]);
  // Ctrl-C ends it.
  const { code, screen } = await runOnTerminal(
    harness().address,
    ["pool", "list", "--watch"],
    [{ after: "vault", text: "\u0003" }],
  );
  assert.equal(code, 0);
  assert.match(screen, /ESC\[HESC\[JESC\[1mName/);
});

test("nothing of a passphrase is shown, even when it is typed at once", async () => {
  await harness().run(["--version"], { answers: { SetKey: ok("(bb)", [true, false]) } });
  const [first, second] = ["Enter passphrase followed by the return key: ", "Verify passphrase entered: "];
  const { code, screen } = await runOnTerminal(
    harness().address,
    ["key", "set", "new", "--capture-key"],
    [
      { after: first, text: "sesame\n" },
      { after: second, text: "sesame\n" },
    ],
  );
  assert.deepEqual({ code, screen }, { code: 0, screen: `${first}\n${second}\n` });
  assert.deepEqual(harness().fake.keys, ["sesame"]);
});
