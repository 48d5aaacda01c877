import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next/lib/variant";
import fc from "fast-check";
import { decode, encode, FIXED_BYTES, MESSAGE_TYPE, messageLength } from "../../../src/bus/codec";

const call = {
  type: MESSAGE_TYPE.methodCall,
  serial: 7,
  path: "/a",
  interface: "a.b",
  member: "M",
  destination: "c.d",
  signature: "sa{sv}(bh)",
  body: ["text", { key: new Variant("t", 5n) }, [true, 9]],
};

test("a message is decoded to what was encoded, a descriptor to its index", () => {
  const { data, descriptors } = encode(call);
  assert.deepEqual(descriptors, [9]);
  assert.equal(messageLength(data.subarray(0, FIXED_BYTES)), data.length);
  const message = decode(data);
  assert.equal(message.type, MESSAGE_TYPE.methodCall);
  assert.equal(message.serial, 7);
  assert.equal(message.member, "M");
  assert.equal(message.unixFd, 1);
  assert.deepEqual(message.body, [...call.body.slice(0, 2), [true, 0]]);
});

test("big-endian messages are understood", () => {
  // type 1, no flags, version 1, body of 8 bytes, serial 2; path "/" and signature "us".
  const fields = [
    [1, 1, 0x6f, 0, 0, 0, 0, 1, 0x2f, 0, 0, 0, 0, 0, 0, 0],
    [3, 1, 0x73, 0, 0, 0, 0, 1, 0x4d, 0, 0, 0, 0, 0, 0, 0],
    [8, 1, 0x67, 0, 2, 0x75, 0x73, 0],
  ].flat();
  const body = [0, 0, 1, 2, 0, 0, 0, 1, 0x78, 0];
  const head = [0x42, 1, 0, 1, 0, 0, 0, body.length, 0, 0, 0, 2, 0, 0, 0, fields.length];
  const bytes = Buffer.from([...head, ...fields, ...body]);
  assert.equal(messageLength(bytes.subarray(0, FIXED_BYTES)), bytes.length);
  const message = decode(bytes);
  assert.deepEqual([message.path, message.member, message.serial, message.body], ["/", "M", 2, [258, "x"]]);
});

test("a header that no message can have is refused", () => {
  const fixed = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from([0x6c, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    change(bytes);
    return bytes;
  };
  assert.equal(messageLength(fixed(() => undefined)), 16);
  assert.throws(() => messageLength(fixed((bytes) => (bytes[0] = 0))), /unknown byte order 0/);
  assert.throws(() => messageLength(fixed((bytes) => (bytes[3] = 2))), /protocol version 2/);
  assert.throws(
    () => messageLength(fixed((bytes) => bytes.writeUInt32LE(0xffffffff, 4))),
    /more than the 134217728/,
  );
  assert.throws(() => messageLength(fixed((bytes) => bytes.writeUInt32LE(0x04000001, 12))), /more than/);
});

test("damaged messages throw or are read, within bounds, and never hang", () => {
  const { data } = encode(call);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(data.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }),
      (changes) => {
        const bytes = Buffer.from(data);
        for (const [at, value] of changes) bytes[at] = value;
        try {
          decode(bytes);
        } catch (error) {
          assert.ok(error instanceof Error);
        }
      },
    ),
    { numRuns: 3000 },
  );
});

test("a body that does not fit its signature is not sent", () => {
  assert.throws(() => encode({ ...call, signature: "s" }));
  assert.throws(() => encode({ ...call, signature: "ss", body: ["a", 5] }));
});
