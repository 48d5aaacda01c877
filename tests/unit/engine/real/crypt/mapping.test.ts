import assert from "node:assert/strict";
import { test } from "node:test";
import { mappingTable } from "../../../../../src/engine/real/crypt/mapping";
import type { DataSegment } from "../../../../../src/disk/luks2-segments";

const UUID = "6a0c3a0e-5b1f-4d0a-9e0f-0d2a8e6c1b44";
const HEADER = { uuid: UUID, volumeKeyBytes: 64, dataOffsetSectors: 34816n };
const CONTAINER = { major: 253, minor: 7 };
const OFFSET = 34816n * 512n;

const segment = (
  from: bigint,
  length: bigint | null,
  digest: number | null,
  sectorSize = 512,
): DataSegment => ({
  offset: OFFSET + from * 512n,
  length: length === null ? null : length * 512n,
  inWork: false,
  encryption: digest === null ? null : { cipher: "aes-xts-plain64", ivOffset: from, sectorSize, digest },
});
const table = (...segments: DataSegment[]): string[] =>
  mappingTable(HEADER, { segments, final: null }, CONTAINER, 5000n).map(
    ({ start, length, type, params }) => `${start} ${length} ${type} ${params}`,
  );

test("a mapping of one key is one line, as libcryptsetup makes it", () => {
  assert.deepEqual(table(segment(0n, null, 0)), [
    `0 5000 crypt aes-xts-plain64 :64:logon:cryptsetup:${UUID}-d0 0 253:7 34816`,
  ]);
  assert.deepEqual(table(segment(0n, null, 3, 4096)), [
    `0 5000 crypt aes-xts-plain64 :64:logon:cryptsetup:${UUID}-d3 0 253:7 34816 1 sector_size:4096`,
  ]);
});

test("in the middle of an operation there is a line for what is done and one for what is not", () => {
  assert.deepEqual(table(segment(0n, 2048n, 1), segment(2048n, null, 0)), [
    `0 2048 crypt aes-xts-plain64 :64:logon:cryptsetup:${UUID}-d1 0 253:7 34816`,
    `2048 2952 crypt aes-xts-plain64 :64:logon:cryptsetup:${UUID}-d0 2048 253:7 36864`,
  ]);
  assert.deepEqual(table(segment(0n, 2048n, null), segment(2048n, null, 0)), [
    "0 2048 linear 253:7 34816",
    `2048 2952 crypt aes-xts-plain64 :64:logon:cryptsetup:${UUID}-d0 2048 253:7 36864`,
  ]);
});

test("a segment whose key is not said is refused", () => {
  const { encryption, ...rest } = segment(0n, null, 0);
  assert.ok(encryption !== null);
  const unknown = { ...rest, encryption: { ...encryption, digest: null } };
  assert.throws(() => table(unknown), /does not say which key/);
});
