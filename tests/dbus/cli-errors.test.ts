/** What commands refuse and how failures are told: cli.md §7, §8, §18. */
import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startBus } from "./support/bus";
import { useHarness } from "./cli-support/harness";
import { runStratis } from "./cli-support/run";
import { ok, propertiesOf, sampleObjects, SDC, SNAPSHOT, VAULT, variant, WWW } from "./cli-support/world";

const harness = useHarness();

const UNINTENDED = "Execution failed:\nIt appears that you issued an unintended command: ";
const CODE_1 = (signature: string, result: unknown) => ({
  signature: `${signature}qs`,
  body: [result, 1, "the disk is on fire"],
});

test("commands that would change nothing, or only a part, are refused before they change anything", async () => {
  const cases: [string, string][] = [
    ["pool create data /dev/x", "A pool named data already exists"],
    [
      "pool create new /dev/sdc",
      "device /dev/sdc would be added to the DATA tier but is already in use in the DATA tier of pool data",
    ],
    [
      "pool create new /dev/mapper/x-crypt",
      "is already owned by an existing pool's CACHE tier; device /dev/mapper/x-crypt would be added to the DATA tier but is already in use in the CACHE tier of pool data",
    ],
    [
      "pool add-data data /dev/sdc /dev/x",
      "The 'add to data' action has no effect for resource /dev/sdc but does for resource /dev/x",
    ],
    ["pool add-data nope /dev/sdb", "in use in the DATA tier of pool vault"],
    [
      "pool add-cache data /dev/mapper/x-crypt /dev/y /dev/x",
      "The 'add to cache' action has no effect for resource /dev/mapper/x-crypt but does for resources ['/dev/y', '/dev/x']",
    ],
    ["pool init-cache data /dev/x", "Pool already has an initialized cache"],
    [
      "pool init-cache vault /dev/sdb",
      "device /dev/sdb would be added to the CACHE tier but is already in use in the DATA tier of pool vault",
    ],
    ["pool overprovision data no", "Pool's overprovision mode is already set to false"],
    ["pool set-fs-limit data 100", "Pool filesystem limit is exactly 100"],
    [
      "pool encryption off --name data --in-place",
      "The 'encryption off' action has no effect for resource pool with name data",
    ],
    [
      "pool encryption on --name vault --in-place --key-desc k",
      "The 'encryption on' action has no effect for resource pool with name vault",
    ],
    [
      "pool list --stopped --name zz",
      "Command 'list' assumes that resource 'pool with name zz' exists but it was not found.",
    ],
    [
      "pool start --name zz --unlock-method keyring",
      "Command 'start' assumes that resource 'pool with name zz' exists but it was not found.",
    ],
    [
      "pool start --name backup --unlock-method clevis",
      '"--unlock-method=clevis" can not be used with metadata version 2 pools',
    ],
    ["pool create new /dev/x --journal-size=16384PiB", "--journal-size value is too large"],
    ["pool extend-data vault", "None of the pool's devices seems to have increased in size"],
    ["key unset zz", "The 'remove' action has no effect for resource zz"],
    ["key set k1 --capture-key", "A key named k1 already exists"],
    ["key set new --keyfile-path /nope", 'There is no keyfile at the path "/nope"'],
    ["key reset zz --capture-key", "Command 'reset' assumes that resource 'zz' exists but it was not found."],
    [
      "fs create data www new",
      "The 'create' action has no effect for resource www but does for resource new",
    ],
    [
      "fs destroy data www a b",
      "The 'destroy' action has no effect for resources ['a', 'b'] but does for resource www",
    ],
    ["fs set-size-limit data www-snap 2TiB", "Filesystem size limit is exactly 2TiB"],
    ["fs unset-size-limit data www", "Filesystem size limit is not set"],
    ["fs schedule-revert data www-snap", "Filesystem is already scheduled for a revert operation"],
  ];
  const reading = /\.(GetManagedObjects|Get|ListKeys)$/;
  for (const [words, phrase] of cases) {
    const { code, stdout, stderr } = await harness().run(words.split(" "));
    assert.equal(code, 1, words);
    assert.equal(stdout, "");
    assert.ok(stderr.startsWith(UNINTENDED), stderr);
    assert.ok(stderr.includes(phrase), `${words}: ${stderr}`);
    for (const { member } of harness().fake.calls) assert.match(member, reading, words);
  }
});

test("a size limit equal to the present size, and a revert that is not scheduled, are told", async () => {
  const objects = sampleObjects();
  propertiesOf(objects, WWW)["SizeLimit"] = variant("(bs)", [true, "1099511627776"]);
  propertiesOf(objects, SNAPSHOT)["MergeScheduled"] = variant("b", false);
  await harness().fails(
    ["fs", "set-size-limit", "data", "www", "current"],
    "Filesystem size limit is exactly 1 TiB",
    {
      objects,
    },
  );
  await harness().fails(
    ["fs", "cancel-revert", "data", "www-snap"],
    "Filesystem is not currently scheduled for a revert operation",
    { objects },
  );
});

