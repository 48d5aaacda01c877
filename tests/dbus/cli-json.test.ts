/** --json of every command, and the other options on the form of the output. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as fields from "../../cli/parser/fields";
import { useHarness, type World } from "./cli-support/harness";
import {
  DATA,
  DATA_UUID,
  ok,
  property,
  propertiesOf,
  sampleObjects,
  STOPPED_UUIDS,
  VAULT,
  VAULT_UUID,
  variant,
  WWW_UUID,
  SNAPSHOT_UUID,
} from "./cli-support/world";

const harness = useHarness();

type Document = Record<string, unknown>;
type Row = Record<string, unknown>;

const dashed = (digits: string): string =>
  digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

/** What the command prints with --json, which must be a document of version 1 and nothing else. */
async function document(words: string, world: Partial<World> = {}): Promise<Document> {
  const { code, stdout, stderr } = await harness().run([...words.split(" "), "--json"], world);
  assert.deepEqual([code, stderr], [0, ""], words);
  const { version, ...rest } = JSON.parse(stdout) as Document;
  assert.equal(version, 1, words);
  return rest;
}

async function rows(words: string, key: string): Promise<Row[]> {
  const { [key]: list, ...others } = await document(words);
  assert.deepEqual(others, {});
  assert.ok(Array.isArray(list), words);
  return list as Row[];
}

