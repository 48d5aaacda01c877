import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  checkPoolRecord,
  encodePoolRecord,
  parsePoolRecord,
  type PoolRecord,
} from "../../../src/disk/pool-record";
import { bytes, sectors } from "../../../src/units";
import { devUuid } from "../../../src/uuid";
import { damagedBytes, damagedText } from "./damage";
import {
  formatError,
  RECORD_V1,
  RECORD_V2,
  RECORD_V2_CACHE,
  RECORD_V2_ENCRYPTED,
  segment,
  valueOrFormatError,
} from "./vectors";

const EXAMPLES = [RECORD_V1, RECORD_V2, RECORD_V2_CACHE, RECORD_V2_ENCRYPTED];
const DEV = devUuid("5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f");
const text = (record: PoolRecord): string => encodePoolRecord(record).toString("utf8");
/** `example` with one piece of its text exchanged. */
function edited(example: string, from: string, to: string): string {
  assert.ok(example.includes(from), from);
  return example.replace(from, to);
}

test("the worked examples parse and encode to the same bytes", () => {
  for (const example of EXAMPLES) {
    assert.equal(text(parsePoolRecord(example)), example);
    assert.equal(text(parsePoolRecord(Buffer.from(example))), example);
  }
  assert.equal(RECORD_V2.length, 772);
});

test("every field of the V2 example with a cache", () => {
  const cache = devUuid("7c0a4d52-3b1e-4f86-a9d7-0e5f6c7b8a91");
  assert.deepEqual(parsePoolRecord(RECORD_V2_CACHE), {
    name: "p1",
    dataTier: {
      allocations: [{ parent: DEV, ...segment(8192, 20371456) }],
      devices: [
        {
          uuid: DEV,
          integrityMetaAllocations: [segment(20381688, 589832)],
          userInfo: null,
          hardwareInfo: null,
        },
      ],
      integrity: {
        tagSpec: "512b",
        journalSize: sectors(262144n),
        blockSize: bytes(4096n),
        allocateSuperblock: true,
      },
    },
    cap: {
      allocations: [
        segment(34816, 12288),
        segment(47104, 12288),
        segment(59392, 19263488),
        segment(19322880, 1048576),
      ],
      cryptMetaAllocations: [segment(0, 34816)],
    },
    cacheTier: {
      cacheAllocations: [{ parent: cache, ...segment(1056768, 7331840) }],
      metaAllocations: [{ parent: cache, ...segment(8192, 1048576) }],
      devices: [{ uuid: cache, integrityMetaAllocations: [], userInfo: null, hardwareInfo: null }],
    },
    flexDevices: {
      mdv: [segment(19322880, 1048576)],
      thinMeta: [segment(34816, 12288)],
      thinData: [segment(59392, 19263488)],
      thinMetaSpare: [segment(47104, 12288)],
    },
    thinPool: {
      dataBlockSize: sectors(2048n),
      featureArgs: ["no_discard_passdown", "skip_block_zeroing"],
      fsLimit: 100n,
      enableOverprov: true,
    },
    started: true,
    features: [],
    lastReencrypt: null,
  } satisfies PoolRecord);
});

test("V1 and encrypted examples: what they have in addition", () => {
  const v1 = parsePoolRecord(RECORD_V1);
  assert.deepEqual(v1.dataTier.devices, [
    { uuid: DEV, integrityMetaAllocations: [], userInfo: "shelf 3", hardwareInfo: "0x5000c500a1b2c3d4" },
  ]);
  assert.equal(v1.dataTier.integrity, null);
  const encrypted = parsePoolRecord(RECORD_V2_ENCRYPTED);
  assert.deepEqual(encrypted.features, ["Encryption", "KeyDescriptionEnabled"]);
  assert.equal(encrypted.lastReencrypt, 1_748_779_200n);
});

