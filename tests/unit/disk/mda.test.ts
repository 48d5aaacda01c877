import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../../src/disk/crc32c";
import {
  compareTimestamps,
  encodeMdaHeader,
  INITIAL_MDA_HEADER,
  mdaLayout,
  metadataCandidates,
  neverSaved,
  nextTimestamp,
  pairToOverwrite,
  parseMdaHeader,
  type ParsedMdaHeader,
  type RegionHeaders,
  type Timestamp,
} from "../../../src/disk/mda";
import { sectors } from "../../../src/units";
import { damagedBytes } from "./damage";
import { fromHex, HEADER, INITIAL_HEADER, RECORD_V2, valueOrFormatError } from "./vectors";

const at = (seconds: number, nanoseconds = 0): Timestamp => ({ seconds: BigInt(seconds), nanoseconds });

/** §18.4 */
const SAVED_HEADER = fromHex(`
  f5 56 15 4c fa 3e ac dc 04 03 00 00 00 00 00 00
  c1 40 3c 68 00 00 00 00 15 cd 5b 07 01 01 00 00`);
const SMALL_HEADER = fromHex(`
  65 c0 76 86 aa d0 7b 29 02 00 00 00 00 00 00 00
  c2 40 3c 68 00 00 00 00 00 00 00 00 01 01 00 00`);

function resealed(change: (header: Buffer) => void): Buffer {
  const header = Buffer.from(SAVED_HEADER);
  change(header);
  header.writeUInt32LE(crc32c(header.subarray(4)), 0);
  return header;
}

test("layout of the default sizes and of others", () => {
  const layout = mdaLayout(HEADER);
  assert.deepEqual(layout.offsets, [8192n, 268_288n, 528_384n, 788_480n]);
  assert.equal(layout.regionSize, 508n);
  assert.equal(layout.maxJsonBytes, 260_064);
  const small = mdaLayout({ ...HEADER, mdaSize: sectors(4n) });
  assert.deepEqual(small.offsets, [8192n, 8704n, 9216n, 9728n]);
  assert.equal(small.maxJsonBytes, 480);
});

test("the worked examples of §18.2 and §18.4", () => {
  assert.deepEqual(INITIAL_MDA_HEADER, INITIAL_HEADER);
  assert.deepEqual(parseMdaHeader(INITIAL_HEADER), { kind: "empty" });
  const header = { time: at(1_748_779_201, 123_456_789), used: 772n, dataCrc: 0xdcac3efa };
  assert.equal(crc32c(Buffer.from(RECORD_V2)), header.dataCrc);
  assert.deepEqual(encodeMdaHeader(header), SAVED_HEADER);
  assert.deepEqual(parseMdaHeader(SAVED_HEADER), { kind: "valid", header });
  assert.deepEqual(encodeMdaHeader({ time: at(1_748_779_202), used: 2n, dataCrc: 0x297bd0aa }), SMALL_HEADER);
});

test("zeros are damage, not emptiness", () => {
  assert.equal(parseMdaHeader(Buffer.alloc(32)).kind, "damaged");
});

