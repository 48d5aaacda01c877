/** The calls that commands make: cli.md §6.5, §6.6, §6.8. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordedCall } from "./cli-support/fake";
import { useHarness } from "./cli-support/harness";
import {
  DATA,
  DATA_UUID,
  ok,
  propertiesOf,
  sampleObjects,
  SDC,
  SNAPSHOT,
  TIB,
  VAULT,
  variant,
  WWW,
} from "./cli-support/world";

const harness = useHarness();

const TOP = "/org/storage/stratis3";
const GMO: RecordedCall = {
  path: TOP,
  member: "org.freedesktop.DBus.ObjectManager.GetManagedObjects",
  signature: "",
  body: [],
};

const manager = (member: string, signature: string, ...body: unknown[]): RecordedCall => ({
  path: TOP,
  member: `org.storage.stratis3.Manager.r9.${member}`,
  signature,
  body,
});
const pool = (path: string, member: string, signature: string, ...body: unknown[]): RecordedCall => ({
  path,
  member: `org.storage.stratis3.pool.r9.${member}`,
  signature,
  body,
});
const set = (path: string, kind: string, name: string, value: unknown): RecordedCall => ({
  path,
  member: "org.freedesktop.DBus.Properties.Set",
  signature: "ssv",
  body: [`org.storage.stratis3.${kind}.r9`, name, value],
});

const CREATED = { CreatePool: ok("(b(oao))", [true, ["/org/storage/stratis3/99", []]]) };
const CREATE_SIGNATURE = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
const INTEGRITY = [
  [true, 134217728n],
  [true, "512b"],
  [true, true],
];

test("pool create", async () => {
  assert.deepEqual(await harness().callsOf(["pool", "create", "newp", "/dev/x"], { answers: CREATED }), [
    GMO,
    manager("CreatePool", CREATE_SIGNATURE, "newp", ["/dev/x"], [], [], ...INTEGRITY),
  ]);
  const words =
    "pool create --key-desc k --clevis nbde --tang-url http://t --thumbprint T --no-overprovision newp /dev/x";
  assert.deepEqual(await harness().callsOf(words.split(" "), { answers: CREATED }), [
    GMO,
    manager(
      "CreatePool",
      CREATE_SIGNATURE,
      "newp",
      ["/dev/x"],
      [[[false, 0], "k"]],
      [[[false, 0], "tang", '{"url": "http://t", "thp": "T"}']],
      ...INTEGRITY,
    ),
    set("/org/storage/stratis3/99", "pool", "Overprovisioning", false),
  ]);
  const none = "pool create --integrity=no --clevis=tpm2 newp /dev/x";
  assert.deepEqual(await harness().callsOf(none.split(" "), { answers: CREATED }), [
    GMO,
    manager(
      "CreatePool",
      CREATE_SIGNATURE,
      "newp",
      ["/dev/x"],
      [],
      [[[false, 0], "tpm2", "{}"]],
      [true, 0n],
      [true, "0b"],
      [true, false],
    ),
  ]);
});

test("a name that begins with a hyphen, sizes and paths arrive as they should", async () => {
  const words = [
    "pool",
    "create",
    "--journal-size=1KiB",
    "--tag-spec=32b",
    "--",
    "-p",
    "/dev/./x",
    "/dev/y/../x",
  ];
  assert.deepEqual((await harness().callsOf(words, { answers: CREATED }))[1]?.body, [
    "-p",
    ["/dev/x"],
    [],
    [],
    [true, 1024n],
    [true, "32b"],
    [true, true],
  ]);
});

test("pool destroy, rename, set-fs-limit and overprovision", async () => {
  const changed = { DestroyPool: ok("(bs)", [true, ""]), SetName: ok("(bs)", [true, ""]) };
  const calls = (words: string): Promise<RecordedCall[]> =>
    harness().callsOf(words.split(" "), { answers: changed });
  assert.deepEqual(await calls("pool destroy data"), [GMO, manager("DestroyPool", "o", DATA)]);
  assert.deepEqual(await calls("pool rename data new"), [GMO, pool(DATA, "SetName", "s", "new")]);
  assert.deepEqual(await calls("pool set-fs-limit data 18446744073709551615"), [
    GMO,
    set(DATA, "pool", "FsLimit", (1n << 64n) - 1n),
  ]);
  assert.deepEqual(await calls("pool overprovision data yes"), [
    GMO,
    set(DATA, "pool", "Overprovisioning", true),
  ]);
});

test("pool start and stop", async () => {
  const answers = {
    StartPool: ok("(b(oaoao))", [true, ["/", [], []]]),
    StopPool: ok("(bs)", [true, ""]),
  };
  const start = async (words: string): Promise<RecordedCall[]> =>
    harness().callsOf(["pool", "start", ...words.split(" ")], { answers });
  const call = (...body: unknown[]): RecordedCall => manager("StartPool", "ss(b(bu))(bh)b", ...body);
  const noKey = [false, 0];
  assert.deepEqual(await start("--name p"), [call("p", "name", [false, [false, 0]], noKey, false)]);
  assert.deepEqual(await start("--name p --token-slot=3 --remove-cache"), [
    call("p", "name", [true, [true, 3]], noKey, true),
  ]);
  assert.deepEqual(await start(`--uuid ${DATA_UUID} --unlock-method any`), [
    call(DATA_UUID, "uuid", [true, [false, 0]], noKey, false),
  ]);
  for (const [method, slot] of [
    ["keyring", 1],
    ["clevis", 2],
  ] as const) {
    const [lookUp, started] = await start(`--name old --unlock-method=${method}`);
    assert.deepEqual(lookUp?.body, ["org.storage.stratis3.Manager.r9", "StoppedPools"]);
    assert.deepEqual(started, call("old", "name", [true, [true, slot]], noKey, false));
  }
  const stop = ["pool", "stop", "--uuid", "0c2caf64-1dde-41be-b40b-ed6911f75c74"];
  assert.deepEqual(await harness().callsOf(stop, { answers }), [
    manager("StopPool", "ss", DATA_UUID, "uuid"),
  ]);
});

test("devices are added", async () => {
  const added = ok("(bao)", [true, ["/org/storage/stratis3/98"]]);
  const answers = { AddDataDevs: added, AddCacheDevs: added, InitCache: added };
  const calls = (words: string): Promise<RecordedCall[]> => harness().callsOf(words.split(" "), { answers });
  assert.deepEqual(await calls("pool add-data data /dev/x"), [
    GMO,
    pool(DATA, "AddDataDevs", "as", ["/dev/x"]),
  ]);
  assert.deepEqual(await calls("pool add-cache data /dev/x"), [
    GMO,
    pool(DATA, "AddCacheDevs", "as", ["/dev/x"]),
  ]);
  assert.deepEqual(await calls("pool init-cache vault /dev/x"), [
    GMO,
    pool(VAULT, "InitCache", "as", ["/dev/x"]),
  ]);
});

test("extend-data grows the devices that are named, or all that have grown", async () => {
  const answers = { GrowPhysicalDevice: ok("b", true) };
  const uuid = "2".repeat(32);
  const expected = [GMO, pool(DATA, "GrowPhysicalDevice", "s", uuid)];
  assert.deepEqual(await harness().callsOf(["pool", "extend-data", "data"], { answers }), expected);
  assert.deepEqual(
    await harness().callsOf(["pool", "extend-data", "data", "--device-uuid", uuid, uuid], { answers }),
    expected,
  );
});

test("bindings, in both spellings", async () => {
  const yes = ok("b", true);
  const answers = {
    BindClevis: yes,
    BindKeyring: yes,
    RebindClevis: yes,
    RebindKeyring: yes,
    UnbindClevis: yes,
    UnbindKeyring: yes,
  };
  const any = [false, 0];
  const trusting = '{"url": "u", "stratis:tang:trust_url": true}';
  const cases: [string, string, RecordedCall][] = [
    [
      "bind nbde vault u --trust-url",
      "bind nbde --name vault u --trust-url",
      pool(VAULT, "BindClevis", "ss(bu)", "tang", trusting, any),
    ],
    [
      "bind tang vault u --thumbprint t",
      "bind tang u --name vault --thumbprint t",
      pool(VAULT, "BindClevis", "ss(bu)", "tang", '{"url": "u", "thp": "t"}', any),
    ],
    ["bind tpm2 vault", "bind tpm2 --name vault", pool(VAULT, "BindClevis", "ss(bu)", "tpm2", "{}", any)],
    ["bind keyring vault kd", "bind keyring kd --name vault", pool(VAULT, "BindKeyring", "s(bu)", "kd", any)],
    ["rebind clevis vault", "rebind clevis --name vault", pool(VAULT, "RebindClevis", "(bu)", any)],
    [
      "rebind keyring vault kd --token-slot 5",
      "rebind keyring kd --name vault --token-slot=5",
      pool(VAULT, "RebindKeyring", "s(bu)", "kd", [true, 5]),
    ],
    ["unbind clevis vault", "unbind clevis --name vault", pool(VAULT, "UnbindClevis", "(bu)", any)],
    [
      "unbind keyring vault --token-slot=0",
      "unbind keyring --name vault --token-slot=0",
      pool(VAULT, "UnbindKeyring", "(bu)", [true, 0]),
    ],
  ];
  for (const [old, now, call] of cases) {
    assert.deepEqual(await harness().callsOf(["pool", ...old.split(" ")], { answers }), [GMO, call]);
    assert.deepEqual(await harness().callsOf(["pool", "encryption", ...now.split(" ")], { answers }), [
      GMO,
      call,
    ]);
  }
});

test("encryption on, off and reencrypt", async () => {
  const answers = { EncryptPool: ok("b", true), DecryptPool: ok("b", true), ReencryptPool: ok("b", true) };
  const calls = (words: string): Promise<RecordedCall[]> =>
    harness().callsOf(["pool", "encryption", ...words.split(" ")], { answers });
  assert.deepEqual(await calls("on --name data --in-place --key-desc k"), [
    GMO,
    pool(DATA, "EncryptPool", "a((bu)s)a((bu)ss)", [[[false, 0], "k"]], []),
  ]);
  assert.deepEqual(await calls("off --name vault --in-place"), [GMO, pool(VAULT, "DecryptPool", "")]);
  assert.deepEqual(await calls("reencrypt --name vault --in-place"), [GMO, pool(VAULT, "ReencryptPool", "")]);
});

test("filesystem create makes one call for each name, once all checks have passed", async () => {
  const answers = {
    CreateFilesystems: ({ body }: RecordedCall) =>
      ok("(ba(os))", [true, [["/org/storage/stratis3/97", ((body[0] as unknown[][])[0] ?? [])[0]]]]),
  };
  const words = ["fs", "create", "data", "n1", "--size", "2TiB", "--size-limit", "3TiB"];
  assert.deepEqual(await harness().callsOf(words, { answers }), [
    GMO,
    pool(DATA, "CreateFilesystems", "a(s(bs)(bs))", [
      ["n1", [true, "2199023255552"], [true, "3298534883328"]],
    ]),
  ]);
  assert.deepEqual(await harness().callsOf(["fs", "create", "data", "n1", "n2", "n1"], { answers }), [
    GMO,
    pool(DATA, "CreateFilesystems", "a(s(bs)(bs))", [["n1", [false, ""], [false, ""]]]),
    pool(DATA, "CreateFilesystems", "a(s(bs)(bs))", [["n2", [false, ""], [false, ""]]]),
  ]);
});

test("other commands on filesystems", async () => {
  const answers = {
    DestroyFilesystems: ok("(bas)", [true, ["a", "b"]]),
    SnapshotFilesystem: ok("(bo)", [true, "/org/storage/stratis3/97"]),
    SetName: ok("(bs)", [true, ""]),
  };
  const calls = (words: string): Promise<RecordedCall[]> =>
    harness().callsOf(["fs", ...words.split(" ")], { answers });
  assert.deepEqual(await calls("destroy data www-snap www"), [
    GMO,
    pool(DATA, "DestroyFilesystems", "ao", [SNAPSHOT, WWW]),
  ]);
  assert.deepEqual(await calls("snapshot data www s2"), [
    GMO,
    pool(DATA, "SnapshotFilesystem", "os", WWW, "s2"),
  ]);
  assert.deepEqual(await calls("rename data www w"), [
    GMO,
    { path: WWW, member: "org.storage.stratis3.filesystem.r9.SetName", signature: "s", body: ["w"] },
  ]);
  assert.deepEqual(await calls("set-size-limit data www current"), [
    GMO,
    set(WWW, "filesystem", "SizeLimit", [true, TIB.toString()]),
  ]);
  assert.deepEqual(await calls("set-size-limit data www-snap 3TiB"), [
    GMO,
    set(SNAPSHOT, "filesystem", "SizeLimit", [true, "3298534883328"]),
  ]);
  assert.deepEqual(await calls("unset-size-limit data www-snap"), [
    GMO,
    set(SNAPSHOT, "filesystem", "SizeLimit", [false, ""]),
  ]);
  assert.deepEqual(await calls("schedule-revert data www"), [
    GMO,
    set(WWW, "filesystem", "MergeScheduled", true),
  ]);
  assert.deepEqual(await calls("cancel-revert data www-snap"), [
    GMO,
    set(SNAPSHOT, "filesystem", "MergeScheduled", false),
  ]);
  // Without an origin, the daemon is to explain.
  assert.deepEqual(await calls("cancel-revert data www"), [
    GMO,
    set(WWW, "filesystem", "MergeScheduled", false),
  ]);
});

test("metadata", async () => {
  const answers = { Metadata: ok("s", "{}"), FilesystemMetadata: ok("s", "{}") };
  await harness().prints(["fs", "debug", "get-metadata", "data", "--fs-name", "www", "--written"], "{}\n", {
    answers,
  });
  assert.deepEqual(harness().fake.calls, [
    GMO,
    pool(DATA, "FilesystemMetadata", "(bs)b", [true, "www"], false),
  ]);
  await harness().prints(["fs", "debug", "get-metadata", "data"], "{}\n", { answers });
  assert.deepEqual(harness().fake.calls, [GMO, pool(DATA, "FilesystemMetadata", "(bs)b", [false, ""], true)]);
  await harness().prints(["pool", "debug", "get-metadata", "--name=data"], "{}\n", { answers });
  assert.deepEqual(harness().fake.calls, [GMO, pool(DATA, "Metadata", "b", true)]);
});

test("keys and debug refresh", async () => {
  const answers = { UnsetKey: ok("b", true), RefreshState: { signature: "qs", body: [0, "Ok"] } };
  assert.deepEqual(await harness().callsOf(["key", "unset", "k1"], { answers }), [
    manager("ListKeys", ""),
    manager("UnsetKey", "s", "k1"),
  ]);
  assert.deepEqual(await harness().callsOf(["debug", "refresh"], { answers }), [manager("RefreshState", "")]);
});

test("a device that has both grown and been extended is left alone", async () => {
  const objects = sampleObjects();
  propertiesOf(objects, SDC)["NewPhysicalSize"] = variant("(bs)", [true, "107374182400"]);
  await harness().fails(
    ["pool", "extend-data", "data"],
    "None of the pool's devices seems to have increased in size",
    {
      objects,
    },
  );
});