test("documents of older releases: what they lack", () => {
  const old = RECORD_V1.replace('"feature_args":["no_discard_passdown","skip_block_zeroing"],', "")
    .replace(',"fs_limit":100,"enable_overprov":true', "")
    .replace(',"started":true', "");
  const record = parsePoolRecord(old);
  assert.deepEqual(record.thinPool, {
    dataBlockSize: 2048n,
    featureArgs: null,
    fsLimit: null,
    enableOverprov: null,
  });
  assert.equal(record.started, null);
  assert.equal(text(record), old);
});

test("accepted: unknown keys, any order, white space, null for optional values, UUIDs in any form", () => {
  const variants = [
    edited(RECORD_V2, '{"name"', '{"future":{"x":[1.5e3]},"name"'),
    edited(RECORD_V2, '"start":8192,"length":20371456', '"length":20371456,"start":8192'),
    ` ${RECORD_V2.replaceAll(",", " ,\n")} `,
    edited(RECORD_V2, '"started":true', '"started":true,"features":[]'),
    edited(
      RECORD_V2,
      '"uuid":"5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f"',
      '"uuid":"5E1F4C3A7B2D4E909C8B1A2B3C4D5E6F"',
    ),
    edited(RECORD_V2, '"uuid":"5e', '"user_info":null,"hardware_info":null,"uuid":"urn:uuid:5e'),
    edited(RECORD_V2, '"cap":', '"cache_tier":null,"cap":'),
  ];
  for (const variant of variants) assert.equal(text(parsePoolRecord(variant)), RECORD_V2);
  const nulls = RECORD_V2.replace('"fs_limit":100', '"fs_limit":null')
    .replace('"enable_overprov":true', '"enable_overprov":null')
    .replace('["no_discard_passdown","skip_block_zeroing"]', "null")
    .replace('"started":true', '"started":null');
  assert.deepEqual(parsePoolRecord(nulls).thinPool.fsLimit, null);
  assert.equal(parsePoolRecord(nulls).started, null);
});

