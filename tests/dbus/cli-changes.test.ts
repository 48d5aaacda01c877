/** --json of the commands that change something, and --dry-run. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { useHarness, type World as FakeWorld } from "./cli-support/harness";
import { runStratis, type Ran } from "./cli-support/run";
import { DATA, property, propertiesOf, sampleObjects, variant, VAULT } from "./cli-support/world";
import { startWorld, type World } from "./support/world";

const harness = useHarness();

let world: World | undefined;
let directory = "";
before(async () => {
  world = await startWorld();
  directory = await mkdtemp(join(tmpdir(), "stratis-keys-"));
});
after(async () => {
  await world?.end();
  await rm(directory, { recursive: true });
});

interface Change {
  action: string;
  dry_run: boolean;
  finished: boolean;
  created: Record<string, unknown>[];
  changed: Record<string, unknown>[];
  removed: Record<string, unknown>[];
  unchanged: Record<string, unknown>[];
}

function stratis(...words: string[]): Promise<Ran> {
  assert.ok(world !== undefined, "the service has not been started");
  return runStratis(world.bus.address, words);
}

function parsed({ code, stdout, stderr }: Ran, words: string): Change {
  assert.deepEqual([code, stderr], [0, ""], words);
  const { version, ...change } = JSON.parse(stdout) as Change & { version: number };
  assert.equal(version, 1);
  return change;
}

const change = async (words: string): Promise<Change> =>
  parsed(await stratis(...words.split(" "), "--json"), words);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The things without their UUIDs, which must be there. */
const named = (items: Record<string, unknown>[]): Record<string, unknown>[] =>
  items.map(({ uuid, ...rest }) => {
    assert.match(String(uuid), UUID);
    return rest;
  });

const NOTHING = { created: [], changed: [], removed: [], unchanged: [] };

test("what was done, with names and UUIDs", async () => {
  const made = await change("pool create p /dev/a /dev/b");
  assert.deepEqual(
    { ...made, created: named(made.created) },
    {
      ...NOTHING,
      action: "pool create",
      dry_run: false,
      finished: true,
      created: [
        { kind: "pool", name: "p" },
        { kind: "blockdev", device: "/dev/a", pool: "p" },
        { kind: "blockdev", device: "/dev/b", pool: "p" },
      ],
    },
  );
  const uuid = made.created[0]?.["uuid"];
  const filesystems = await change("fs create p f g");
  assert.equal(filesystems.action, "filesystem create");
  assert.deepEqual(named(filesystems.created), [
    { kind: "filesystem", name: "f", pool: "p" },
    { kind: "filesystem", name: "g", pool: "p" },
  ]);
  assert.notEqual(filesystems.created[0]?.["uuid"], filesystems.created[1]?.["uuid"]);
  const snapshots = await change("fs snapshot p f s1 -n s2 s3 --also s2");
  assert.deepEqual(
    named(snapshots.created).map(({ name }) => name),
    ["s1", "s2", "s3"],
  );
  const limited = await change("fs set-size-limit p f 2TiB");
  assert.deepEqual(limited.changed, [{ ...filesystems.created[0], set: { limit: 2199023255552 } }]);
  assert.deepEqual((await change("fs unset-size-limit p f")).changed[0]?.["set"], { limit: null });
  assert.deepEqual((await change("fs schedule-revert p s1")).changed[0]?.["set"], { revert_scheduled: true });
  assert.deepEqual((await change("fs cancel-revert p s1")).changed[0]?.["set"], { revert_scheduled: false });
  assert.deepEqual((await change("fs rename p g h")).changed[0]?.["set"], { name: "h" });
  assert.deepEqual(
    named((await change("fs destroy p s1 s2 s3 h f")).removed).map(({ name }) => name),
    ["s1", "s2", "s3", "h", "f"],
  );
  assert.deepEqual(named((await change("pool add-data p /dev/c")).created), [
    { kind: "blockdev", device: "/dev/c", pool: "p" },
  ]);
  assert.deepEqual((await change("pool set-fs-limit p 300")).changed, [
    { kind: "pool", name: "p", uuid, set: { filesystem_limit: 300 } },
  ]);
  assert.deepEqual((await change("pool overprovision p no")).changed[0]?.["set"], {
    overprovisioning: false,
  });
  assert.deepEqual((await change("pool stop --name p")).changed, [
    { kind: "pool", name: "p", uuid, set: { state: "stopped" } },
  ]);
  assert.deepEqual((await change("pool start --name p")).changed, [
    { kind: "pool", name: "p", uuid, set: { state: "started" } },
  ]);
  assert.deepEqual((await change("debug refresh")).changed, [{ kind: "daemon", name: "stratisd" }]);
  assert.deepEqual((await change("pool destroy p")).removed, [{ kind: "pool", name: "p", uuid }]);
});

