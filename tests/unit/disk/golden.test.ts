/** The Blockdev Data Areas of pools that stratisd 3.9.2 made, against what its own tool says of them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { initializeDevice, lastUpdateTime, readMetadata, readStaticHeader } from "../../../src/disk/bda";
import { parseJson, printJsonSorted, isJsonObject, type JsonObject } from "../../../src/disk/json";
import { parseMdaHeader, timestampText } from "../../../src/disk/mda";
import { checkPoolRecord, encodePoolRecord, parsePoolRecord } from "../../../src/disk/pool-record";
import { encodeSigblock } from "../../../src/disk/static-header";
import { thinMetaSize, roomForData } from "../../../src/disk/sizes";
import { integrityReservation } from "../../../src/disk/integrity";
import { sectors, sumSectors } from "../../../src/units";
import { MemoryBlockFile } from "../support/block-file";
import { FIXTURES, gunzipFixture } from "./vectors";

interface Expected {
  header: Record<string, string | number>;
  mdaHeaders: ({ lastUpdated: string; used: number; dataCrc: number } | null)[];
  /** As text, because its numbers are compared exactly. */
  metadata: string | null;
}

function expectedOf(name: string): Expected {
  const text = readFileSync(path.join(FIXTURES, "bda", `${name}.json`), "utf8");
  const parsed = parseJson(text);
  assert.ok(isJsonObject(parsed));
  const metadata = (parsed as JsonObject)["metadata"];
  return {
    ...(JSON.parse(text) as Expected),
    metadata: metadata === null || metadata === undefined ? null : printJsonSorted(metadata),
  };
}

/** A device of the size in the header, of which the first MiB is given. */
const deviceOf = (name: string, size: bigint): MemoryBlockFile =>
  MemoryBlockFile.from(gunzipFixture(path.join("bda", `${name}.bin.gz`)), size * 512n);

const DISKS = [
  "v1_plain-disk1",
  "v2_plain-disk1",
  "v2_stopped-disk1",
  "v2_two-disk1",
  "v2_two-disk2",
  "v2_cache-disk1",
  "v2_key_tang-disk1",
];

/** Times of upstream's dump, "2026-11-23T10:18:19.437940063Z", as seconds with nine decimals. */
function unixTime(iso: string): string {
  const [, date, fraction] = /^(.*?)(?:\.([0-9]+))?Z$/.exec(iso) ?? [];
  assert.ok(date !== undefined);
  return `${Date.parse(`${date}Z`) / 1000}.${(fraction ?? "").padEnd(9, "0")}`;
}

for (const name of [...DISKS, "v2_cache-disk2"])
  test(`${name}: static header and region headers are what upstream's tool prints`, async () => {
    const expected = expectedOf(name);
    const file = deviceOf(name, BigInt(expected.header["deviceSize"] ?? 0));
    const found = await readStaticHeader(file);
    assert.ok(found !== null);
    assert.equal(found.repair, null);
    const { initializationTime, ...header } = found.header;
    assert.deepEqual(
      Object.fromEntries(
        Object.entries(header).map(([key, value]) => [
          key,
          typeof value === "bigint" ? Number(value) : value,
        ]),
      ),
      Object.fromEntries(Object.entries(expected.header).filter(([key]) => key !== "initializationTime")),
    );
    assert.equal(`${initializationTime}.000000000`, unixTime(String(expected.header["initializationTime"])));
    assert.deepEqual(encodeSigblock(found.header), file.peek(512n, 512));
    expected.mdaHeaders.forEach((expectedHeader, index) => {
      const parsed = parseMdaHeader(file.peek(8192n + BigInt(index) * 260_096n, 32));
      if (expectedHeader === null) assert.deepEqual(parsed, { kind: "empty" });
      else {
        assert.ok(parsed.kind === "valid");
        assert.equal(timestampText(parsed.header.time), unixTime(expectedHeader.lastUpdated));
        assert.equal(parsed.header.used, BigInt(expectedHeader.used));
        assert.equal(parsed.header.dataCrc, expectedHeader.dataCrc);
      }
    });
  });