/** Text of an example, what it is exchanged for, and what the error must say. */
const REFUSED: [string, string, RegExp][] = [
  ['"name":"p1",', "", /"name" is missing/],
  ['"name":"p1"', '"name":7', /name: expected a string, found 7/],
  ['"name":"p1"', '"name":"../etc"', /can't be a name/],
  ['"name":"p1"', '"name":""', /can't be a name/],
  ['"name":"p1"', '"name":".."', /can't be a name/],
  ['"name":"p1"', '"name":"a\\nb"', /control characters/],
  ['"name":"p1"', '"name":"a\\u0000b"', /NUL/],
  ['"name":"p1"', '"name":"\\ud800"', /surrogate/],
  ['"name":"p1"', '"name":"p1","name":"p2"', /"name" is given twice/],
  ['"backstore":{', '"backstore":[', /JSON/],
  ['"allocs":[[{"parent"', '"allocs":[[],[{"parent"', /exactly one list/],
  [
    '{"allocs":[[{"parent":"5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f","start":8192,"length":20371456}]]',
    '{"allocs":[]',
    /exactly one list/,
  ],
  ['"start":8192', '"start":8192.0', /start: expected an integer, found a number that is not/],
  ['"start":8192', '"start":-1', /expected an integer from 0 to 18446744073709551615/],
  ['"start":8192', '"start":1e3', /not an integer/],
  ['"start":8192', '"start":"8192"', /found "8192"/],
  ['"start":8192', '"start":18446744073709551616', /from 0 to/],
  ['"start":8192', '"start":18446744073709551615', /ends beyond/],
  ['"start":8192,', "", /"start" is missing/],
  ['"parent":"5e1f4c3a-', '"parent":"xe1f4c3a-', /expected a UUID/],
  ["[[20381688,589832]]", "[[20381688]]", /pair of start and length/],
  ["[[20381688,589832]]", "[[20381688,589832,1]]", /pair of start and length/],
  ["[[20381688,589832]]", "null", /expected an array, found null/],
  ["[[0,34816]]", "null", /expected an array, found null/],
  ['"tag_spec":"512b"', '"tag_spec":"64b"', /"64b" is none of/],
  ['"journal_size":262144,', "", /"journal_size" is missing/],
  ['"block_size":4096', '"block_size":0', /block_size: expected an integer from 512/],
  ['"allocate_superblock":true', '"allocate_superblock":1', /expected true or false/],
  ['"thin_meta_dev_spare":[[47104,12288]]', '"spare":[]', /"thin_meta_dev_spare" is missing/],
  ['"feature_args":["no_discard_passdown"', '"feature_args":[null', /feature_args\[0\]: expected a string/],
  ['"fs_limit":100', '"fs_limit":-100', /fs_limit/],
  ['"enable_overprov":true', '"enable_overprov":"yes"', /enable_overprov/],
  ['"started":true', '"started":1', /started/],
  ['"started":true', '"started":true,"features":null', /features: expected an array/],
  [
    '"started":true',
    '"started":true,"features":["Encryption","Teleport","Warp"]',
    /newer one: "Teleport", "Warp"/,
  ],
  ['"started":true', '"started":true,"last_reencrypt":null', /last_reencrypt: expected an integer/],
  ['"started":true}', '"started":true}\0', /JSON/],
  ['"started":true}', '"started":true}{}', /JSON/],
];

test("refused, with the place and the reason", () => {
  for (const [from, to, message] of REFUSED)
    assert.throws(() => parsePoolRecord(edited(RECORD_V2, from, to)), formatError(message), to);
  assert.throws(
    () => parsePoolRecord(Buffer.from([0x22, 0xff, 0x22])),
    formatError(/Pool metadata: .*utf-8/i),
  );
  assert.throws(
    () => parsePoolRecord(edited(RECORD_V2_CACHE, '[[{"parent":"7c0a', '[[],[{"parent":"7c0a')),
    formatError(/exactly two/),
  );
  for (const document of ["null", "[]", "7", '"x"', "{}"])
    assert.throws(() => parsePoolRecord(document), formatError(/Pool metadata/));
});

test("unknown features are the first thing that is reported", () => {
  assert.throws(() => parsePoolRecord('{"features":["Mirror"]}'), formatError(/newer one: "Mirror"/));
});

test("a negative time of re-encryption is a time", () => {
  const record = parsePoolRecord(edited(RECORD_V2_ENCRYPTED, "1748779200", "-5"));
  assert.equal(record.lastReencrypt, -5n);
});

test("strings are cut at 255 bytes between characters when written", () => {
  const base = parsePoolRecord(RECORD_V1);
  const device = base.dataTier.devices[0];
  assert.ok(device);
  const written = (userInfo: string): string | null | undefined =>
    parsePoolRecord(
      encodePoolRecord({ ...base, dataTier: { ...base.dataTier, devices: [{ ...device, userInfo }] } }),
    ).dataTier.devices[0]?.userInfo;
  assert.equal(written("x".repeat(255)), "x".repeat(255));
  assert.equal(written("x".repeat(256)), "x".repeat(255));
  assert.equal(written("é".repeat(128)), "é".repeat(127));
  assert.equal(written(`x${"é".repeat(127)}`), `x${"é".repeat(127)}`);
  assert.equal(written("😀".repeat(64)), "😀".repeat(63));
  fc.assert(
    fc.property(
      fc.string({ unit: "grapheme", maxLength: 400 }).filter((info) => !info.includes("\0")),
      (info) => {
        const cut = written(info) ?? "";
        assert.ok(info.startsWith(cut));
        assert.ok(Buffer.byteLength(cut) <= 255);
        assert.ok(cut === info || Buffer.byteLength(cut) > 251);
      },
    ),
  );
});

test("feature arguments are written in order", () => {
  const record = parsePoolRecord(RECORD_V2);
  record.thinPool.featureArgs = ["skip_block_zeroing", "no_discard_passdown", "error_if_no_space"];
  assert.match(text(record), /\["error_if_no_space","no_discard_passdown","skip_block_zeroing"\]/);
  assert.deepEqual(record.thinPool.featureArgs[0], "skip_block_zeroing", "the record itself is left alone");
});

const U64 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(sectors);
const anySegment = fc.tuple(U64, U64).map(([start, length]) => ({ start, length }));
const anyUuid = fc.uuid().map(devUuid);
const anyDeviceSegment = fc.tuple(anyUuid, anySegment).map(([parent, range]) => ({ parent, ...range }));
const anyInfo = fc.option(
  fc.string({ unit: "grapheme", maxLength: 20 }).filter((info) => !info.includes("\0")),
);
const plain = { noNullPrototype: true };
const anyDevice = fc.record(
  {
    uuid: anyUuid,
    integrityMetaAllocations: fc.array(anySegment, { maxLength: 2 }),
    userInfo: anyInfo,
    hardwareInfo: anyInfo,
  },
  plain,
);
const segments = fc.array(anySegment, { maxLength: 3 });
const deviceSegments = fc.array(anyDeviceSegment, { maxLength: 3 });
const devices = fc.array(anyDevice, { maxLength: 3 });
const anyRecord: fc.Arbitrary<PoolRecord> = fc.record(
  {
    name: fc.constantFrom("p", "pool-1", "π"),
    dataTier: fc.record(
      {
        allocations: deviceSegments,
        devices,
        integrity: fc.option(
          fc.record(
            {
              tagSpec: fc.constantFrom("0b" as const, "32b" as const, "512b" as const),
              journalSize: U64,
              blockSize: fc.constantFrom(bytes(512n), bytes(4096n)),
              allocateSuperblock: fc.boolean(),
            },
            plain,
          ),
        ),
      },
      plain,
    ),
    cap: fc.record({ allocations: segments, cryptMetaAllocations: segments }, plain),
    cacheTier: fc.option(
      fc.record({ cacheAllocations: deviceSegments, metaAllocations: deviceSegments, devices }, plain),
    ),
    flexDevices: fc.record(
      { mdv: segments, thinMeta: segments, thinData: segments, thinMetaSpare: segments },
      plain,
    ),
    thinPool: fc.record(
      {
        dataBlockSize: U64,
        featureArgs: fc.option(
          fc
            .array(fc.string({ maxLength: 8 }))
            .map((args) => args.filter((arg) => !arg.includes("\0")).sort()),
        ),
        fsLimit: fc.option(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
        enableOverprov: fc.option(fc.boolean()),
      },
      plain,
    ),
    started: fc.option(fc.boolean()),
    features: fc.subarray(["Raid", "Integrity", "Encryption", "KeyDescriptionEnabled", "ClevisEnabled"]),
    lastReencrypt: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  },
  plain,
);

test("every record survives encoding, and encodes to what JSON.parse understands", () => {
  fc.assert(
    fc.property(anyRecord, (record) => {
      const json = encodePoolRecord(record);
      assert.deepEqual(parsePoolRecord(json), record);
      assert.doesNotThrow(() => JSON.parse(json.toString("utf8")) as unknown);
    }),
  );
});

const WORDS = [
  "null",
  "{}",
  "[]",
  "-1",
  "1.5",
  "18446744073709551615",
  "18446744073709551616",
  '"x"',
  "true",
  "0",
  ",",
  ":",
  "[[0,1]]",
];

test("any input gives a record or a DiskFormatError, and so does checking it", () => {
  const parseAndCheck = (json: Buffer | string): void => {
    valueOrFormatError(() => {
      const record = parsePoolRecord(json);
      assert.deepEqual(parsePoolRecord(encodePoolRecord(record)).flexDevices, record.flexDevices);
      for (const version of [1, 2] as const)
        valueOrFormatError(() => {
          checkPoolRecord(record, version);
        });
    });
  };
  fc.assert(fc.property(damagedBytes(EXAMPLES.map((json) => Buffer.from(json))), parseAndCheck), {
    numRuns: 500,
  });
  fc.assert(fc.property(damagedText(EXAMPLES, WORDS, /([{}[\],:])/), parseAndCheck), { numRuns: 1000 });
});