/** Every value has the form that the description of its field promises. */
function conforms(list: readonly Row[], { fields: specs }: fields.TableSpec): void {
  const types = {
    text: "string",
    uuid: "string",
    time: "string",
    size: "number",
    integer: "number",
    flag: "boolean",
  };
  for (const row of list)
    for (const [name, value] of Object.entries(row)) {
      const type = specs[name]?.type;
      assert.ok(type !== undefined, `${name} is not described`);
      if (value === null) continue;
      if (type === "words" || type === "data") assert.ok(Array.isArray(value), name);
      else assert.equal(typeof value, types[type], name);
      if (type === "uuid") assert.match(value as string, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      if (type === "time") assert.match(value as string, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*Z$/);
    }
}

test("pools", async () => {
  const list = await rows("pool list", "pools");
  conforms(list, fields.POOLS);
  const expected = {
    name: "data",
    uuid: dashed(DATA_UUID),
    total: 107374182400,
    used: 572522496,
    free: 106801659904,
    allocated: 60129542144,
    fully_allocated: true,
    metadata_version: 2,
    cache: true,
    encrypted: false,
    overprovisioning: false,
    filesystem_limit: 100,
    filesystems: 2,
    devices: 2,
    available_actions: "no_ipc_requests",
    alerts: [
      { code: "EM001", summary: "Pool state changes not possible" },
      { code: "IDS001", summary: "A device in this pool has increased in size." },
      { code: "WS001", summary: "All devices fully allocated" },
    ],
    bindings: null,
    free_token_slots: null,
    last_reencrypted: null,
  };
  assert.deepEqual(list[0], expected);
  assert.deepEqual(list[1]?.["bindings"], [
    { token_slot: 0, method: "keyring", key_description: "vaultkey" },
    {
      token_slot: 1,
      method: "clevis",
      pin: "tang",
      config: { url: "http://tang.example:8080", "stratis:tang:trust_url": true },
    },
  ]);
  assert.equal(list[1]["last_reencrypted"], "2026-05-01T08:05:09Z");
  // The same objects, whether all are listed, or one by name or UUID.
  assert.deepEqual(await rows("pool list --name data", "pools"), [expected]);
  assert.deepEqual(await rows(`pool list --uuid ${DATA_UUID}`, "pools"), [expected]);
  assert.deepEqual(await rows("pool", "pools"), list);
});

test("sizes of any magnitude are exact, and what stratisd does not tell is left out", async () => {
  const objects = sampleObjects();
  propertiesOf(objects, DATA)["TotalPhysicalSize"] = variant("s", "590295810358705651712");
  Reflect.deleteProperty(propertiesOf(objects, DATA), "NoAllocSpace");
  Reflect.deleteProperty(propertiesOf(objects, VAULT), "KeyDescriptions");
  const { stdout } = await harness().run(["pool", "list", "--json"], { objects });
  assert.match(stdout, /"total": 590295810358705651712,/);
  assert.match(stdout, /"free": 590295810358133129216,/);
  const { pools } = JSON.parse(stdout) as { pools: Row[] };
  assert.ok(!("fully_allocated" in (pools[0] ?? {})));
  assert.ok(!("bindings" in (pools[1] ?? {})));
});

test("bindings of a pool of metadata version 1", async () => {
  const objects = sampleObjects();
  const vault = propertiesOf(objects, VAULT);
  vault["MetadataVersion"] = variant("t", 1n);
  vault["KeyDescriptions"] = variant("(b(bs))", [true, [true, "old"]]);
  vault["ClevisInfos"] = variant("(b(b(ss)))", [true, [false, ["", ""]]]);
  const { pools } = (await document("pool list --name vault", { objects })) as { pools: Row[] };
  assert.deepEqual(pools[0]?.["bindings"], [{ token_slot: null, method: "keyring", key_description: "old" }]);
  vault["KeyDescriptions"] = variant("(bs)", [false, "inconsistent"]);
  const inconsistent = (await document("pool list --name vault", { objects })) as { pools: Row[] };
  assert.ok(!("bindings" in (inconsistent.pools[0] ?? {})));
});

test("stopped pools", async () => {
  const list = await rows("pool list --stopped", "stopped_pools");
  conforms(list, fields.STOPPED_POOLS);
  const [unnamed, backup] = [
    list.find(({ uuid }) => uuid === dashed(STOPPED_UUIDS.unnamed)),
    list.find(({ name }) => name === "backup"),
  ];
  assert.deepEqual(backup, {
    name: "backup",
    uuid: dashed(STOPPED_UUIDS.backup),
    metadata_version: 2,
    encrypted: true,
    key_description: true,
    clevis: false,
    devices: [
      { uuid: dashed("4".repeat(32)), device: "/dev/sdd" },
      { uuid: dashed("5".repeat(32)), device: "/dev/sde" },
    ],
  });
  // Its metadata could not be read.
  assert.deepEqual(Object.keys(unnamed ?? {}), ["uuid", "metadata_version", "devices"]);
  assert.deepEqual(await rows("pool list --stopped --name backup", "stopped_pools"), [backup]);
  const [old] = await rows("pool list --stopped --name old", "stopped_pools");
  assert.deepEqual(
    [old?.["encrypted"], old?.["key_description"], old?.["clevis"], old?.["metadata_version"]],
    [true, true, false, 1],
  );
});

test("filesystems", async () => {
  const list = await rows("filesystem list", "filesystems");
  conforms(list, fields.FILESYSTEMS);
  assert.deepEqual(
    list.map(({ pool, name }) => `${String(pool)}/${String(name)}`),
    ["data/www", "data/www-snap", "vault/漢字"],
  );
  assert.deepEqual(list[1], {
    pool: "data",
    name: "www-snap",
    uuid: dashed(SNAPSHOT_UUID),
    total: 1099511627776,
    used: 572522496,
    free: 1098939105280,
    limit: 2199023255552,
    device: "/dev/stratis/data/www-snap",
    created: "2026-02-07T14:33:20Z",
    origin: dashed(WWW_UUID),
    origin_name: "www",
    revert_scheduled: true,
  });
  assert.equal(list[0]?.["limit"], null);
  assert.equal(list[0]["origin"], null);
  assert.ok(!("used" in (list[2] ?? {})));
  assert.deepEqual(await rows("fs list data --name www-snap", "filesystems"), [list[1]]);
});

test("block devices and keys", async () => {
  const list = await rows("blockdev list data", "blockdevs");
  conforms(list, fields.BLOCKDEVS);
  assert.deepEqual(list, [
    {
      pool: "data",
      device: "/dev/nvme0n1",
      metadata_device: "/dev/mapper/x-crypt",
      size: 10737418240,
      new_size: null,
      tier: "cache",
      uuid: dashed("3".repeat(32)),
    },
    {
      pool: "data",
      device: "/dev/sdc",
      metadata_device: "/dev/sdc",
      size: 107374182400,
      new_size: 161061273600,
      tier: "data",
      uuid: dashed("2".repeat(32)),
    },
  ]);
  assert.deepEqual(await rows("key", "keys"), [{ description: "a2" }, { description: "k1" }]);
});

test("documents", async () => {
  const version = { "Get Version": property("s", "3.9.2") };
  assert.deepEqual(await document("daemon version", { answers: version }), { daemon: { version: "3.9.2" } });
  assert.deepEqual(await document("pool debug get-object-path --name data"), { object_path: DATA });
  const { alert } = (await document("pool explain WS001")) as { alert: Row };
  assert.deepEqual(Object.keys(alert), ["code", "summary", "explanation"]);
  const text = '{"b": 590295810358705651712, "a": {"2": 1, "1": 2}}';
  const answers = {
    EngineStateReport: ok("s", text),
    Metadata: ok("s", text),
    FilesystemMetadata: ok("s", text),
  };
  const { stdout } = await harness().run(["report", "--json"], { answers });
  assert.match(stdout, /"report": "engine_state_report"/);
  assert.match(stdout, /"a": \{\s+"1": 2,\s+"2": 1\s+\},\s+"b": 590295810358705651712/);
  const unsorted = await harness().run(["report", "--json", "--no-sort-keys"], { answers });
  assert.match(unsorted.stdout, /"b": 590295810358705651712,\s+"a"/);
  assert.ok("metadata" in (await document("pool debug get-metadata --name data", { answers })));
  assert.ok("metadata" in (await document("fs debug get-metadata data", { answers })));
  const objects = (await document("report managed_objects_report")) as { contents: Record<string, Row> };
  const pool = objects.contents[VAULT]?.["org.storage.stratis3.pool.r9"] as Row;
  assert.equal(pool["Encrypted"], true);
  assert.equal(pool["Uuid"], VAULT_UUID);
});

test("errors are documents on standard error, and standard output stays empty", async () => {
  const failure = async (words: string, world: Partial<World> = {}): Promise<Row> => {
    const { code, stdout, stderr } = await harness().run([...words.split(" "), "--json"], world);
    assert.deepEqual([code, stdout], [1, ""], words);
    const { version, error } = JSON.parse(stderr) as { version: number; error: Row };
    assert.equal(version, 1);
    assert.equal(typeof error["message"], "string");
    return error;
  };
  assert.equal((await failure("pool list --name nope"))["kind"], "not_found");
  assert.equal((await failure("pool create data /dev/x"))["kind"], "unintended_command");
  const effect = await failure("fs create data www new");
  assert.deepEqual(
    [effect["kind"], effect["would_change"], effect["unchanged"]],
    ["no_effect", ["new"], ["www"]],
  );
  const refused = { DestroyPool: { signature: "(bs)qs", body: [[false, ""], 1, "busy"] } };
  assert.equal((await failure("pool destroy data", { answers: refused }))["kind"], "engine");
  const dbus = await failure("pool stop --name data");
  assert.deepEqual([dbus["kind"], dbus["dbus_error"]], ["dbus", "org.freedesktop.DBus.Error.UnknownMethod"]);
});

test("columns, bytes and no header", async () => {
  await harness().prints(
    ["pool", "list", "--columns", "name,used,alerts"],
    [
      "Name        Used   Alerts              ",
      "data     546 MiB   EM001, IDS001, WS001",
      "vault   1.24 GiB                       ",
      "",
    ].join("\n"),
  );
  await harness().prints(
    ["blockdev", "list", "vault", "--no-header", "--bytes"],
    `vault   /dev/sdb   2198989701120   DATA   ${dashed("1".repeat(32))}\n`,
  );
  await harness().prints(
    ["fs", "list", "data", "--no-header", "--bytes", "--columns=name,limit,origin_name"],
    "www                 None   None\nwww-snap   2199023255552   www \n",
  );
  const detail = await harness().run(["pool", "list", "--name=data", "--bytes"]);
  assert.match(detail.stdout, /^ {4}Size: 107374182400\n {4}Allocated: 60129542144\n {4}Used: 572522496$/m);
  const one = await harness().run(["pool", "list", "--name=data", "--columns=name", "--no-header"]);
  assert.equal(one.stdout, "data\n");
  const { pools } = (await document("pool list --columns name,total")) as { pools: Row[] };
  assert.deepEqual(pools[0], { name: "data", total: 107374182400 });
});

test("columns that a table does not have are a wrong command line", async () => {
  for (const words of [
    "pool list --columns nope",
    "pool list --columns name,devices,clevis",
    "pool list --stopped --columns total",
    "fs --columns size",
  ]) {
    const { code, stdout, stderr } = await harness().run(words.split(" "));
    assert.deepEqual([code, stdout], [2, ""], words);
    assert.match(
      stderr,
      /error: argument --columns: invalid column: '\w+' \(choose from name|\(choose from pool/,
    );
  }
});
