import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32c } from "../../../src/disk/crc32c";
import { RECORD_V2 } from "./vectors";

test("vectors of on-disk-format.md §3 and §18", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  assert.equal(crc32c(Buffer.alloc(0)), 0);
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa);
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43);
  assert.equal(crc32c(Buffer.from("{}")), 0x297bd0aa);
  assert.equal(crc32c(Buffer.from(RECORD_V2)), 0xdcac3efa);
});

test("input in pieces gives the checksum of the whole", () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
      assert.equal(crc32c(b, crc32c(a)), crc32c(Buffer.concat([a, b])));
    }),
  );
});

test("any change of up to 32 adjacent bits is noticed", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 4, maxLength: 64 }),
      fc.nat(),
      fc.integer({ min: 1, max: 0xffffffff }),
      (data, position, mask) => {
        const changed = Buffer.from(data);
        const offset = position % (data.length - 3);
        changed.writeUInt32LE((changed.readUInt32LE(offset) ^ mask) >>> 0, offset);
        assert.notEqual(crc32c(changed), crc32c(data));
      },
    ),
  );
});