test("every change of a single bit is damage", () => {
  for (let bit = 0; bit < 256; bit += 1) {
    const header = Buffer.from(SAVED_HEADER);
    header[bit >> 3] = (header[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.equal(parseMdaHeader(header).kind, "damaged", `bit ${bit}`);
  }
});

test("values that can't be are damage under a right checksum", () => {
  const cases: [(header: Buffer) => void, RegExp][] = [
    [(header) => header.writeUInt8(2, 28), /versions are 2 and 1/],
    [(header) => header.writeUInt8(2, 29), /versions are 1 and 2/],
    [(header) => header.writeUInt32LE(1_000_000_000, 24), /not a date/],
    [(header) => header.writeBigUInt64LE(2n ** 63n, 16), /not a date/],
  ];
  for (const [change, reason] of cases) {
    const parsed = parseMdaHeader(resealed(change));
    assert.ok(parsed.kind === "damaged");
    assert.match(parsed.reason, reason);
  }
  // The time of a region that was never written is not looked at.
  const empty = resealed((header) => {
    header.writeBigUInt64LE(0n, 8);
    header.fill(0xff, 16, 28);
  });
  assert.deepEqual(parseMdaHeader(empty), { kind: "empty" });
});

test("any input gives a result or a DiskFormatError", () => {
  const valid = [SAVED_HEADER, INITIAL_HEADER];
  fc.assert(
    fc.property(fc.oneof(damagedBytes(valid), damagedBytes(valid, { keepLength: true })), (bytes) => {
      valueOrFormatError(() => parseMdaHeader(bytes));
    }),
    { numRuns: 500 },
  );
});

const anyTime = fc
  .tuple(fc.bigInt({ min: 0n, max: 8_210_266_876_799n }), fc.integer({ min: 0, max: 999_999_999 }))
  .map(([seconds, nanoseconds]) => ({ seconds, nanoseconds }));

test("every header survives encoding", () => {
  fc.assert(
    fc.property(
      anyTime,
      fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
      fc.integer({ min: 0, max: 0xffffffff }),
      (time, used, dataCrc) => {
        const header = { time, used, dataCrc };
        assert.deepEqual(parseMdaHeader(encodeMdaHeader(header)), { kind: "valid", header });
      },
    ),
  );
  assert.throws(() => encodeMdaHeader({ time: at(0, 1_000_000_000), used: 1n, dataCrc: 0 }), RangeError);
  assert.throws(
    () => encodeMdaHeader({ time: { seconds: -1n, nanoseconds: 0 }, used: 1n, dataCrc: 0 }),
    RangeError,
  );
});

test("times compare by seconds first, beyond what a double holds", () => {
  assert.ok(compareTimestamps(at(1, 999_999_999), at(2)) < 0);
  assert.ok(compareTimestamps(at(2, 1), at(2)) > 0);
  assert.equal(compareTimestamps(at(2, 1), at(2, 1)), 0);
});

test("the next time is now, or a nanosecond after the last", () => {
  assert.deepEqual(nextTimestamp(at(5), null), at(5));
  assert.deepEqual(nextTimestamp(at(5), at(4, 999_999_999)), at(5));
  assert.deepEqual(nextTimestamp(at(5), at(5)), at(5, 1));
  assert.deepEqual(nextTimestamp(at(5), at(9, 999_999_999)), at(10));
  fc.assert(
    fc.property(anyTime, anyTime, (now, last) => {
      const next = nextTimestamp(now, last);
      assert.ok(compareTimestamps(next, last) > 0);
      assert.ok(compareTimestamps(next, now) >= 0);
      assert.ok(next.nanoseconds < 1_000_000_000);
    }),
  );
});

const V = (seconds: number, dataCrc = 1): ParsedMdaHeader => ({
  kind: "valid",
  header: { time: at(seconds), used: 10n, dataCrc },
});
const N: ParsedMdaHeader = { kind: "empty" };
const X: ParsedMdaHeader = { kind: "damaged", reason: "test" };

/** Times with the regions that are tried for them, in order. */
const tried = (headers: RegionHeaders): [number, number, number][] =>
  metadataCandidates(headers).map(({ header, regions }) => [Number(header.time.seconds), ...regions]);

test("candidates: newest first, pair 0 first on a tie, header and data from either region", () => {
  assert.deepEqual(tried([N, N, N, N]), []);
  assert.deepEqual(tried([V(1), N, V(1), N]), [[1, 0, 2]]);
  assert.deepEqual(tried([V(1), V(2), V(1), V(2)]), [
    [2, 1, 3],
    [1, 0, 2],
  ]);
  assert.deepEqual(tried([V(3), V(2), V(3), V(2)]), [
    [3, 0, 2],
    [2, 1, 3],
  ]);
  assert.deepEqual(tried([V(2), V(2), V(2), V(2)]), [
    [2, 0, 2],
    [2, 1, 3],
  ]);
  assert.deepEqual(tried([V(1), X, V(1), V(2)]), [
    [2, 3, 1],
    [1, 0, 2],
  ]);
  assert.deepEqual(tried([V(3), V(2), V(1), V(2)]), [
    [3, 0, 2],
    [2, 1, 3],
    [1, 2, 0],
  ]);
  assert.deepEqual(tried([X, V(2), X, V(2)]), [[2, 1, 3]]);
  assert.deepEqual(tried([V(2, 7), N, V(2, 8), N]), [
    [2, 0, 2],
    [2, 2, 0],
  ]);
});

test("never saved: nothing but what a first save that was cut short leaves", () => {
  for (const first of [N, X, V(1)]) assert.equal(neverSaved([first, N, N, N]), true);
  for (const headers of [
    [N, X, N, N],
    [X, N, X, N],
    [X, X, X, X],
    [V(1), N, V(1), N],
  ] as RegionHeaders[])
    assert.equal(neverSaved(headers), false);
});

test("the pair that holds the newest sound record is not overwritten", () => {
  for (const headers of [
    [N, N, N, N],
    [V(1), V(2), V(1), V(2)],
    [X, X, X, X],
  ] as RegionHeaders[]) {
    assert.equal(pairToOverwrite(headers, 0), 1);
    assert.equal(pairToOverwrite(headers, 1), 0);
  }
});

test("without a sound record: the first save goes to pair 0, later ones to the worse pair", () => {
  assert.equal(pairToOverwrite([N, N, N, N], null), 0);
  assert.equal(pairToOverwrite([X, N, N, N], null), 0);
  assert.equal(pairToOverwrite([N, X, N, X], null), 1);
  assert.equal(pairToOverwrite([V(5), X, V(5), X], null), 1);
  assert.equal(pairToOverwrite([V(1), V(2), V(1), V(2)], null), 1);
  assert.equal(pairToOverwrite([V(3), V(2), V(3), V(2)], null), 0);
  assert.equal(pairToOverwrite([X, X, X, X], null), 0);
});