test("extend-data names the devices that are missing, or have not grown", async () => {
  const grown = "2".repeat(32);
  const other = "4".repeat(32);
  await harness().fails(
    ["pool", "extend-data", "data", "--device-uuid", grown, other],
    "resource 'devices with UUIDs 44444444-4444-4444-4444-444444444444' exists but it was not found.",
  );
  await harness().fails(
    ["pool", "extend-data", "data", "--device-uuid", grown, "3".repeat(32)],
    "The 'extend-data' action has no effect for resource 33333333-3333-3333-3333-333333333333 but does for resource 22222222-2222-2222-2222-222222222222",
  );
});

test("a device is recognised by a link to it", async () => {
  const directory = await mkdtemp(join(tmpdir(), "stratis-cli-"));
  try {
    const node = join(directory, "node");
    const link = join(directory, "by-id");
    await writeFile(node, "");
    await symlink(node, link);
    const objects = sampleObjects();
    propertiesOf(objects, SDC)["Devnode"] = variant("s", node);
    await harness().fails(
      ["pool", "create", "new", link],
      `device ${link} would be added to the DATA tier but is already in use`,
      { objects },
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});

test("objects that do not exist are told by their kind", async () => {
  const cases: [string, string][] = [
    ["pool destroy nope", "pool"],
    ["pool list --name nope", "pool"],
    [`pool encryption bind tpm2 --uuid ${"a".repeat(32)}`, "pool"],
    ["pool add-data nope /dev/x", "pool"],
    ["fs list nope", "pool"],
    ["fs list data --name nope", "filesystem"],
    ["fs snapshot data nope s", "filesystem"],
    ["fs rename vault www x", "filesystem"],
    ["blockdev list nope", "pool"],
    ["blockdev debug get-object-path --name nope", "block device"],
  ];
  for (const [words, kind] of cases) {
    const { code, stderr } = await harness().run(words.split(" "));
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `Execution failed:\nMost likely you specified a ${kind} which does not exist.\n`,
      words,
    );
  }
});

test("success without an effect is told", async () => {
  const cases: [string, Record<string, ReturnType<typeof ok>>, string][] = [
    [
      "pool rename data data",
      { SetName: ok("(bs)", [false, ""]) },
      "The 'rename' action has no effect for resource data",
    ],
    [
      "pool start --name p",
      { StartPool: ok("(b(oaoao))", [false, ["/", [], []]]) },
      "The 'start' action has no effect for resource pool with name p",
    ],
    [
      `pool stop --uuid ${"a".repeat(32)}`,
      { StopPool: ok("(bs)", [false, ""]) },
      "The 'stop' action has no effect for resource pool with UUID aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
    ],
    [
      "pool bind keyring vault k",
      { BindKeyring: ok("b", false) },
      "The 'bind' action has no effect for resource vault",
    ],
    [
      "pool unbind clevis vault",
      { UnbindClevis: ok("b", false) },
      "The 'unbind' action has no effect for resource vault",
    ],
    [
      "fs snapshot data www s",
      { SnapshotFilesystem: ok("(bo)", [false, "/"]) },
      "The 'snapshot' action has no effect for resource s",
    ],
    [
      "fs rename data www www",
      { SetName: ok("(bs)", [false, ""]) },
      "The 'rename' action has no effect for resource www",
    ],
  ];
  for (const [words, answers, phrase] of cases)
    await harness().fails(words.split(" "), UNINTENDED + phrase, { answers });
});

test("effects that should have been there and are not are told", async () => {
  const cases: [string, Record<string, ReturnType<typeof ok>>, string][] = [
    [
      "pool create p /dev/x",
      { CreatePool: ok("(b(oao))", [false, ["/", []]]) },
      ": Expected to create the specified pool p",
    ],
    [
      "pool destroy data",
      { DestroyPool: ok("(bs)", [false, ""]) },
      ": Expected to destroy the specified pool data",
    ],
    [
      "pool add-data data /dev/x /dev/y",
      { AddDataDevs: ok("(bao)", [true, [SDC]]) },
      "devices added: (/dev/sdc), devices requested: (/dev/x, /dev/y)\n",
    ],
    [
      "fs create data n",
      { CreateFilesystems: ok("(ba(os))", [false, []]) },
      ": Expected to create the specified filesystems in pool data",
    ],
    [
      "fs destroy data www",
      { DestroyFilesystems: ok("(bas)", [false, []]) },
      ": Expected to destroy the specified filesystems in pool data",
    ],
    ["key unset k1", { UnsetKey: ok("b", false) }, ": Key k1 was reported to"],
    [
      "pool extend-data data",
      { GrowPhysicalDevice: ok("b", false) },
      "UUID 22222222-2222-2222-2222-222222222222",
    ],
    ["pool encryption off --in-place --name vault", { DecryptPool: ok("b", false) }, "pool with name vault"],
  ];
  for (const [words, answers, phrase] of cases) {
    const { code, stderr } = await harness().run(words.split(" "), { answers });
    assert.equal(code, 1);
    assert.match(stderr, /did not execute every action that it would have been expected to execute/);
    assert.ok(stderr.includes(phrase), stderr);
  }
});

test("an error of the engine is passed on with its code", async () => {
  const text =
    "Execution failed:\nstratisd failed to perform the operation that you requested. It returned the following " +
    "information via the D-Bus: ";
  await harness().fails(["pool", "destroy", "data"], `${text}ERROR: the disk is on fire.\n`, {
    answers: { DestroyPool: CODE_1("(bs)", [false, ""]) },
  });
  await harness().fails(["pool", "destroy", "data"], `${text}???: what?.\n`, {
    answers: { DestroyPool: { signature: "(bs)qs", body: [[false, ""], 7, "what?"] } },
  });
});

test("a failure after a part was done says what was done", async () => {
  const fires = { error: "org.freedesktop.zbus.Error", message: "no room" };
  await harness().fails(
    ["pool", "create", "--no-overprovision", "p", "/dev/x"],
    "The pool p was created, but",
    {
      answers: { CreatePool: ok("(b(oao))", [true, [VAULT, []]]), "Set Overprovisioning": fires },
    },
  );
  await harness().fails(
    ["fs", "create", "data", "a", "b", "c"],
    "These filesystems were created: a. Then b was not:",
    {
      answers: {
        CreateFilesystems: ({ body }) =>
          JSON.stringify(body).includes('"b"')
            ? CODE_1("(ba(os))", [false, []])
            : ok("(ba(os))", [true, [[WWW, "a"]]]),
      },
    },
  );
  assert.equal(harness().fake.calls.filter(({ member }) => member.endsWith("CreateFilesystems")).length, 2);
});

test("a property that can not be set is told with its value", async () => {
  for (const error of ["org.freedesktop.zbus.Error", "org.freedesktop.DBus.Error.Failed"]) {
    await harness().fails(
      ["pool", "set-fs-limit", "data", "7"],
      'could not set the D-Bus property "FsLimit" belonging to interface "org.storage.stratis3.pool.r9" to "7". It returned the following error: too low.\n',
      { answers: { "Set FsLimit": { error, message: "too low" } } },
    );
  }
  await harness().fails(["fs", "set-size-limit", "data", "www", "1GiB"], 'to "1073741824"', {
    answers: { "Set SizeLimit": { error: "org.freedesktop.zbus.Error", message: "too low" } },
  });
});

test("failed calls are explained by the name of their error", async () => {
  const failing = (name: string, message = "m"): { error: string; message: string } => ({
    error: `org.freedesktop.DBus.Error.${name}`,
    message,
  });
  const cases: [string, Record<string, ReturnType<typeof failing>>, string][] = [
    [
      "pool stop --name p",
      { StopPool: failing("AccessDenied") },
      "Most likely stratis has insufficient permissions for the action requested.",
    ],
    ["pool", { GetManagedObjects: failing("Failed") }, "a transient inconsistency in the D-Bus interface"],
    [
      "daemon version",
      { "Get Version": failing("Failed") },
      'could not get the D-Bus property "Version" belonging to interface "org.storage.stratis3.Manager.r9". It returned the following error: m.',
    ],
    ["pool stop --name p", { StopPool: failing("Disconnected") }, "disconnected"],
    [
      "pool stop --name p",
      { StopPool: failing("NoReply") },
      "sent the requested commands to stratisd, but stratisd did not return the results in the allowed time",
    ],
    [
      "pool stop --name p",
      { StopPool: failing("InvalidArgs", "bad") },
      "stratis encountered an unexpected error during execution.",
    ],
  ];
  for (const [words, answers, phrase] of cases) await harness().fails(words.split(" "), phrase, { answers });
});

test("a property that is absent where it is needed is named", async () => {
  const objects = sampleObjects();
  Reflect.deleteProperty(propertiesOf(objects, WWW), "Name");
  await harness().fails(
    ["fs", "destroy", "data", "www"],
    'Property "Name" belonging to interface "org.storage.stratis3.filesystem.r9" is not in this GetManagedObjects result.',
    { objects },
  );
});

test("a value of another form than declared is told", async () => {
  const objects = sampleObjects();
  propertiesOf(objects, VAULT)["FsLimit"] = variant("s", "many");
  await harness().fails(
    ["pool", "list", "--name=vault"],
    "expects a different D-Bus interface than the one stratisd provides",
    { objects },
  );
});

test("a daemon of another version is refused by all but what needs none", async () => {
  const world = { answers: { version: { signature: "v", body: [variant("s", "2.4.0")] } } };
  for (const words of ["pool", "daemon version", "key list", "report"]) {
    const { code, stderr } = await harness().run(words.split(" "), world);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /stratisd version 2\.4\.0 does not meet stratis version requirements; the version must be at least 3\.9\.0 and no more than 4\.0\.0/,
    );
    assert.match(stderr, /only the subset of its commands that do not require stratisd/);
    assert.equal(harness().fake.calls.length, 0);
  }
  assert.equal((await harness().run(["pool", "explain", "EM001"], world)).code, 0);
});

