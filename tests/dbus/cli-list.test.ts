/** What the commands that show something print: the samples of cli.md §12, byte for byte, and their variations. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { useHarness } from "./cli-support/harness";
import {
  DATA,
  DATA_UUID,
  ok,
  property,
  propertiesOf,
  sampleObjects,
  SDC,
  SNAPSHOT,
  STOPPED_UUIDS,
  stopped,
  stoppedPools,
  variant,
  VAULT,
  VAULT_UUID,
  WWW,
  WWW_UUID,
  type Objects,
} from "./cli-support/world";

const harness = useHarness();

const lines = (...texts: string[]): string => texts.map((text) => `${text}\n`).join("");

/** The sample after `change`. */
function changed(path: string, change: (properties: Record<string, unknown>) => void): { objects: Objects } {
  const objects = sampleObjects();
  change(propertiesOf(objects, path));
  return { objects };
}

const without = (path: string, ...names: string[]): { objects: Objects } =>
  changed(path, (properties) => {
    for (const name of names) Reflect.deleteProperty(properties, name);
  });

test("pool list", async () => {
  await harness().prints(
    ["pool", "list"],
    lines(
      "Name               Total / Used / Free        Properties                                   UUID   Alerts              ",
      "data     100 GiB / 546 MiB / 99.47 GiB   ~Le, Ca,~Cr,~Op   0c2caf64-1dde-41be-b40b-ed6911f75c74   EM001, IDS001, WS001",
      "vault   2.00 TiB / 1.24 GiB / 2.00 TiB   ~Le,~Ca, Cr, Op   9f6cbd1f-0d4e-4a2e-a9a8-4b1a7a3b1234                       ",
    ),
  );
});

test("pool list with unknown properties, and without hyphens", async () => {
  const world = without(
    VAULT,
    "MetadataVersion",
    "HasCache",
    "Overprovisioning",
    "TotalPhysicalUsed",
    "Encrypted",
    "AvailableActions",
    "NoAllocSpace",
  );
  Reflect.deleteProperty(world.objects, DATA);
  await harness().prints(
    ["--unhyphenated-uuids", "pool"],
    lines(
      "Name     Total / Used / Free   Properties                               UUID   Alerts",
      `vault   2.00 TiB / ??? / ???      ?,?,?,?   ${VAULT_UUID}   WC002 `,
    ),
    world,
  );
});

test("pool list without pools is a header", async () => {
  await harness().prints(["pool", "list"], "Name   Total / Used / Free   Properties   UUID   Alerts\n", {
    objects: {},
  });
});

test("a device without sizes and an action that is not known raise no alerts", async () => {
  const { objects } = without(SDC, "NewPhysicalSize");
  propertiesOf(objects, DATA)["AvailableActions"] = variant("s", "something_new");
  const { stdout, code } = await harness().run(["pool", "list"], { objects });
  assert.equal(code, 0);
  assert.match(stdout, /^data .* WS001 *$/m);
  const detail = await harness().run(["pool", "list", "--name=data"], { objects });
  assert.match(detail.stdout, /^Alerts: 1\n {5}WS001: All devices fully allocated\n/m);
  assert.match(detail.stdout, /^Actions Allowed: \?\?\?$/m);
});

test("pool list of one encrypted pool", async () => {
  const expected = lines(
    "UUID: 9f6cbd1f-0d4e-4a2e-a9a8-4b1a7a3b1234",
    "Name: vault",
    "Alerts: 0",
    "Metadata Version: 2",
    "Actions Allowed: fully_operational",
    "Cache: No",
    "Filesystem Limit: 100",
    "Allows Overprovisioning: Yes",
    "Encryption Enabled: Yes",
    "    Last Time Reencrypted: May 01 2026 10:05",
    "    Free Token Slots Remaining: 13",
    "    Token Slot: 0",
    "        Key Description: vaultkey",
    "    Token Slot: 1",
    "        Clevis Pin: tang",
    "        Clevis Configuration: {'url': 'http://tang.example:8080', 'stratis:tang:trust_url': True}",
    "Fully Allocated: No",
    "    Size: 2.00 TiB",
    "    Allocated: 56 GiB",
    "    Used: 1.24 GiB",
  );
  await harness().prints(["pool", "list", "--name", "vault"], expected);
  await harness().prints(["pool", "list", "--uuid", VAULT_UUID], expected);
});

