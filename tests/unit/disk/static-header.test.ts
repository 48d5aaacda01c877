import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../../src/disk/crc32c";
import {
  bdaExtendedSize,
  bdaSize,
  checkGeometry,
  DEFAULT_MDA_SIZE,
  DEFAULT_RESERVED_SIZE,
  encodeSigblock,
  parseSigblock,
  resolveSigblocks,
  SIGBLOCK_FLAG,
  type SigblockCopy,
  type StaticHeader,
} from "../../../src/disk/static-header";
import { sectors } from "../../../src/units";
import { devUuid, poolUuid } from "../../../src/uuid";
import { damagedBytes } from "./damage";
import { formatError, HEADER, SIGBLOCK_V2, valueOrFormatError } from "./vectors";

/** A copy of `block` with a right checksum after a change. */
function resealed(change: (block: Buffer) => void): Buffer {
  const block = Buffer.from(SIGBLOCK_V2);
  change(block);
  block.writeUInt32LE(crc32c(block.subarray(4)), 0);
  return block;
}

test("the worked example, both ways", () => {
  assert.deepEqual(encodeSigblock(HEADER), SIGBLOCK_V2);
  assert.deepEqual(parseSigblock(SIGBLOCK_V2), { kind: "valid", header: HEADER });
  const v1 = encodeSigblock({ ...HEADER, version: 1 });
  assert.equal(v1.subarray(0, 4).toString("hex"), "e8bdef90");
  assert.equal(v1[28], 1);
});

test("default sizes", () => {
  assert.equal(DEFAULT_MDA_SIZE, 2032n);
  assert.equal(DEFAULT_RESERVED_SIZE, 6144n);
  assert.equal(bdaSize(HEADER), 2048n);
  assert.equal(bdaExtendedSize(HEADER), 8192n);
});

test("without the magic it is nothing, whatever the checksum", () => {
  assert.deepEqual(parseSigblock(Buffer.alloc(512)), { kind: "none" });
  for (let index = 4; index < 20; index += 1) {
    const block = resealed((bytes) => {
      bytes[index] = (bytes[index] ?? 0) ^ 1;
    });
    assert.deepEqual(parseSigblock(block), { kind: "none" }, `byte ${index}`);
  }
});

test("any other damage makes it invalid", () => {
  for (let index = 0; index < 512; index += 1) {
    if (index >= 4 && index < 20) continue;
    const block = Buffer.from(SIGBLOCK_V2);
    block[index] = (block[index] ?? 0) ^ 0x10;
    assert.equal(parseSigblock(block).kind, "invalid", `byte ${index}`);
  }
});

test("values that can't be are invalid under a right checksum", () => {
  const cases: [string, (block: Buffer) => void, RegExp][] = [
    ["version 0", (block) => block.writeUInt8(0, 28), /version is 0/],
    ["version 3", (block) => block.writeUInt8(3, 28), /version is 3/],
    ["pool UUID", (block) => block.write("g", 32), /pool UUID/],
    ["pool UUID that is not UTF-8", (block) => block.writeUInt8(0xff, 40), /pool UUID/],
    ["device UUID", (block) => block.write("-", 70), /device UUID/],
    ["a time beyond any date", (block) => block.writeBigUInt64LE(8_210_266_876_800n, 120), /not a date/],
    ["a negative time", (block) => block.writeBigUInt64LE(2n ** 64n - 1n, 120), /not a date/],
  ];
  for (const [what, change, reason] of cases) {
    const parsed = parseSigblock(resealed(change));
    assert.ok(parsed.kind === "invalid", what);
    assert.match(parsed.reason, reason, what);
  }
});

test("upper-case UUIDs, flags and unused bytes are accepted", () => {
  const parsed = parseSigblock(
    resealed((block) => {
      block.write("0B5C1A2E", 32);
      block.writeBigUInt64LE(SIGBLOCK_FLAG.destroying | (1n << 40n), 112);
      block.fill(0xaa, 128);
      block.fill(0x55, 29, 32);
    }),
  );
  assert.deepEqual(parsed, { kind: "valid", header: { ...HEADER, flags: 2n | (1n << 40n) } });
});

test("fields that don't fit are refused when encoding", () => {
  assert.throws(() => encodeSigblock({ ...HEADER, deviceSize: sectors(2n ** 64n) }), RangeError);
  assert.throws(() => encodeSigblock({ ...HEADER, deviceSize: sectors(-1n) }), RangeError);
  assert.throws(
    () => encodeSigblock({ ...HEADER, poolUuid: "nonsense" as StaticHeader["poolUuid"] }),
    RangeError,
  );
});

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const anyHeader: fc.Arbitrary<StaticHeader> = fc.record(
  {
    deviceSize: u64.map(sectors),
    version: fc.constantFrom(1 as const, 2 as const),
    poolUuid: fc.uuid().map(poolUuid),
    devUuid: fc.uuid().map(devUuid),
    mdaSize: u64.map(sectors),
    reservedSize: u64.map(sectors),
    flags: u64,
    initializationTime: fc.bigInt({ min: 0n, max: 8_210_266_876_799n }),
  },
  { noNullPrototype: true },
);

test("every header survives encoding", () => {
  fc.assert(
    fc.property(anyHeader, (header) => {
      assert.deepEqual(parseSigblock(encodeSigblock(header)), { kind: "valid", header });
    }),
  );
});

test("any input gives a result or a DiskFormatError", () => {
  const valid = [SIGBLOCK_V2, encodeSigblock({ ...HEADER, version: 1, flags: 1n })];
  fc.assert(
    fc.property(fc.oneof(damagedBytes(valid), damagedBytes(valid, { keepLength: true })), (bytes) => {
      valueOrFormatError(() => parseSigblock(bytes));
    }),
    { numRuns: 500 },
  );
});