const PROMPT = "Enter passphrase followed by the return key: ";
const VERIFY = "Verify passphrase entered: ";
const ECHO = "Warning: this device is not a TTY so the password may be echoed\n";
const created = { SetKey: ok("(bb)", [true, false]) };

test("a passphrase is asked for twice, and goes to stratisd by descriptor", async () => {
  const set = ["key", "set", "new", "--capture-key"];
  for (const [input, key] of [
    ["pw\npw\n", "pw"],
    ["pw\npw", "pw"],
    [" p w \r\n p w \r\n", " p w \r"],
    [`${"x".repeat(64)}\n`.repeat(2), "x".repeat(64)],
  ] as const) {
    const ran = await harness().run(set, { answers: created }, {}, input);
    assert.deepEqual(ran, { code: 0, stdout: PROMPT + VERIFY, stderr: ECHO + ECHO });
    assert.deepEqual(harness().fake.keys, [key]);
  }
  for (const [input, text] of [
    ["pw\npv\n", "Passphrases do not match"],
    ["\n\n", "Passphrase is empty"],
    ["", "Passphrase is empty"],
  ] as const) {
    const ran = await harness().run(set, { answers: created }, {}, input);
    assert.equal(ran.code, 1);
    assert.ok(ran.stderr.endsWith(`It appears that you issued an unintended command: ${text}\n`), ran.stderr);
    assert.deepEqual(harness().fake.keys, []);
  }
});