for (const name of DISKS)
  test(`${name}: the record is upstream's, consistent, and encodes to the same bytes`, async () => {
    const expected = expectedOf(name);
    const file = deviceOf(name, BigInt(expected.header["deviceSize"] ?? 0));
    const found = await readStaticHeader(file);
    assert.ok(found !== null);
    const { newest, damaged } = await readMetadata(file, found.header);
    assert.ok(newest !== null);
    assert.deepEqual(damaged, []);
    assert.deepEqual(await lastUpdateTime(file, found.header), newest.time);
    assert.equal(printJsonSorted(parseJson(newest.json.toString("utf8"))), expected.metadata);
    const record = parsePoolRecord(newest.json);
    checkPoolRecord(record, found.header.version);
    assert.equal(encodePoolRecord(record).toString("utf8"), newest.json.toString("utf8"));
  });

test("the devices of one pool hold the same record", async () => {
  const records = await Promise.all(
    ["v2_two-disk1", "v2_two-disk2"].map(async (name) => {
      const file = deviceOf(name, BigInt(expectedOf(name).header["deviceSize"] ?? 0));
      const found = await readStaticHeader(file);
      assert.ok(found !== null);
      return (await readMetadata(file, found.header)).newest;
    }),
  );
  assert.deepEqual(records[0], records[1]);
});

test("a cache device holds no record", async () => {
  const file = deviceOf("v2_cache-disk2", 12_582_912n);
  const found = await readStaticHeader(file);
  assert.ok(found !== null);
  assert.deepEqual(await readMetadata(file, found.header), { newest: null, damaged: [] });
  assert.equal(await lastUpdateTime(file, found.header), null);
});

test("an encrypted V1 pool: header and record from inside the encryption", async () => {
  const file = deviceOf("v1_key-disk1", 6_258_688n);
  const found = await readStaticHeader(file);
  assert.ok(found !== null);
  assert.equal(found.header.version, 1);
  assert.equal(found.header.deviceSize, 6_258_688n);
  assert.equal(found.header.devUuid, "887e6036-ceec-49e6-88c0-8e9152712a82");
  assert.equal(found.header.poolUuid, "1018d678-16b4-496e-8893-736f4b9774bf");
  const { newest } = await readMetadata(file, found.header);
  assert.ok(newest !== null);
  const record = parsePoolRecord(newest.json);
  checkPoolRecord(record, 1);
  assert.equal(record.started, false);
  assert.equal(encodePoolRecord(record).toString("utf8"), newest.json.toString("utf8"));
});

test("initialization gives the bytes that upstream left in the places it writes", async () => {
  const golden = deviceOf("v2_cache-disk2", 12_582_912n);
  const found = await readStaticHeader(golden);
  assert.ok(found !== null);
  const ours = new MemoryBlockFile(golden.size);
  await initializeDevice(ours, found.header);
  assert.deepEqual(ours.peek(0n, 1 << 20), golden.peek(0n, 1 << 20));
});

test("sizes that upstream chose for these pools follow from the formulas", async () => {
  for (const name of ["v1_plain-disk1", "v2_plain-disk1"]) {
    const file = deviceOf(name, 12_582_912n);
    const found = await readStaticHeader(file);
    assert.ok(found !== null);
    const { newest } = await readMetadata(file, found.header);
    assert.ok(newest !== null);
    const { dataTier, flexDevices } = parsePoolRecord(newest.json);
    let usable = found.header.deviceSize - 8192n;
    if (dataTier.integrity !== null) {
      const reservation = integrityReservation(found.header.deviceSize, dataTier.integrity);
      assert.deepEqual(dataTier.devices[0]?.integrityMetaAllocations, [
        { start: found.header.deviceSize - reservation, length: reservation },
      ]);
      usable -= reservation + 34_816n;
    }
    const meta = thinMetaSize(sectors(usable), 100n);
    assert.equal(meta, 10_240n);
    assert.equal(sumSectors(flexDevices.thinMeta.map(({ length }) => length)), meta);
    const data = sumSectors(flexDevices.thinData.map(({ length }) => length));
    assert.equal(data, (roomForData(sectors(usable), meta) / 2048n) * 2048n);
  }
});
