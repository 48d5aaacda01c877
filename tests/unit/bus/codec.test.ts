import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next/lib/variant";
import { marshallMessage } from "dbus-next/lib/marshall-compat";
import fc from "fast-check";
import { decode, encode, FIXED_BYTES, MESSAGE_TYPE, messageLength } from "../../../src/bus/codec";
import { marshalElements } from "../../../src/bus/writer";

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

test("signals in a row have each its own head and arguments", () => {
  const signal = { type: MESSAGE_TYPE.signal, path: "/a", interface: "a.b", member: "S", signature: "s" };
  const row = [
    ...["one", "another one"].map((text) => ({ ...signal, body: [text] })),
    ...[{ path: "/b" }, { interface: "a.c" }, { member: "T" }, { flags: 1 }, { destination: "c.d" }].flatMap(
      (other) => [
        { ...signal, body: ["before"] },
        { ...signal, ...other, body: ["other"] },
      ],
    ),
    { ...signal, signature: "ss", body: ["two", "of them"] },
    { ...signal, signature: "", body: [] },
  ].map((message, index) => ({ ...message, serial: 1000 * (index + 1) }));
  for (const message of row) {
    const { data } = encode(message);
    assert.equal(messageLength(data.subarray(0, FIXED_BYTES)), data.length);
    const { bodyAt, ...decoded } = decode(data);
    assert.ok(bodyAt > FIXED_BYTES);
    assert.deepEqual(decoded, { flags: 0, ...message });
  }
});

test("big-endian messages are understood, 64-bit numbers too", () => {
  // type 1, no flags, version 1, serial 2; path "/", member "M" and signature "usxv".
  const fields = [
    [1, 1, 0x6f, 0, 0, 0, 0, 1, 0x2f, 0, 0, 0, 0, 0, 0, 0],
    [3, 1, 0x73, 0, 0, 0, 0, 1, 0x4d, 0, 0, 0, 0, 0, 0, 0],
    [8, 1, 0x67, 0, 4, 0x75, 0x73, 0x78, 0x76, 0],
  ].flat();
  const body = [
    [0, 0, 1, 2, 0, 0, 0, 1, 0x78, 0, 0, 0, 0, 0, 0, 0],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 1, 0x6e, 0, 0, 0x80, 0],
  ].flat();
  const head = [0x42, 1, 0, 1, 0, 0, 0, body.length, 0, 0, 0, 2, 0, 0, 0, fields.length];
  const bytes = Buffer.from([...head, ...fields, 0, 0, 0, 0, 0, 0, ...body]);
  assert.equal(messageLength(bytes.subarray(0, FIXED_BYTES)), bytes.length);
  const message = decode(bytes);
  assert.deepEqual([message.path, message.member, message.serial], ["/", "M", 2]);
  assert.deepEqual(message.body, [258, "x", -2n, new Variant("n", -0x8000)]);
});

test("fields that are not known are passed over, known ones of another type are refused", () => {
  // type 1, no flags, version 1, serial 2; path "/", and a field 77 or 3 with a variant of an array of two numbers.
  const message = (code: number): Buffer => {
    const path = [1, 1, 0x6f, 0, 1, 0, 0, 0, 0x2f, 0, 0, 0, 0, 0, 0, 0];
    const other = [code, 2, 0x61, 0x71, 0, 0, 0, 0, 4, 0, 0, 0, 1, 0, 2, 0];
    return Buffer.from([0x6c, 1, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 32, 0, 0, 0, ...path, ...other]);
  };
  const { path, member, body } = decode(message(77));
  assert.deepEqual([path, member, body], ["/", undefined, []]);
  assert.throws(() => decode(message(3)), /has a member of type aq/);
  const cut = message(77);
  cut.writeUInt32LE(28, 12);
  assert.throws(() => decode(cut), /header that ends within a field/);
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

const integer = (low: number, high: number) => fc.integer({ min: low, max: high });
const text = fc.string({ unit: "binary" }).filter((value) => !/\0|\p{Surrogate}/u.test(value));
/** A signature of one complete type with a value of it. */
const { typed } = fc.letrec<{ typed: [string, unknown] }>((tie) => ({
  typed: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    ...[
      fc.tuple(fc.constant("y"), integer(0, 0xff)),
      fc.tuple(fc.constant("n"), integer(-0x8000, 0x7fff)),
      fc.tuple(fc.constant("q"), integer(0, 0xffff)),
      fc.tuple(fc.constant("i"), integer(-0x80000000, 0x7fffffff)),
      fc.tuple(fc.constant("u"), integer(0, 0xffffffff)),
      fc.tuple(fc.constant("x"), fc.bigInt({ min: 1n - 2n ** 63n, max: 2n ** 63n - 1n })),
      fc.tuple(fc.constant("t"), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })),
      fc.tuple(fc.constant("b"), fc.boolean()),
      // dbus-next loses the signs of -0 and infinity (and refuses -2^63).
      fc.tuple(
        fc.constant("d"),
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
      ),
      fc.tuple(fc.constant("s"), text),
      fc.tuple(fc.constant("g"), fc.constantFrom("", "s", "a{s(bv)}", "ay")),
      fc.tuple(fc.constant("o"), fc.constantFrom("/", "/a/b_1")),
      fc.tuple(
        fc.constant("ay"),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
      tie("typed").map(([signature, value]) => ["v", new Variant(signature, value)] as [string, unknown]),
      fc
        .tuple(tie("typed"), fc.nat(3))
        .filter(([[signature]]) => signature !== "y")
        .map(
          ([[signature, value], times]) =>
            [`a${signature}`, Array<unknown>(times).fill(value)] as [string, unknown],
        ),
      fc
        .tuple(tie("typed"), fc.array(fc.stringMatching(/^[a-z_]+$/), { maxLength: 3 }))
        .map(
          ([[signature, value], keys]) =>
            [`a{s${signature}}`, Object.fromEntries(keys.map((key) => [key, value]))] as [string, unknown],
        ),
      fc
        .array(tie("typed"), { minLength: 1, maxLength: 4 })
        .map(
          (members) =>
            [`(${members.map(([code]) => code).join("")})`, members.map(([, value]) => value)] as [
              string,
              unknown,
            ],
        ),
    ],
  ),
}));