test("pool list of one pool with alerts", async () => {
  await harness().prints(
    ["pool", "list", "--name", "data"],
    lines(
      "UUID: 0c2caf64-1dde-41be-b40b-ed6911f75c74",
      "Name: data",
      "Alerts: 3",
      "     EM001: Pool state changes not possible",
      "     IDS001: A device in this pool has increased in size.",
      "     WS001: All devices fully allocated",
      "Metadata Version: 2",
      "Actions Allowed: no_ipc_requests",
      "Cache: Yes",
      "Filesystem Limit: 100",
      "Allows Overprovisioning: No",
      "Encryption Enabled: No",
      "Fully Allocated: Yes",
      "    Size: 100 GiB",
      "    Allocated: 56 GiB",
      "    Used: 546 MiB",
    ),
  );
});

test("encryption of a pool of metadata version 1", async () => {
  const encryption = async (key: unknown, clevis: unknown): Promise<string[]> => {
    const world = changed(VAULT, (properties) => {
      properties["MetadataVersion"] = variant("t", 1n);
      properties["VolumeKeyLoaded"] = variant("b", false);
      properties["LastReencryptedTimestamp"] = variant("(bs)", [false, ""]);
      properties["KeyDescriptions"] = variant("(b(bs))", key);
      properties["ClevisInfos"] = variant("(b(b(ss)))", clevis);
    });
    const { stdout } = await harness().run(["pool", "list", "--name=vault"], world);
    const all = stdout.split("\n");
    return all.slice(all.indexOf("Encryption Enabled: Yes") + 1, all.indexOf("Fully Allocated: No"));
  };
  assert.deepEqual(
    await encryption(
      [true, [true, "k"]],
      [true, [true, ["tang", '{"url":"u","thp":"t","stratis:tang:trust_url":true}']]],
    ),
    [
      "    Last Time Reencrypted: Never",
      "    Key Description: k",
      "    Clevis Configuration: tang   url: u thp: t stratis:tang:trust_url: True",
    ],
  );
  assert.deepEqual(await encryption([false, [false, ""]], [true, [false, ["", ""]]]), [
    "    Last Time Reencrypted: Never",
    "    Key Description: inconsistent",
    "    Clevis Configuration: N/A",
  ]);
});

test("a pool of metadata version 2 without bindings, or with facts that are not known", async () => {
  const none = await harness().run(
    ["pool", "list", "--name=vault"],
    without(VAULT, "KeyDescriptions", "ClevisInfos", "FreeTokenSlots", "LastReencryptedTimestamp", "FsLimit"),
  );
  assert.ok(
    none.stdout.includes(
      lines(
        "    Last Time Reencrypted: ???",
        "    Free Token Slots Remaining: ???",
        "    No token slot information available",
        "Fully Allocated: No",
      ),
    ),
  );
  assert.match(none.stdout, /^Filesystem Limit: \?\?\?$/m);
  const unknown = await harness().run(["pool", "list", "--name=vault"], without(VAULT, "MetadataVersion"));
  assert.match(unknown.stdout, /Last Time Reencrypted: May 01 2026 10:05\nFully Allocated: No/);
});

