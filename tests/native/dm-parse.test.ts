/** The parsers of device-mapper results, with results as the kernel makes them and with bytes from nowhere. */
import * as assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isNativeError, native, type DmListEntry, type DmTargetLine } from "../../src/native";

const align = (size: number): number => Math.ceil(size / 8) * 8;

/** The kernel's encoding of a device number in 32 bits. */
const encodeDevice = (major: number, minor: number): bigint =>
  BigInt(minor & 0xff) | (BigInt(major) << 8n) | (BigInt(minor & ~0xff) << 12n);

/** One record of DM_LIST_DEVICES; `last` ends the chain. */
function nameRecord(entry: DmListEntry, interfaceMinor: number, last: boolean): Buffer {
  const nameEnd = 12 + Buffer.byteLength(entry.name) + 1;
  const event = align(nameEnd);
  const uuid = entry.uuid ?? "";
  const uuidSize = uuid === "" ? 0 : Buffer.byteLength(uuid) + 1;
  const size = interfaceMinor >= 37 ? align(event + 8 + uuidSize) : event;
  const record = Buffer.alloc(size);
  record.writeBigUInt64LE(encodeDevice(entry.major, entry.minor), 0);
  record.writeUInt32LE(last ? 0 : size, 8);
  record.write(entry.name, 12);
  if (interfaceMinor >= 37) record.writeUInt32LE(entry.eventNr, event);
  if (interfaceMinor >= 45 && entry.uuid !== null) {
    record.writeUInt32LE(uuid === "" ? 2 : 1, event + 4);
    record.write(uuid, event + 8);
  }
  return record;
}

const nameList = (entries: DmListEntry[], interfaceMinor: number): Buffer =>
  Buffer.concat(entries.map((entry, i) => nameRecord(entry, interfaceMinor, i === entries.length - 1)));

/** Results of DM_TABLE_STATUS: each `next` counts from the first spec. */
function targetList(targets: DmTargetLine[]): Buffer {
  const records: Buffer[] = [];
  let offset = 0;
  for (const target of targets) {
    const size = align(40 + Buffer.byteLength(target.params) + 1);
    const record = Buffer.alloc(size);
    offset += size;
    record.writeBigUInt64LE(target.start, 0);
    record.writeBigUInt64LE(target.length, 8);
    record.writeUInt32LE(offset, 20);
    record.write(target.type, 24);
    record.write(target.params, 40);
    records.push(record);
  }
  return Buffer.concat(records);
}

function depsList(devices: { major: number; minor: number }[]): Buffer {
  const data = Buffer.alloc(8 + 8 * devices.length);
  data.writeUInt32LE(devices.length, 0);
  devices.forEach(({ major, minor }, i) => data.writeBigUInt64LE(encodeDevice(major, minor), 8 + 8 * i));
  return data;
}

const refusal = (error: unknown): boolean => {
  assert.ok(isNativeError(error), String(error));
  assert.equal(error.code, "EINVAL");
  assert.equal(error.errno, 22);
  return true;
};

/** Any bytes end in a value or in EINVAL, nothing else. */
function survives(parse: () => unknown): void {
  try {
    assert.ok(Array.isArray(parse()));
  } catch (error) {
    refusal(error);
  }
}

const text = (maxLength: number, minLength = 0): fc.Arbitrary<string> =>
  fc.string({ unit: "grapheme-ascii", minLength, maxLength });
const major = fc.integer({ min: 0, max: 0xfff });
const minor = fc.integer({ min: 0, max: 0xfffff });
const eventNr = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
// Plain prototypes, which strict comparison with the addon's objects needs.
const plain = { noNullPrototype: true };
const entries = fc.array(
  fc.record({ name: text(127, 1), uuid: fc.option(text(128)), major, minor, eventNr }, plain),
  { maxLength: 8 },
);
const targets = fc.array(
  fc.record({ start: u64, length: u64, type: text(15, 1), params: text(300) }, plain),
  { maxLength: 8 },
);

test("the list of devices, on kernels with event numbers and uuids", () => {
  const pool = "0123456789abcdef0123456789abcdef";
  const list: DmListEntry[] = [
    {
      name: `stratis-1-private-${pool}-thinpool-pool`,
      uuid: "some uuid",
      major: 253,
      minor: 300,
      eventNr: 7,
    },
    { name: "a", uuid: "", major: 253, minor: 0, eventNr: 0xffffffff },
    { name: "not asked", uuid: null, major: 4095, minor: 0xfffff, eventNr: 1 },
  ];
  assert.deepEqual(native().dmParseNameList(nameList(list, 47), 47), list);
  const withoutUuids = list.map((entry) => ({ ...entry, uuid: null }));
  assert.deepEqual(native().dmParseNameList(nameList(list, 37), 37), withoutUuids);
  const withoutEvents = withoutUuids.map((entry) => ({ ...entry, eventNr: 0 }));
  assert.deepEqual(native().dmParseNameList(nameList(list, 36), 36), withoutEvents);
  assert.deepEqual(native().dmParseNameList(Buffer.alloc(0), 47), []);
});

test("lists, tables and dependencies survive the way through the kernel's layout", () => {
  fc.assert(
    fc.property(entries, (list) => {
      assert.deepEqual(native().dmParseNameList(nameList(list, 45), 45), list);
    }),
  );
  fc.assert(
    fc.property(targets, (lines) => {
      assert.deepEqual(native().dmParseTargets(targetList(lines), lines.length), lines);
    }),
  );
  fc.assert(
    fc.property(fc.array(fc.record({ major, minor }, plain)), (devices) => {
      assert.deepEqual(native().dmParseDeps(depsList(devices)), devices);
    }),
  );
});

