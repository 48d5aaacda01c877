import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { builtProgram, runSync } from "./support";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** RFC 4648 without padding; of its own, so that the helper is not tested against the daemon's encoder. */
function base32(bytes: Uint8Array): string {
  const bits = Array.from(bytes, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const digits = bits.match(/.{1,5}/g) ?? [];
  return digits.map((digit) => ALPHABET.charAt(parseInt(digit.padEnd(5, "0"), 2))).join("");
}

const decode = (...args: string[]) => runSync(builtProgram("stratis-base32-decode"), args);
const compare = (...args: string[]) => runSync(builtProgram("stratis-str-cmp"), args);

test("names are decoded", () => {
  for (const [value, name] of [
    ["NV4XA33PNQ", "mypool"],
    ["MZZTC", "fs1"],
    ["OAYQ", "p1"],
    ["MYYQ", "f1"],
    ["OBXW63BR", "pool1"],
    ["", ""],
  ] as const) {
    const result = decode("STRATIS_POOL_NAME", value);
    assert.deepEqual([result.status, result.stdout, result.stderr], [0, `STRATIS_POOL_NAME=${name}\n`, ""]);
  }
});

test("any text survives the way through base32", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      const bytes = Buffer.from(text, "utf8");
      assert.equal(decode("K", base32(bytes)).stdout, `K=${bytes.toString("utf8")}\n`);
    }),
    { numRuns: 60 },
  );
});

test("only canonical base32 without padding is accepted", () => {
  const bad = [
    "mfrgg",
    "MZZTC===",
    "MZZT C",
    "MZZT1",
    "MZZT0",
    "MZZT8",
    "MZZT!",
    "ä",
    "A",
    "AAA",
    "AAAAAA",
    "MZ",
  ];
  for (const value of bad) {
    const result = decode("KEY", value);
    assert.deepEqual([result.status, result.stdout], [1, ""], value);
    assert.match(result.stderr, /not canonical base32/);
  }
});

test("bytes that are not UTF-8 are refused", () => {
  for (const hex of [
    "ff",
    "80",
    "c080",
    "c3",
    "e28082c3",
    "eda080",
    "f4908080",
    "f8888080",
    "e0809f",
    "f08080af",
  ]) {
    const result = decode("KEY", base32(Buffer.from(hex, "hex")));
    assert.deepEqual([result.status, result.stdout], [1, ""], hex);
    assert.match(result.stderr, /not UTF-8/);
  }
  for (const text of [
    "\u007f",
    "\u0080",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\uffff",
    "\u{10000}",
    "\u{10ffff}",
  ]) {
    assert.equal(decode("KEY", base32(Buffer.from(text))).stdout, `KEY=${text}\n`);
  }
});

test("long values are decoded whole", () => {
  const text = "ü".repeat(30000);
  assert.equal(decode("KEY", base32(Buffer.from(text))).stdout, `KEY=${text}\n`);
});

test("missing arguments are errors, more than two are ignored", () => {
  for (const program of [decode, compare]) {
    for (const args of [[], ["one"]]) {
      const result = program(...args);
      assert.deepEqual([result.status, result.stdout], [1, ""]);
      assert.notEqual(result.stderr, "");
    }
  }
  assert.equal(decode("K", "OAYQ", "ignored").stdout, "K=p1\n");
  assert.equal(compare("a", "a", "b").stdout, "0\n");
});

test("strings are compared bytewise", () => {
  const uuid = "bc5302fd-8bc6-405f-8f98-b39ecf13c088";
  for (const [a, b, answer] of [
    [uuid, uuid, "0\n"],
    [uuid, uuid.toUpperCase(), "1\n"],
    ["", "", "0\n"],
    ["a", "", "1\n"],
    ["a", "ab", "1\n"],
    ["ä", "a\u0308", "1\n"],
    ["x".repeat(100000), "x".repeat(100000), "0\n"],
  ] as const) {
    const result = compare(a, b);
    assert.deepEqual([result.status, result.stdout, result.stderr], [0, answer, ""]);
  }
});

test("output that can't be written is an error", () => {
  for (const program of ["stratis-base32-decode", "stratis-str-cmp"]) {
    const result = runSync("/bin/sh", ["-c", '"$0" K OAYQ > /dev/full', builtProgram(program)]);
    assert.equal(result.status, 1);
    assert.match(result.stderr, /standard output: No space left on device/);
  }
});

test("the helpers need no library", () => {
  for (const program of ["stratis-base32-decode", "stratis-str-cmp"]) {
    const image = fs.readFileSync(builtProgram(program));
    // A program header of type PT_INTERP names the dynamic loader.
    const at = Number(image.readBigUInt64LE(32));
    const [size, count] = [image.readUInt16LE(54), image.readUInt16LE(56)];
    const types = Array.from({ length: count }, (_, i) => image.readUInt32LE(at + i * size));
    // A build under AddressSanitizer can't be static; it is for tests only.
    assert.equal(types.includes(3), image.includes("__asan_init"), `${program} is linked dynamically`);
  }
});