test("alerts about the volume key, and about a pool that can not be maintained", async () => {
  const alerts = async (change: (properties: Record<string, unknown>) => void): Promise<string[]> => {
    const { stdout } = await harness().run(["pool", "list", "--name=vault"], changed(VAULT, change));
    return stdout.split("\n").filter((line) => /^ {5}\w/.test(line));
  };
  assert.deepEqual(await alerts((pool) => (pool["VolumeKeyLoaded"] = variant("b", false))), [
    "     WC001: Volume key not loaded",
  ]);
  assert.deepEqual(await alerts((pool) => (pool["VolumeKeyLoaded"] = variant("s", "no keyring"))), [
    "     WC002: Volume key status unknown",
  ]);
  assert.deepEqual(await alerts((pool) => (pool["AvailableActions"] = variant("s", "no_pool_changes"))), [
    "     EM001: Pool state changes not possible",
    "     EM002: Pool maintenance operations not possible",
  ]);
});

test("pool list --stopped", async () => {
  await harness().prints(
    ["pool", "list", "--stopped"],
    lines(
      "Name            Version   UUID                                   # Devices   Key Description   Clevis       ",
      "<UNAVAILABLE>         2   bbbbbbbb-bbbb-4bbb-bbbb-bbbbbbbbbbbb           1   <UNKNOWN>         <UNKNOWN>    ",
      "backup                2   aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa           2   <PRESENT>         N/A          ",
      "old                   1   cccccccc-cccc-4ccc-cccc-cccccccccccc           1   oldkey            N/A          ",
      "plain                 2   dddddddd-dddd-4ddd-dddd-dddddddddddd           1   <UNENCRYPTED>     <UNENCRYPTED>",
    ),
  );
});

test("pool list --stopped of one pool", async () => {
  await harness().prints(
    ["pool", "list", "--stopped", "--name", "backup"],
    lines(
      "UUID: aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaaaaa",
      "Name: backup",
      "Metadata Version: 2",
      "Encryption Enabled: Yes",
      "    Allows Unlock via a Key in Kernel Keyring or a User-Entered Passphrase: Yes",
      "    Allows Unattended Unlock via Clevis: No",
      "Devices:",
      "44444444-4444-4444-4444-444444444444  /dev/sdd",
      "55555555-5555-5555-5555-555555555555  /dev/sde",
    ),
  );
  await harness().prints(
    ["pool", "list", "--stopped", "--uuid", STOPPED_UUIDS.old],
    lines(
      "UUID: cccccccc-cccc-4ccc-cccc-cccccccccccc",
      "Name: old",
      "Metadata Version: 1",
      "Encryption Enabled: Yes",
      "    Key Description: oldkey",
      "    Clevis Configuration: N/A",
      "Devices:",
      "77777777-7777-7777-7777-777777777777  /dev/sdg",
    ),
  );
});

test("a stopped pool of mixed version, with keys that differ", async () => {
  const pools = stoppedPools();
  const old = pools[STOPPED_UUIDS.old];
  assert.ok(old !== undefined);
  old["metadata_version"] = variant("(bi)", [false, 0]);
  old["key_description"] = variant("(bv)", [false, variant("s", "differs")]);
  old["clevis_info"] = variant("(bv)", [true, variant("(b(ss))", [true, ["tpm2", "{}"]])]);
  const world = { answers: { "Get StoppedPools": stopped({ [STOPPED_UUIDS.old]: old }) } };
  await harness().prints(
    ["pool", "list", "--stopped"],
    lines(
      "Name   Version   UUID                                   # Devices   Key Description   Clevis ",
      "old    <MIXED>   cccccccc-cccc-4ccc-cccc-cccccccccccc           1   inconsistent      present",
    ),
    world,
  );
  const { stdout } = await harness().run(["pool", "list", "--stopped", "--name=old"], world);
  assert.match(stdout, /^Metadata Version: <MIXED>\nEncryption Enabled: <UNAVAILABLE>\nDevices:$/m);
});

