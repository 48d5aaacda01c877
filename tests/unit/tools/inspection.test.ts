import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DiskFormatError } from "../../../src/disk/errors";
import { parsePoolRecord } from "../../../src/disk/pool-record";
import { findingsOf, inspectionText } from "../../../src/tools/inspection";
import { ToolError } from "../../../src/tools/tool";
import { damagedText } from "../disk/damage";
import { RECORD_V1, RECORD_V2, RECORD_V2_CACHE, RECORD_V2_ENCRYPTED } from "../disk/vectors";
import { goldenPool } from "../engine/real/pools";

const findings = (json: string): string[] => findingsOf(parsePoolRecord(json));

/** The text with one part replaced, which must occur. */
function changed(json: string, from: string, to: string): string {
  assert.ok(json.includes(from), from);
  return json.replace(from, to);
}

const DEVICE = "Device 5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f: ";

test("records of good pools have no findings", () => {
  for (const json of [RECORD_V2, RECORD_V2_CACHE, RECORD_V2_ENCRYPTED]) assert.deepEqual(findings(json), []);
  for (const disk of [
    "v2_plain-disk1",
    "v2_two-disk1",
    "v2_cache-disk1",
    "v2_key_tang-disk1",
    "v2_stopped-disk1",
  ])
    assert.deepEqual(findingsOf(goldenPool(disk).record), [], disk);
});

test("every kind of finding", () => {
  const rows: [from: string, to: string, finding: string][] = [
    [
      "[[20381688,589832]]",
      "[[20381688,589831]]",
      `${DEVICE}589831 sectors at sector 20381688 for integrity_metadata are not`,
    ],
    [
      '"start":8192,"length":20371456',
      '"start":8191,"length":20371457',
      `${DEVICE}20371457 sectors at sector 8191 for allocated overlap`,
    ],
    [
      "[[20381688,589832]]",
      "[[20371456,589832]]",
      `${DEVICE}589832 sectors at sector 20371456 for integrity_metadata overlap`,
    ],
    [
      '"tag_spec":"512b","journal_size":262144,"block_size":4096,"allocate_superblock":true',
      '"tag_spec":"0b","journal_size":0,"block_size":4096,"allocate_superblock":false',
      `${DEVICE}589832 sectors are kept for integrity_metadata where`,
    ],
    ['"crypt_meta_allocs":[[0,34816]]', '"crypt_meta_allocs":[]', "No allocations for crypt metadata"],
    ["[[0,34816]]", "[[0,34816],[34816,8]]", "There are 2 allocations for crypt metadata instead of one"],
    ["[[0,34816]]", "[[8,34816]]", "Crypt metadata has 34816 sectors at sector 8 instead of"],
    ["[[0,34816]]", "[[0,34808]]", "Crypt metadata has 34808 sectors at sector 0 instead of"],
    ['"allocs":[[34816,12288],', '"allocs":[[34815,12288],', "Cap device: 12288 sectors at sector 34815"],
    [
      '"thin_meta_dev":[[34816,12288]]',
      '"thin_meta_dev":[[34816,12280]]',
      "The thin metadata device has 12280 sectors, but its spare has 12288",
    ],
    [
      '"thin_data_dev":[[59392,19263488]]',
      '"thin_data_dev":[[59391,19263488]]',
      "Flex devices: 19263488 sectors at sector 59391",
    ],
    // Not contradictory by itself, but no pool can be set up from it.
    ["[19322880,1048576]]", "[19322880,1048575]]", 'The metadata of pool "p1" is inconsistent'],
  ];
  for (const [from, to, finding] of rows) {
    const found = findings(changed(RECORD_V2, from, to));
    assert.ok(
      found.some((text) => text.startsWith(finding)),
      `"${finding}" is not in:\n${found.join("\n")}`,
    );
  }
});

test("an encrypted cap device begins at 0", () => {
  const features = '"features":["Encryption","KeyDescriptionEnabled"],';
  const [first = "", ...more] = findings(changed(RECORD_V2_ENCRYPTED, features, ""));
  assert.match(first, /^Cap device: 12288 sectors at sector 0 .* extends to sector 34816$/);
  assert.ok(more.length > 0);
});

test("a cache device whose parts overlap", () => {
  const json = changed(RECORD_V2_CACHE, '"start":1056768', '"start":1056767');
  assert.match(
    findings(json)[0] ?? "",
    /^Device 7c0a4d52-.*: 7331840 sectors at sector 1056767 for cache_data overlap/,
  );
});

test("metadata of version 1 is not taken for good metadata of version 2", () => {
  assert.match(findings(RECORD_V1)[0] ?? "", /^No allocations for crypt metadata/);
});