test("a keyfile is sent as it is, also to start a pool", async () => {
  const keyfile = join(await mkdtemp(join(tmpdir(), "stratis-cli-")), "key");
  await writeFile(keyfile, "secret\n");
  try {
    const started = { StartPool: ok("(b(oaoao))", [true, ["/a", [], []]]) };
    for (const [words, answers] of [
      [["key", "set", "new", "--keyf", keyfile], created],
      [["key", "reset", "k1", "--keyfile-path", keyfile], { SetKey: ok("(bb)", [true, true]) }],
      [["pool", "start", "--name=p", `--keyfile-path=${keyfile}`], started],
    ] as const) {
      assert.deepEqual(await harness().run(words, { answers }), { code: 0, stdout: "", stderr: "" });
      assert.deepEqual(harness().fake.keys, ["secret\n"], words.join(" "));
    }
    const once = ["pool", "start", "--name=p", "--capture-key"];
    const ran = await harness().run(once, { answers: started }, {}, "pw\n");
    assert.deepEqual(ran, { code: 0, stdout: PROMPT, stderr: ECHO });
    assert.deepEqual(harness().fake.keys, ["pw"]);
    await harness().fails(["key", "set", "new", `--keyfile-path=${keyfile}/x`], "cannot be opened: ENOTDIR");
    await harness().fails(["key", "reset", "k1", "--keyfile-path", keyfile], "has no effect", {
      answers: { SetKey: ok("(bb)", [false, false]) },
    });
  } finally {
    await rm(join(keyfile, ".."), { recursive: true });
  }
});

test("--propagate shows the chain of causes", async () => {
  const { code, stdout, stderr } = await harness().run(["--propagate", "pool", "stop", "--name=p"], {
    answers: { StopPool: { error: "org.freedesktop.DBus.Error.AccessDenied", message: "not you" } },
  });
  assert.equal(code, 1);
  assert.equal(stdout, "");
  assert.match(stderr, /^CallError: [^]*\ncaused by: DbusError: not you\n {4}at /);
});

test("without a daemon the absence is told, without a policy for it the refusal", async () => {
  const bus = await startBus();
  try {
    const { code, stdout, stderr } = await runStratis(bus.address, ["pool"]);
    assert.equal(code, 1);
    assert.equal(stdout, "");
    assert.match(
      stderr,
      /^Execution failed:\n(It appears that there is no stratisd process running|Most likely stratis is unable to connect to the stratisd D-Bus service)\.\n$/,
    );
  } finally {
    await bus.stop();
  }
});