test("unknown features of stopped pools fail only when that is asked for", async () => {
  const pools = stoppedPools();
  const { plain } = STOPPED_UUIDS;
  const entry = pools[plain];
  assert.ok(entry !== undefined);
  entry["features"] = variant("(ba{sb})", [true, { quantum: true }]);
  const world = { answers: { "Get StoppedPools": stopped(pools) } };
  assert.equal((await harness().run(["pool", "list", "--stopped"], world)).code, 0);
  const strict = await harness().run(["pool", "list", "--stopped"], world, {
    STRATIS_STRICT_POOL_FEATURES: "1",
  });
  assert.equal(strict.code, 1);
  assert.match(strict.stderr, /quantum/);
});

test("filesystem list", async () => {
  const header =
    "Pool    Filesystem   Total / Used / Free / Limit             Device                       UUID                                ";
  await harness().prints(
    ["fs", "list"],
    lines(
      header,
      "data    www          1 TiB / 546 MiB / 1023.47 GiB / None    /dev/stratis/data/www        17101e39-e72e-423c-90d8-be5cb37c055b",
      "data    www-snap     1 TiB / 546 MiB / 1023.47 GiB / 2 TiB   /dev/stratis/data/www-snap   3bf22806-a6df-4660-aa52-7d646209595f",
      "vault   漢字         1 TiB / ??? / ??? / None                /dev/stratis/vault/漢字      4ecacb15-fb64-4531-91d7-da731c5f1601",
    ),
  );
  const { stdout } = await harness().run(["filesystem", "list", "vault"]);
  assert.deepEqual(
    stdout.split("\n").map((line) => line.split(/\s+/)[1]),
    ["Filesystem", "漢字", undefined],
  );
});

test("filesystem list of one filesystem", async () => {
  await harness().prints(
    ["filesystem", "list", "data", "--name", "www-snap"],
    lines(
      "UUID: 3bf22806-a6df-4660-aa52-7d646209595f",
      "Name: www-snap",
      "Pool: data",
      "",
      "Device: /dev/stratis/data/www-snap",
      "",
      "Created: Feb 07 2026 15:33",
      "",
      "Snapshot origin: 17101e39-e72e-423c-90d8-be5cb37c055b",
      "    Revert scheduled: Yes",
      "",
      "Sizes:",
      "  Logical size of thin device: 1 TiB",
      "  Total used (including XFS metadata): 546 MiB",
      "  Free: 1023.47 GiB",
      "",
      "  Size Limit: 2 TiB",
    ),
  );
  const plain = await harness().run(["fs", "list", "data", `--uuid=${WWW_UUID}`]);
  assert.match(plain.stdout, /^Snapshot origin: None\n\nSizes:$/m);
  assert.match(plain.stdout, /^ {2}Size Limit: None$/m);
  const unknown = await harness().run(
    ["fs", "list", "data", "--name=www"],
    without(WWW, "Origin", "SizeLimit", "Created", "Devnode"),
  );
  assert.match(unknown.stdout, /^Device: \?\?\?\n\nCreated: \?\?\?\n\nSnapshot origin: \?\?\?\n\nSizes:$/m);
  assert.match(unknown.stdout, /^ {2}Size Limit: \?\?\?$/m);
  const merge = await harness().run(
    ["fs", "list", "data", "--name=www-snap"],
    without(SNAPSHOT, "MergeScheduled"),
  );
  assert.match(merge.stdout, /^ {4}Revert scheduled: \?\?\?$/m);
});

test("blockdev list", async () => {
  await harness().prints(
    ["blockdev"],
    lines(
      "Pool Name   Device Node                              Physical Size    Tier   UUID                                ",
      "data        /dev/nvme0n1 (/dev/mapper/x-crypt)              10 GiB   CACHE   33333333-3333-3333-3333-333333333333",
      "data        /dev/sdc                             100 GiB (150 GiB)    DATA   22222222-2222-2222-2222-222222222222",
      "vault       /dev/sdb                                      2.00 TiB    DATA   11111111-1111-1111-1111-111111111111",
    ),
  );
  const { stdout } = await harness().run(
    ["blockdev", "list", "data"],
    without(SDC, "NewPhysicalSize", "Tier"),
  );
  assert.match(stdout, /^data +\/dev\/sdc +100 GiB \(\?\?\?\) +\?\?\? /m);
  assert.doesNotMatch(stdout, /vault/);
});