test("records without a meaning", () => {
  const uuid = "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f";
  const dev = `{"uuid":"${uuid}","integrity_meta_allocs":[[20381688,589832]]}`;
  const rows: [from: string, to: string, message: RegExp][] = [
    [dev, `${dev},${dev}`, /^Two devices with same UUID 5e1f4c3a-/],
    [
      `"parent":"${uuid}"`,
      '"parent":"7c0a4d52-3b1e-4f86-a9d7-0e5f6c7b8a91"',
      /are on device 7c0a4d52-.*, which is not in/,
    ],
    [
      "[47104,12288]",
      "[34816,12288]",
      /^Key collision: 34816 sectors already in extents table of the cap device/,
    ],
  ];
  for (const [from, to, message] of rows) {
    const record = parsePoolRecord(changed(RECORD_V2, from, to));
    for (const inspect of [findingsOf, inspectionText])
      assert.throws(
        () => inspect(record),
        (error) => error instanceof ToolError && message.test(error.message),
      );
  }
});

test("a pool for people to read", () => {
  assert.equal(
    inspectionText(goldenPool("v2_plain-disk1").record),
    `Thinpool specification:
    Data block size: 2048 sectors
    Feature Args:
        error_if_no_space
        no_discard_passdown
        skip_block_zeroing
    Filesystem limit: 100
    Overprovisioning enabled: true

Integrity specification for data devices:
Allocate Superblock: true
Tag Specification: 512b
Journal Size: 262144 sectors
Block Size: 4096 bytes


Allocations from each data device:
Data device: ad5336f2-0ed7-43f4-8d9b-0f2a7ef80cb0
0: Use: stratis_metadata                0 +         8192 =         8192 sectors
1: Use: allocated                    8192 +     12113920 =     12122112 sectors
2: Use: unused                   12122112 +         2040 =     12124152 sectors
3: Use: integrity_metadata       12124152 +       458760 =     12582912 sectors


Allocations from each cache device:

Allocations for crypt metadata:
0: Use: metadata                        0 +        34816 =        34816 sectors

Allocations from cap device:
0: Use: allocated                   34816 +        10240 =        45056 sectors
1: Use: allocated                   45056 +        10240 =        55296 sectors
2: Use: allocated                   55296 +     11010048 =     11065344 sectors
3: Use: allocated                11065344 +      1048576 =     12113920 sectors


Allocations from flex device:
0: Use: thin_meta_dev               34816 +        10240 =        45056 sectors
1: Use: thin_meta_dev_spare         45056 +        10240 =        55296 sectors
2: Use: thin_data_dev               55296 +     11010048 =     11065344 sectors
3: Use: meta_dev                 11065344 +      1048576 =     12113920 sectors
`,
  );
});

test("the parts of a cache device are called what they are", () => {
  const text = inspectionText(goldenPool("v2_cache-disk1").record);
  assert.match(text, /\nCache device: 55657daf-1214-4512-b695-9095d3da3700\n0: Use: stratis_metadata /);
  assert.match(text, /\n1: Use: cache_metadata +8192 \+ +1048576 = /);
  assert.match(text, /\n2: Use: cache_data +1056768 \+ +11526144 = /);
});

test("what an old release did not record", () => {
  const old = changed(
    RECORD_V1,
    ',"feature_args":["no_discard_passdown","skip_block_zeroing"],"fs_limit":100,"enable_overprov":true',
    "",
  );
  const text = inspectionText(parsePoolRecord(old));
  assert.match(
    text,
    / {4}Feature Args:\n {4}Filesystem limit: none\n {4}Overprovisioning enabled: N\/A\n\nIntegrity/,
  );
  assert.match(text, /for data devices:\nNone\n\nAllocations from/);
});

test("terminals get no control characters", () => {
  const text = inspectionText(
    parsePoolRecord(changed(RECORD_V2, "no_discard_passdown", "\\u001b[2J\\u009b2J")),
  );
  assert.ok(text.includes("        \\u001b[2J\\u009b2J\n"), text);
});

test("whatever a record says: findings, text, or a ToolError", () => {
  const words = [
    "0",
    "1",
    "34816",
    "18446744073709551615",
    "[",
    "]",
    "null",
    "true",
    '"Encryption"',
    '"512b"',
  ];
  fc.assert(
    fc.property(damagedText([RECORD_V2, RECORD_V2_CACHE], words, /(?=[{}[\],:])/), (text) => {
      let record;
      try {
        record = parsePoolRecord(text);
      } catch (error) {
        assert.ok(error instanceof DiskFormatError);
        return;
      }
      for (const inspect of [findingsOf, inspectionText])
        try {
          inspect(record);
        } catch (error) {
          assert.ok(error instanceof ToolError, `threw ${String(error)}`);
        }
    }),
  );
});