test("a device without a table has neither targets nor dependencies", () => {
  assert.deepEqual(native().dmParseTargets(Buffer.alloc(0), 3), []);
  assert.deepEqual(native().dmParseTargets(Buffer.alloc(100), 0), []);
  assert.deepEqual(native().dmParseDeps(Buffer.alloc(0)), []);
});

test("results of kernels keep text that is not UTF-8 readable", () => {
  const list = nameList([{ name: "abc", uuid: "", major: 1, minor: 2, eventNr: 3 }], 45);
  list[13] = 0xff;
  assert.equal(native().dmParseNameList(list, 45)[0]?.name, "a\ufffdc");
});

test("chains that point back, nowhere or outside are refused", () => {
  const list = nameList(
    [
      { name: "first", uuid: "u", major: 1, minor: 2, eventNr: 3 },
      { name: "second", uuid: "v", major: 1, minor: 3, eventNr: 3 },
    ],
    45,
  );
  const lines: DmTargetLine[] = [
    { start: 0n, length: 8n, type: "linear", params: "8:17 2048" },
    { start: 8n, length: 8n, type: "linear", params: "8:18 2048" },
  ];
  for (const next of [1, 7, 8, 16, 41, 4096, 0x7ffffff8, 0xfffffff8, 0xffffffff]) {
    const hostileList = Buffer.from(list);
    hostileList.writeUInt32LE(next, 8);
    assert.throws(() => native().dmParseNameList(hostileList, 45), refusal, `name list, next ${next}`);
    const hostileTable = targetList(lines);
    hostileTable.writeUInt32LE(next, 20);
    assert.throws(() => native().dmParseTargets(hostileTable, 2), refusal, `table, next ${next}`);
  }
});

test("missing ends, types without an end and impossible counts are refused", () => {
  const table = targetList([{ start: 0n, length: 8n, type: "linear", params: "x".repeat(23) }]);
  assert.throws(() => native().dmParseTargets(table.subarray(0, 62), 1), refusal);
  assert.throws(() => native().dmParseTargets(table, 2), refusal);
  assert.throws(() => native().dmParseTargets(table, 0xffffffff), refusal);
  const endless = Buffer.from(table);
  endless.fill("x", 24, 40);
  assert.throws(() => native().dmParseTargets(endless, 1), refusal);
  const deps = depsList([{ major: 8, minor: 17 }]);
  deps.writeUInt32LE(0xffffffff, 0);
  assert.throws(() => native().dmParseDeps(deps), refusal);
  assert.throws(() => native().dmParseDeps(Buffer.alloc(5)), refusal);
});

test("every truncation of good results is parsed or refused", () => {
  const list = nameList(
    [
      { name: "first", uuid: "a uuid", major: 1, minor: 2, eventNr: 3 },
      { name: "second", uuid: "", major: 1, minor: 3, eventNr: 3 },
    ],
    45,
  );
  const table = targetList([
    { start: 0n, length: 8n, type: "linear", params: "8:17 2048" },
    { start: 8n, length: 8n, type: "thin-pool", params: "" },
  ]);
  // Copies of their own size, so that a sanitizer notices a read behind the end.
  for (let size = 0; size < list.length; size++)
    survives(() => native().dmParseNameList(Uint8Array.from(list.subarray(0, size)), 45));
  for (let size = 0; size < table.length; size++)
    survives(() => native().dmParseTargets(Uint8Array.from(table.subarray(0, size)), 2));
});

test("any bytes are parsed or refused", () => {
  const bytes = fc.uint8Array({ maxLength: 400 });
  const count = fc.integer({ min: 0, max: 0xffffffff });
  fc.assert(
    fc.property(bytes, count, (data, number) => {
      survives(() => native().dmParseNameList(data, number % 64));
      survives(() => native().dmParseTargets(data, number));
      survives(() => native().dmParseDeps(data));
    }),
    { numRuns: 2000 },
  );
});

test("good results with some bytes changed are parsed or refused", () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), {
    minLength: 1,
    maxLength: 6,
  });
  const change = (data: Buffer, list: [number, number][]): Buffer => {
    for (const [at, value] of list) if (data.length > 0) data[at % data.length] = value;
    return data;
  };
  fc.assert(
    fc.property(entries, targets, changes, (list, lines, changed) => {
      survives(() => native().dmParseNameList(change(nameList(list, 45), changed), 45));
      survives(() => native().dmParseTargets(change(targetList(lines), changed), lines.length));
    }),
    { numRuns: 1000 },
  );
});

test("arguments of other types are refused", () => {
  const addon = native() as unknown as Record<string, (...values: unknown[]) => unknown>;
  for (const name of ["dmParseNameList", "dmParseTargets", "dmParseDeps"])
    for (const data of [undefined, null, "text", [1, 2], new Uint16Array(4), 5])
      assert.throws(() => addon[name]?.(data, 1), refusal, `${name} of ${String(data)}`);
  for (const number of [undefined, -1, 1.5, NaN, Infinity, 2 ** 32, "1", 1n]) {
    assert.throws(() => addon["dmParseTargets"]?.(new Uint8Array(8), number), refusal, String(number));
    assert.throws(() => addon["dmParseNameList"]?.(new Uint8Array(8), number), refusal, String(number));
  }
});
