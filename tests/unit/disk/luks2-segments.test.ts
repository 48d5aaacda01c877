import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesDone, dataLayout } from "../../../src/disk/luks2-segments";

const MIB = 1024 * 1024;
const OFFSET = 17 * MIB;
type Segment = Record<string, unknown>;

const at = (offset: number, size: number | null): Segment => ({
  offset: String(OFFSET + offset),
  size: size === null ? "dynamic" : String(size),
});
const plain = (offset: number, size: number | null, flags?: string[]): Segment => ({
  type: "linear",
  ...at(offset, size),
  ...(flags === undefined ? {} : { flags }),
});
const secret = (offset: number, size: number | null, flags?: string[], sectorSize = 512): Segment => ({
  type: "crypt",
  ...at(offset, size),
  iv_tweak: String(offset / 512),
  encryption: "aes-xts-plain64",
  sector_size: sectorSize,
  ...(flags === undefined ? {} : { flags }),
});
/** `keys`: for each digest the segments that it is for. */
const json = (segments: Segment[], ...keys: number[][]): string =>
  JSON.stringify({
    segments: Object.fromEntries(segments.map((segment, index) => [String(index), segment])),
    digests: Object.fromEntries(keys.map((of, index) => [String(index), { segments: of.map(String) }])),
  });

test("an encrypted device is one segment, with its key", () => {
  assert.deepEqual(dataLayout(json([secret(0, null, undefined, 4096)], [0])), {
    segments: [
      {
        offset: BigInt(OFFSET),
        length: null,
        inWork: false,
        encryption: { cipher: "aes-xts-plain64", ivOffset: 0n, sectorSize: 4096, digest: 0 },
      },
    ],
    final: null,
  });
});

const PREVIOUS = ["backup-previous"];
const FINAL = ["backup-final"];
const WORK = ["in-reencryption"];
const DONE: [string, string, bigint | null][] = [
  ["nothing is under way", json([secret(0, null)], [0]), null],
  [
    "an encryption, before it begins",
    json([plain(0, null), plain(0, null, PREVIOUS), secret(0, null, FINAL)], [2]),
    0n,
  ],
  [
    "an encryption, in the middle",
    json(
      [secret(0, 64 * MIB), plain(64 * MIB, null), plain(0, null, PREVIOUS), secret(0, null, FINAL)],
      [0, 3],
    ),
    64n * BigInt(MIB),
  ],
  [
    "an encryption, in a piece",
    json(
      [
        secret(0, 64 * MIB),
        secret(64 * MIB, MIB, WORK),
        plain(65 * MIB, null),
        plain(0, null, PREVIOUS),
        secret(0, null, FINAL),
      ],
      [0, 1, 4],
    ),
    64n * BigInt(MIB),
  ],
  [
    "a re-encryption, before it begins",
    json([secret(0, null), secret(0, null, PREVIOUS), secret(0, null, FINAL)], [0, 1], [2]),
    0n,
  ],
  [
    "a re-encryption, in the middle",
    json(
      [secret(0, MIB), secret(MIB, null), secret(0, null, PREVIOUS), secret(0, null, FINAL)],
      [1, 2],
      [0, 3],
    ),
    BigInt(MIB),
  ],
  [
    "a re-encryption, all done",
    json([secret(0, null), secret(0, null, PREVIOUS), secret(0, null, FINAL)], [1], [0, 2]),
    null,
  ],
  [
    "a decryption, before it begins",
    json([secret(0, null), secret(0, null, PREVIOUS), plain(0, null, FINAL)], [0, 1]),
    0n,
  ],
  [
    "a decryption, all done",
    json([plain(0, null), secret(0, null, PREVIOUS), plain(0, null, FINAL)], [1]),
    null,
  ],
];
for (const [what, header, done] of DONE)
  test(`how much is done: ${what}`, () => {
    assert.equal(bytesDone(dataLayout(header)), done);
  });

const BAD: [string, string, RegExp][] = [
  ["no object", "[]", /not a JSON object/],
  ["no segments", JSON.stringify({ segments: {}, digests: {} }), /no data/],
  ["a gap", json([secret(0, MIB), secret(2 * MIB, null)]), /segment 0 does not end/],
  ["something behind the end", json([secret(0, null), secret(MIB, null)]), /segment 0 does not end/],
  ["another type", json([{ ...plain(0, null), type: "raid" }]), /neither encrypted nor plain/],
  ["an offset that is a number", json([{ ...plain(0, null), offset: 5 }]), /offset of segment 0/],
  ["a cipher with blanks", json([{ ...secret(0, null), encryption: "aes xts" }]), /no cipher/],
  ["sectors of 3 bytes", json([{ ...secret(0, null), sector_size: 3 }]), /no sector size/],
];
for (const [what, header, message] of BAD)
  test(`refused: ${what}`, () => {
    assert.throws(() => dataLayout(header), { name: "DiskFormatError", message });
  });