test("what is encoded is what dbus-next encodes, and decodes to the same", () => {
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 4 }), (values) => {
      const message = {
        ...{ type: MESSAGE_TYPE.methodCall, serial: 7, flags: 0, path: "/a", interface: "a.b", member: "M" },
        signature: values.map(([code]) => code).join(""),
        body: values.map(([, value]) => value),
      };
      const { data } = encode(message);
      assert.deepEqual(decode(data).body, message.body);
      const [reference] = marshallMessage({ ...message });
      // The order of header fields is free.
      const length = (bytes: Buffer) => bytes.readUInt32LE(4);
      assert.equal(data.length, reference.length);
      assert.deepEqual(
        data.subarray(data.length - length(data)),
        reference.subarray(data.length - length(data)),
      );
    }),
    { numRuns: 500 },
  );
});

test("elements that were marshalled ahead give the same bytes, wherever they are", () => {
  const signature = "a{sa{sv}}";
  const value = { one: { a: new Variant("t", 5n), b: new Variant("y", 1) }, two: {} };
  const ahead = marshalElements(signature, value);
  for (const prefix of ["", "1", "12345", "1234567"]) {
    const message = (third: unknown) =>
      encode({ ...call, signature: `s(y${signature})`, body: [prefix, [1, third]] }).data;
    assert.deepEqual(message(ahead), message(value));
  }
  assert.throws(() => encode({ ...call, signature: "a{ss}", body: [ahead] }), TypeError);
  assert.throws(() => marshalElements("as", []), /multiple of 8/);
});

test("messages whose parts contradict each other are refused with what is wrong", () => {
  const { data } = encode({ ...call, signature: "sas", body: ["text", ["a", "b"]] });
  const start = data.length - data.readUInt32LE(4);
  const changed = (at: number, ...bytes: number[]) => {
    const copy = Buffer.from(data);
    copy.set(bytes, start + at);
    return () => decode(copy);
  };
  assert.throws(changed(0, 5), /does not end where its length says/);
  assert.throws(changed(0, 0xff, 0xff, 0xff, 0xff), /ends within a value/);
  assert.throws(changed(4, 0xff), /not UTF-8/);
  assert.throws(changed(5, 0), /does not end where its length says/);
  assert.throws(changed(9, 1), /padding that is not zero/);
  assert.throws(changed(12, 0xff), /ends within an array/);
  assert.throws(changed(12, 1, 0, 0, 0x04), /array of 67108865 bytes/);
  assert.throws(() => decode(data.subarray(0, -1)), /ends within/);
  assert.throws(() => decode(Buffer.concat([data, Buffer.alloc(8)])), /8 bytes behind its arguments/);
  // Variants may be nested to a depth of 64 only.
  const nested = (depth: number) => {
    let value = new Variant<unknown>("y", 1);
    for (let i = 1; i < depth; i++) value = new Variant<unknown>("v", value);
    return marshallMessage({ ...call, signature: "v", body: [value] })[0];
  };
  decode(nested(64));
  assert.throws(() => decode(nested(65)), /nests values too deeply/);
});

test("a message longer than D-Bus allows is refused before it is sent", () => {
  const large = Buffer.alloc(60 * 1024 * 1024);
  assert.throws(
    () => encode({ ...call, signature: "ayayay", body: [large, large, large] }),
    /that D-Bus allows/,
  );
  assert.throws(
    () => encode({ ...call, signature: "ay", body: [Buffer.alloc(65 * 1024 * 1024)] }),
    /D-Bus allows 67108864/,
  );
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