test("keys and bindings", async () => {
  const key = join(directory, "key");
  await writeFile(key, "secret");
  assert.deepEqual((await change(`key set k --keyfile-path ${key}`)).created, [{ kind: "key", name: "k" }]);
  await change(`key set l --keyfile-path ${key}`);
  await change("pool create crypt /dev/k --key-desc k");
  const rebound = await change("pool encryption rebind keyring --name crypt l");
  assert.deepEqual(rebound.changed[0]?.["set"], { rebound: { method: "keyring", key_description: "l" } });
  await writeFile(key, "another");
  assert.deepEqual((await change(`key reset k --keyfile-path ${key}`)).changed, [{ kind: "key", name: "k" }]);
  assert.deepEqual((await change("key unset k")).removed, [{ kind: "key", name: "k" }]);
});

test("a passphrase is asked for on standard error when standard output is JSON", async () => {
  assert.ok(world !== undefined);
  const words = ["key", "set", "typed", "--capture-key", "--json"];
  const { code, stdout, stderr } = await runStratis(world.bus.address, words, {}, "secret\nsecret\n");
  assert.equal(code, 0);
  assert.deepEqual((JSON.parse(stdout) as Change).created, [{ kind: "key", name: "typed" }]);
  assert.match(stderr, /^Enter passphrase .*Verify passphrase/s);
});

const READING = /\.(GetManagedObjects|Get|ListKeys)$/;

async function dryRun(words: string, fake: Partial<FakeWorld> = {}): Promise<Ran> {
  const ran = await harness().run([...words.split(" "), "--dry-run"], fake);
  for (const { member } of harness().fake.calls) assert.match(member, READING, words);
  return ran;
}

test("a dry run tells what would be done, and calls nothing that changes anything", async () => {
  const cases: [string, string][] = [
    ["pool rename data other", 'Would change pool data: name "other"\n'],
    ["pool set-fs-limit data 200", "Would change pool data: filesystem_limit 200\n"],
    ["pool overprovision data yes", "Would change pool data: overprovisioning true\n"],
    ["pool start --name backup --unlock-method any", 'Would change pool backup: state "started"\n'],
    ["pool start --name plain", 'Would change pool plain: state "started"\n'],
    ["pool stop --name data", 'Would change pool data: state "stopped"\n'],
    ["pool encryption reencrypt --in-place --name vault", "Would change pool vault: reencrypted true\n"],
    ["pool encryption unbind clevis --name vault", 'Would change pool vault: unbound {"method": "clevis"}\n'],
    [
      "fs create vault a b --size=1GiB",
      "Would create filesystem a in pool vault\nWould create filesystem b in pool vault\n",
    ],
    ["fs snapshot vault 漢字 s", "Would create filesystem s in pool vault\n"],
    ["fs destroy vault 漢字", "Would remove filesystem 漢字 in pool vault\n"],
    ["fs rename vault 漢字 kanji", 'Would change filesystem 漢字 in pool vault: name "kanji"\n'],
    [
      "fs set-size-limit vault 漢字 2TiB",
      "Would change filesystem 漢字 in pool vault: limit 2199023255552\n",
    ],
    ["key unset k1", "Would remove key k1\n"],
    ["key reset k1 --capture-key", "Would change key k1\n"],
    ["debug refresh", "Would change daemon stratisd\n"],
  ];
  for (const [words, expected] of cases)
    assert.deepEqual(await dryRun(words), { code: 0, stdout: expected, stderr: "" }, words);
  assert.deepEqual(await dryRun("key unset k1 --quiet"), { code: 0, stdout: "", stderr: "" });
  const json = parsed(await dryRun("pool stop --name data --json"), "dry run");
  assert.deepEqual([json.dry_run, json.finished, json.changed.length], [true, false, 1]);
  assert.equal((await dryRun("pool extend-data vault")).code, 1);
});

