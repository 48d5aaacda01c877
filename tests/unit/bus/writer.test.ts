/** What is marshalled ahead, and messages in pieces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next/lib/variant";
import fc from "fast-check";
import { decode, encode, encodeForEach, encodePieces, MESSAGE_TYPE, TooLong } from "../../../src/bus/codec";
import { joinElements, marshalElements } from "../../../src/bus/writer";

const signal = { type: MESSAGE_TYPE.signal, serial: 1, path: "/a", interface: "a.b", member: "S" };
const entries = (from: number, to: number, length: number): Record<string, Variant<unknown>> =>
  Object.fromEntries(
    Array.from({ length: to - from }, (_, index) => [
      `k${from + index}`,
      new Variant("s", "x".repeat(length)),
    ]),
  );

test("elements of several arrays become those of one", () => {
  const length = fc.nat(30);
  fc.assert(
    fc.property(fc.nat(4), fc.nat(4), length, (first, second, text) => {
      const joined = joinElements("a{sv}", [
        marshalElements("a{sv}", entries(0, first, text)),
        marshalElements("a{sv}", {}),
        marshalElements("a{sv}", entries(first, first + second, text)),
      ]);
      assert.deepEqual(joined.bytes, marshalElements("a{sv}", entries(0, first + second, text)).bytes);
    }),
  );
  assert.throws(() => joinElements("a{sv}", [marshalElements("a{ss}", {})]), /can't be joined/);
  assert.throws(() => joinElements("as", []), /multiple of 8/);
});

test("short and long elements give the same message, and long ones are not copied", () => {
  const length = fc.integer({ min: 0, max: 1200 });
  fc.assert(
    fc.property(fc.array(length, { maxLength: 6 }), (lengths) => {
      const plain = lengths.map((text) => entries(0, 2, text));
      const ahead = plain.map((value) => marshalElements("a{sv}", value));
      const named = (values: readonly unknown[]) =>
        Object.fromEntries(values.map((value, index) => [`/o${index}`, value]));
      const body = (values: readonly unknown[]) => [named(values), "end", values];
      const signature = "a{oa{sv}}saa{sv}";
      const { data } = encode({ ...signal, signature, body: body(plain) });
      const { pieces } = encodePieces({ ...signal, signature, body: body(ahead) });
      assert.deepEqual(Buffer.concat(pieces), data);
      assert.deepEqual(decode(data).body, body(plain));
      for (const { bytes } of ahead) if (bytes.length > 512) assert.ok(pieces.includes(bytes));
    }),
  );
});

test("messages that differ by a text are what each is by itself", () => {
  const text = fc.oneof(
    fc.constantFrom("a.b.r0", "a.b.r1", "x", "", "\u00e9.b.r1", "a.b.r10"),
    fc.string({ unit: "binary", maxLength: 8 }).map((any) => any.replaceAll("\0", "-")),
  );
  const own = fc.record({ serial: fc.integer({ min: 1, max: 0xffffffff }), text });
  const forms = fc.constantFrom<{ signature: string; bodyOf: (text: string, rest: unknown) => unknown[] }>(
    { signature: "sa{sv}as", bodyOf: (text, rest) => [text, rest, ["end"]] },
    { signature: "oasa{sv}", bodyOf: (text, rest) => ["/a/b", [text], rest] },
    { signature: "ssa{sv}", bodyOf: (text, rest) => [text, text, rest] },
    { signature: "ssa{sv}", bodyOf: (text, rest) => ["a.b.r1", text, rest] },
  );
  fc.assert(
    fc.property(
      fc.array(own, { maxLength: 5 }),
      fc.nat(1200),
      forms,
      (each, length, { signature, bodyOf }) => {
        const rest = marshalElements("a{sv}", entries(0, 2, length));
        const messageOf = (one: string) => ({ ...signal, signature, body: bodyOf(one, rest) });
        const alone = each.map(({ serial, text: one }) => encode({ ...messageOf(one), serial }).data);
        assert.deepEqual(Buffer.concat(encodeForEach(each, messageOf)), Buffer.concat(alone));
      },
    ),
    { numRuns: 500 },
  );
});

test("messages that differ by a text are refused as one of them is", () => {
  const each = (...texts: string[]) => texts.map((text, index) => ({ serial: index + 1, text }));
  const message =
    (signature: string, ...rest: unknown[]) =>
    (text: string) => ({
      ...signal,
      signature,
      body: [text, ...rest],
    });
  assert.throws(() => encodeForEach(each("a", "\0"), message("s")), TypeError);
  assert.throws(() => encodeForEach(each("a", "\ud800"), message("s")), TypeError);
  assert.throws(() => encodeForEach(each("a", "b"), message("su", "rest")), TypeError);
  assert.throws(() => encodeForEach(each("a", "b"), message("sh", 0)), /Descriptors/);
  assert.throws(() => encodeForEach(each("a", "b"), message("s"), 40), TooLong);
});

test("messages that were encoded stay as they are when others are", () => {
  const message = (text: string) => encode({ ...signal, signature: "s", body: [text] }).data;
  const first = message("one");
  const copy = Buffer.from(first);
  message("another");
  assert.throws(() => encode({ ...signal, signature: "av", body: [[new Variant("s", 5)]] }), TypeError);
  assert.deepEqual(first, copy);
  assert.deepEqual(message("one"), first);
  const large = message("x".repeat(200_000));
  assert.deepEqual(message("one"), first);
  assert.deepEqual(decode(large).body, ["x".repeat(200_000)]);
});

test("text that cannot be sent is refused, or replaced where that is asked for", () => {
  const value = { "a\0": new Variant("s", "\udc00b") };
  assert.throws(() => marshalElements("a{sv}", value), TypeError);
  assert.deepEqual(
    marshalElements("a{sv}", value, "replace").bytes,
    marshalElements("a{sv}", { "a\ufffd": new Variant("s", "\ufffdb") }).bytes,
  );
});

test("what is longer than allowed is told apart from what does not fit", () => {
  const body = (size: number) => ({ ...signal, signature: "ay", body: [Buffer.alloc(size)] });
  assert.throws(() => encodePieces(body(1000), 1000), TooLong);
  const elements = marshalElements("a{sv}", entries(0, 1, 1000));
  assert.throws(() => encodePieces({ ...signal, signature: "a{sv}", body: [elements] }, 1000), TooLong);
  const { pieces } = encodePieces(body(1000));
  const { length } = Buffer.concat(pieces);
  assert.deepEqual(encodePieces(body(1000), length).pieces, pieces);
  assert.throws(() => encodePieces(body(1000), length - 1), TooLong);
});
