import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  encodeFilesystemRecord,
  filesystemRecordJson,
  parseFilesystemRecord,
  type FilesystemRecord,
} from "../../../src/disk/filesystem-record";
import { printJson } from "../../../src/disk/json";
import { sectors } from "../../../src/units";
import { filesystemUuid } from "../../../src/uuid";
import { damagedText } from "./damage";
import { formatError, gunzipFixture, valueOrFormatError } from "./vectors";

/** on-disk-format.md §18.7 */
const FILESYSTEM =
  '{"name":"fs1","uuid":"c1d2e3f4-0516-4a7b-8c9d-0a1b2c3d4e5f","thin_id":0,"size":2147483648,' +
  '"created":1748779300,"merge":false}';
const SNAPSHOT =
  '{"name":"sn1","uuid":"c1d2e3f4-0516-4a7b-8c9d-0a1b2c3d4e60","thin_id":1,"size":2147483648,' +
  '"created":1748779400,"fs_size_limit":4294967296,"origin":"c1d2e3f4-0516-4a7b-8c9d-0a1b2c3d4e5f","merge":true}';

test("the worked examples, both ways", () => {
  for (const example of [FILESYSTEM, SNAPSHOT])
    assert.equal(encodeFilesystemRecord(parseFilesystemRecord(example)), example);
  assert.deepEqual(parseFilesystemRecord(SNAPSHOT), {
    name: "sn1",
    uuid: filesystemUuid("c1d2e3f4-0516-4a7b-8c9d-0a1b2c3d4e60"),
    thinId: 1,
    size: sectors(2_147_483_648n),
    created: 1_748_779_400n,
    sizeLimit: sectors(4_294_967_296n),
    origin: filesystemUuid("c1d2e3f4-0516-4a7b-8c9d-0a1b2c3d4e5f"),
    merge: true,
  } satisfies FilesystemRecord);
});

test("records that stratisd 3.9.2 wrote encode to the same bytes", () => {
  let count = 0;
  for (const pool of ["v1_plain", "v2_plain", "v2_stopped"]) {
    // Blocks of the metadata volume, each with its offset in front: the record files are among them.
    const blocks = gunzipFixture(`xfs/mdv-${pool}.blocks.gz`).toString("latin1");
    for (const [text] of blocks.matchAll(/\{"name":"[^}]*\}/g)) {
      assert.equal(encodeFilesystemRecord(parseFilesystemRecord(text)), text);
      count += 1;
    }
  }
  assert.ok(count >= 12, `${count} records`);
});

test("older records, nulls, other forms of UUIDs, bytes instead of text", () => {
  const old = FILESYSTEM.replace(',"merge":false', "");
  assert.equal(encodeFilesystemRecord(parseFilesystemRecord(old)), FILESYSTEM);
  const nulls = FILESYSTEM.replace('"merge"', '"fs_size_limit":null,"origin":null,"merge"');
  assert.equal(encodeFilesystemRecord(parseFilesystemRecord(nulls)), FILESYSTEM);
  const simple = FILESYSTEM.replace(
    "c1d2e3f4-0516-4a7b-8c9d-0a1b2c3d4e5f",
    "{C1D2E3F4-0516-4A7B-8C9D-0A1B2C3D4E5F}",
  );
  assert.equal(encodeFilesystemRecord(parseFilesystemRecord(simple)), FILESYSTEM);
  assert.equal(encodeFilesystemRecord(parseFilesystemRecord(Buffer.from(SNAPSHOT))), SNAPSHOT);
});

test("refused, with the reason", () => {
  const cases: [string, string, RegExp][] = [
    ['"name":"fs1",', "", /"name" is missing/],
    ['"fs1"', '"a/b"', /can't be a name/],
    ['"thin_id":0', '"thin_id":16777216', /thin_id: expected an integer from 0 to 16777215/],
    ['"thin_id":0', '"thin_id":0.0', /thin_id/],
    ['"size":2147483648', '"size":18446744073709551616', /size/],
    ['"created":1748779300', '"created":-1', /created/],
    ['"created":1748779300', '"created":8210266876800', /created/],
    ['"merge":false', '"merge":null', /merge: expected true or false, found null/],
    ['"merge":false', '"merge":false,"origin":"x"', /origin: expected a UUID/],
  ];
  for (const [from, to, message] of cases) {
    assert.ok(FILESYSTEM.includes(from));
    assert.throws(() => parseFilesystemRecord(FILESYSTEM.replace(from, to)), formatError(message), to);
  }
  assert.throws(() => parseFilesystemRecord(""), formatError(/Filesystem metadata/));
});

const anyRecord: fc.Arbitrary<FilesystemRecord> = fc.record(
  {
    name: fc.constantFrom("a", "fs 1", "日本"),
    uuid: fc.uuid().map(filesystemUuid),
    thinId: fc.integer({ min: 0, max: 2 ** 24 - 1 }),
    size: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(sectors),
    created: fc.bigInt({ min: 0n, max: 8_210_266_876_799n }),
    sizeLimit: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(sectors)),
    origin: fc.option(fc.uuid().map(filesystemUuid)),
    merge: fc.boolean(),
  },
  { noNullPrototype: true },
);

test("every record survives encoding", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const text = encodeFilesystemRecord(record);
      assert.deepEqual(parseFilesystemRecord(text), record);
      assert.equal(printJson(filesystemRecordJson(record)), text);
    }),
  );
});

test("any input gives a record or a DiskFormatError", () => {
  const words = ["null", "{}", "[]", "-1", "1.5", "18446744073709551616", '"x"', "true", "", ","];
  fc.assert(
    fc.property(damagedText([FILESYSTEM, SNAPSHOT], words, /([{},:])/), (text) => {
      valueOrFormatError(() => parseFilesystemRecord(text));
    }),
    { numRuns: 1000 },
  );
});
