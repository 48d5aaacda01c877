import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import * as names from "../../../src/dm/names";
import { devUuid, filesystemUuid, poolUuid } from "../../../src/uuid";

const POOL = poolUuid("0b5c1a2e-9d3f-4c61-8a7b-2f4e6d8c0a13");
const FS = filesystemUuid("c1d2e3f4-0516-4a7b-8c9d-0a1b2c3d4e5f");
const DEV = devUuid("5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f");
const P = "stratis-1-private-0b5c1a2e9d3f4c618a7b2f4e6d8c0a13";

test("the names and lengths of devicemapper.md §2.1", () => {
  const rows: [string, string, number][] = [
    [names.physicalOriginsub(POOL), `${P}-physical-originsub`, 69],
    [names.physicalMetasub(POOL), `${P}-physical-metasub`, 67],
    [names.physicalCachesub(POOL), `${P}-physical-cachesub`, 68],
    [names.physicalCache(POOL), `${P}-physical-cache`, 65],
    [names.v2Crypt(POOL), `${P}-crypt`, 56],
    [names.v1Crypt(DEV), "stratis-1-private-5e1f4c3a7b2d4e909c8b1a2b3c4d5e6f-crypt", 56],
    [names.flexThinMeta(POOL), `${P}-flex-thinmeta`, 64],
    [names.flexThinMetaSpare(POOL), `${P}-flex-thinmetaspare`, 69],
    [names.flexThinData(POOL), `${P}-flex-thindata`, 64],
    [names.flexMdv(POOL), `${P}-flex-mdv`, 59],
    [names.thinPool(POOL), `${P}-thinpool-pool`, 64],
    [
      names.thinFilesystem(POOL, FS),
      "stratis-1-0b5c1a2e9d3f4c618a7b2f4e6d8c0a13-thin-fs-c1d2e3f405164a7b8c9d0a1b2c3d4e5f",
      83,
    ],
  ];
  for (const [name, expected, length] of rows) {
    assert.equal(name, expected);
    assert.equal(name.length, length);
    assert.equal(names.poolOfDmName(name), name.includes("5e1f4c3a7b2d") ? DEV : POOL);
  }
});

test("names of filesystem devices are taken apart again", () => {
  assert.deepEqual(names.parseThinFilesystemName(names.thinFilesystem(POOL, FS)), { pool: POOL, fs: FS });
  fc.assert(
    fc.property(fc.uuid().map(poolUuid), fc.uuid().map(filesystemUuid), (pool, fs) => {
      assert.deepEqual(names.parseThinFilesystemName(names.thinFilesystem(pool, fs)), { pool, fs });
    }),
  );
});

test("names of others are nobody's", () => {
  const others = [
    "",
    "vg-lv",
    P,
    `${P}-thinpool`,
    `${P}-thinpool-pool-x`,
    `${P}-crypt-overlay`,
    `x${P}-crypt`,
    `${P}-CRYPT`,
    "stratis-2-private-0b5c1a2e9d3f4c618a7b2f4e6d8c0a13-crypt",
    "stratis-1-private-0b5c1a2e-9d3f-4c61-8a7b-2f4e6d8c0a13-crypt",
    "stratis-1-0b5c1a2e9d3f4c618a7b2f4e6d8c0a13-thin-fs-c1d2",
    `${names.thinFilesystem(POOL, FS)}\n`,
  ];
  for (const name of others) {
    assert.equal(names.poolOfDmName(name), null, name);
    assert.equal(names.parseThinFilesystemName(name), null, name);
  }
  assert.equal(names.parseThinFilesystemName(names.thinPool(POOL)), null);
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (name) => {
      assert.equal(names.poolOfDmName(name), null);
    }),
  );
});

test("leftovers in the order of removal, engine.md §9.3", () => {
  const order = [
    "thinpool-pool",
    "flex-thindata",
    "flex-thinmeta",
    "flex-thinmetaspare",
    "flex-mdv",
    "crypt",
    "crypt-overlay",
    "crypt-hotzone-forward",
    "crypt-recovery",
    "physical-cache",
    "physical-cachesub",
    "physical-metasub",
    "physical-originsub",
  ].map((role) => `${P}-${role}`);
  assert.deepEqual(names.leftoverNames(POOL), order);
  const crypt = names.v1Crypt(DEV);
  assert.deepEqual(names.leftoverNames(POOL, [DEV]), [...order, crypt, ...names.cryptHelpers(crypt)]);
});