test("key list", async () => {
  await harness().prints(["key", "list"], "Key Description\na2             \nk1             \n");
  await harness().prints(["key"], "Key Description\n", { answers: { ListKeys: ok("as", []) } });
});

test("reports are printed as Python prints JSON", async () => {
  const text = '{"pools":[{"name":"p","10":1,"2":18446744073709551616}],"hosts":"\u6f22"}';
  const answers = { EngineStateReport: ok("s", text), GetReport: ok("s", '{"stopped":{}}') };
  const sorted = `{
    "hosts": "\\u6f22",
    "pools": [
        {
            "10": 1,
            "2": 18446744073709551616,
            "name": "p"
        }
    ]
}
`;
  await harness().prints(["report"], sorted, { answers });
  await harness().prints(["report", "engine_state_report"], sorted, { answers });
  const { stdout } = await harness().run(["report", "--no-sort-keys"], { answers });
  assert.match(stdout, /"pools"[^]*"name"[^]*"10"[^]*"2"[^]*"hosts"/);
  await harness().prints(["report", "stopped_pools"], '{\n    "stopped": {}\n}\n', { answers });
  assert.deepEqual(harness().fake.calls, [
    {
      path: "/org/storage/stratis3",
      member: "org.storage.stratis3.Report.r9.GetReport",
      signature: "s",
      body: ["stopped_pools"],
    },
  ]);
});

test("the managed objects report has booleans as numbers", async () => {
  const objects = {
    [DATA]: {
      "org.storage.stratis3.pool.r9": {
        Name: variant("s", "d"),
        HasCache: variant("b", true),
        FsLimit: variant("t", 1n << 60n),
        FreeTokenSlots: variant("(by)", [false, 3]),
      },
    },
  };
  await harness().prints(
    ["report", "managed_objects_report"],
    `{
    "${DATA}": {
        "org.storage.stratis3.pool.r9": {
            "FreeTokenSlots": [
                0,
                3
            ],
            "FsLimit": 1152921504606846976,
            "HasCache": 1,
            "Name": "d"
        }
    }
}
`,
    { objects },
  );
});

test("metadata is printed as received, or indented and sorted", async () => {
  const answers = { Metadata: ok("s", '{"b":{"1":[]},"a":1}'), FilesystemMetadata: ok("s", "{}") };
  await harness().prints(["pool", "debug", "get-metadata", "--name=data"], '{"b": {"1": []}, "a": 1}\n', {
    answers,
  });
  await harness().prints(
    ["pool", "debug", "get-metadata", "--name=data", "--pretty"],
    '{\n    "a": 1,\n    "b": {\n        "1": []\n    }\n}\n',
    { answers },
  );
  await harness().prints(["fs", "debug", "get-metadata", "data", "--fs-name=zz"], "{}\n", { answers });
});

test("object paths", async () => {
  await harness().prints(["pool", "debug", "get-object-path", "--uuid", DATA_UUID], `${DATA}\n`);
  await harness().prints(["fs", "debug", "get-object-path", "--name", "www"], `${WWW}\n`);
  await harness().prints(["blockdev", "debug", "get-object-path", `--uuid=${"2".repeat(32)}`], `${SDC}\n`);
  await harness().prints(["blockdev", "debug", "get-object-path", "--name=/dev/sdc"], `${SDC}\n`);
  const twice = changed(WWW, (properties) => (properties["Name"] = variant("s", "漢字")));
  await harness().fails(
    ["fs", "debug", "get-object-path", "--name", "漢字"],
    "in the pools ['vault', 'data']",
    twice,
  );
});

test("daemon version", async () => {
  const answers = { "Get Version": property("s", "3.9.2") };
  await harness().prints(["daemon", "version"], "3.9.2\n", { answers });
});