test("geometry: what can't be is refused", () => {
  checkGeometry(HEADER);
  checkGeometry({ ...HEADER, deviceSize: sectors(8192n) });
  const cases: [string, Partial<StaticHeader>][] = [
    ["no MDA", { mdaSize: sectors(0n) }],
    ["an MDA of unequal regions", { mdaSize: sectors(2033n) }],
    ["an MDA without room", { mdaSize: sectors(3n) }],
    ["regions larger than a read", { mdaSize: sectors(131_073n * 4n) }],
    ["an enormous MDA", { mdaSize: sectors(2n ** 64n - 4n) }],
    ["a reserve beyond the device", { reservedSize: sectors(20_971_520n) }],
    ["an enormous reserve", { reservedSize: sectors(2n ** 64n - 1n) }],
    ["a device smaller than its BDA", { deviceSize: sectors(8191n) }],
    ["a device larger than any", { deviceSize: sectors(2n ** 54n) }],
  ];
  for (const [what, change] of cases)
    assert.throws(
      () => {
        checkGeometry({ ...HEADER, ...change });
      },
      formatError(/5e1f4c3a.* is unusable/),
      what,
    );
});

test("geometry: any header is accepted or refused, and what is accepted fits", () => {
  fc.assert(
    fc.property(anyHeader, (header) => {
      valueOrFormatError(() => {
        checkGeometry(header);
        assert.ok(bdaExtendedSize(header) <= header.deviceSize);
      });
    }),
  );
});

const NEWER: StaticHeader = { ...HEADER, initializationTime: HEADER.initializationTime + 1n };
const V: SigblockCopy = { kind: "valid", header: HEADER };
const N: SigblockCopy = { kind: "none" };
const X: SigblockCopy = { kind: "invalid", reason: "its checksum is off" };
const E: SigblockCopy = { kind: "unreadable", cause: new Error("EIO, says the disk") };

test("two copies: the table of on-disk-format.md §5", () => {
  const rows: [SigblockCopy, SigblockCopy, { header: StaticHeader | null; repair: 0 | 1 | null } | RegExp][] =
    [
      [V, V, { header: HEADER, repair: null }],
      [{ kind: "valid", header: NEWER }, V, { header: NEWER, repair: 1 }],
      [V, { kind: "valid", header: NEWER }, { header: NEWER, repair: 0 }],
      [V, { kind: "valid", header: { ...HEADER, version: 1 } }, /disagree/],
      [V, N, { header: HEADER, repair: 1 }],
      [N, V, { header: HEADER, repair: 0 }],
      [V, X, { header: HEADER, repair: 1 }],
      [X, V, { header: HEADER, repair: 0 }],
      [V, E, { header: HEADER, repair: 1 }],
      [E, V, { header: HEADER, repair: 0 }],
      [N, N, { header: null, repair: null }],
      [N, X, /copy 2 is damaged, its checksum is off/],
      [X, N, /copy 1 is damaged, its checksum is off/],
      [X, X, /copy 1 is damaged.*copy 2 is damaged/],
      [N, E, { header: null, repair: null }],
      [E, N, { header: null, repair: null }],
      [X, E, /copy 1 is damaged/],
      [E, X, /copy 2 is damaged/],
      [E, E, /copy 1 can't be read: EIO.*copy 2 can't be read/],
    ];
  for (const [copy1, copy2, expected] of rows) {
    const what = `${copy1.kind} ${copy2.kind}`;
    if (expected instanceof RegExp)
      assert.throws(() => resolveSigblocks(copy1, copy2), formatError(expected), what);
    else assert.deepEqual(resolveSigblocks(copy1, copy2), expected, what);
  }
});

test("two copies: an interrupted grow is told by the size of the device", () => {
  const grown = { ...HEADER, deviceSize: sectors(HEADER.deviceSize * 2n) };
  const small = V;
  const large: SigblockCopy = { kind: "valid", header: grown };
  const resolve = (size: bigint | null): unknown =>
    resolveSigblocks(large, small, size === null ? null : sectors(size));
  assert.deepEqual(resolve(grown.deviceSize), { header: grown, repair: 1 });
  assert.deepEqual(resolveSigblocks(small, large, grown.deviceSize), { header: grown, repair: 0 });
  assert.deepEqual(resolve(grown.deviceSize - 1n), { header: HEADER, repair: 0 });
  assert.deepEqual(resolve(HEADER.deviceSize - 1n), { header: HEADER, repair: null });
  assert.throws(() => resolve(null), formatError(/disagree/));
});

test("two copies: one that lost its mark, or did not get it yet, wins", () => {
  const flagged = (flags: bigint): SigblockCopy => ({ kind: "valid", header: { ...HEADER, flags } });
  assert.deepEqual(resolveSigblocks(V, flagged(1n)), { header: HEADER, repair: 1 });
  assert.deepEqual(resolveSigblocks(flagged(2n), V), { header: HEADER, repair: 0 });
  assert.deepEqual(resolveSigblocks(flagged(2n), flagged(1n)), {
    header: { ...HEADER, flags: 2n },
    repair: 1,
  });
  assert.deepEqual(resolveSigblocks(flagged(2n), flagged(2n)), {
    header: { ...HEADER, flags: 2n },
    repair: null,
  });
  assert.deepEqual(resolveSigblocks(flagged(1n), N), { header: { ...HEADER, flags: 1n }, repair: 1 });
});