test("a dry run refuses what stratisd would refuse", async () => {
  const scheduled = sampleObjects();
  propertiesOf(scheduled, DATA)["AvailableActions"] = variant("s", "fully_operational");
  const broken = sampleObjects();
  propertiesOf(broken, VAULT)["AvailableActions"] = variant("s", "no_pool_changes");
  const full = sampleObjects();
  propertiesOf(full, VAULT)["FsLimit"] = variant("t", 1n);
  const cases: [string, string, Partial<FakeWorld>?][] = [
    ["pool create a|b /dev/x", 'contains the character "|", which is not allowed'],
    ["pool create new /dev/x", "There is no device /dev/x"],
    ["pool create new /dev/null", "/dev/null is not a block device"],
    ["pool add-data vault /dev/x", "There is no device /dev/x"],
    ["pool encryption on --in-place --name data --key-desc zz", "its state is no_ipc_requests"],
    ["pool rename vault data", "A pool named data already exists"],
    ["pool set-fs-limit data 50", "can only be raised, not set to 50"],
    ["pool overprovision vault no", "its state is no_pool_changes", { objects: broken }],
    ["pool add-cache vault /dev/x", "The pool vault has no cache"],
    ["pool add-data data /dev/x", "its state is no_ipc_requests"],
    ["pool destroy data", "The pool data has filesystems: "],
    ["pool start --name zz", "'pool with name zz' exists but it was not found"],
    ["pool start --name backup", "is encrypted, and nothing tells how it is to be unlocked"],
    ["pool start --name backup --keyfile-path /nope", 'There is no keyfile at the path "/nope"'],
    ["pool encryption bind keyring --name data k1", "The pool data is not encrypted"],
    ["pool encryption bind keyring --name vault zz", "resource 'key zz' exists"],
    ["fs create vault a --size=1MiB", "less than the minimum of 536870912 bytes"],
    ["fs create vault a --size=2GiB --size-limit=1GiB", "The size limit, 1 GiB, is less than"],
    ["fs create vault a", "has 1 filesystems and may have 1", { objects: full }],
    ["fs snapshot vault 漢字 漢字", "There is a filesystem named 漢字 in pool vault already"],
    ["fs destroy data www", "can't be destroyed unless the merge is cancelled", { objects: scheduled }],
    ["fs schedule-revert data www", "has no origin", { objects: scheduled }],
    ["key set new --keyfile-path /nope", "There is no keyfile"],
  ];
  for (const [words, phrase, fake] of cases) {
    const { code, stdout, stderr } = await dryRun(words, fake);
    assert.deepEqual([code, stdout], [1, ""], words);
    assert.ok(stderr.includes(phrase), `${words}: ${stderr}`);
  }
});

test("an operation that stratisd goes on with is not finished", async () => {
  const silent = { ReencryptPool: "silence", "Get Version": property("s", "3.9.2") } as const;
  const words = "pool encryption reencrypt --in-place --name vault --json --quiet".split(" ");
  const change = parsed(await harness().run(words, { answers: silent }), "reencrypt");
  assert.deepEqual([change.finished, change.dry_run], [false, false]);
});

test("what was done before a failure is in the error", async () => {
  const created = { signature: "(ba(os))qs", body: [[true, [["/org/storage/stratis3/77", "a"]]], 0, "Ok"] };
  const refused = { signature: "(ba(os))qs", body: [[false, []], 1, "full"] };
  let calls = 0;
  const answers = { CreateFilesystems: () => (calls++ === 0 ? created : refused) };
  const { code, stdout, stderr } = await harness().run(["fs", "create", "vault", "a", "b", "--json"], {
    answers,
  });
  assert.deepEqual([code, stdout], [1, ""]);
  const { error } = JSON.parse(stderr) as { error: { kind: string; created: unknown[]; removed: unknown[] } };
  assert.equal(error.kind, "partly_done");
  assert.deepEqual(error.created, [{ kind: "filesystem", name: "a", pool: "vault" }]);
  assert.deepEqual(error.removed, []);
});
