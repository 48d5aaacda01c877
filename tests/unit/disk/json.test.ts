import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LosslessNumber } from "lossless-json";
import { isJsonObject, parseJson, printJson, printJsonSorted, type JsonValue } from "../../../src/disk/json";
import { damagedBytes } from "./damage";
import { formatError, RECORD_V1, RECORD_V2_CACHE, valueOrFormatError } from "./vectors";

test("integers keep every digit", () => {
  assert.equal(parseJson("18446744073709551615"), 18446744073709551615n);
  assert.equal(parseJson("-9223372036854775808"), -9223372036854775808n);
  assert.equal(printJson({ a: [18446744073709551615n, -1n, 0n] }), '{"a":[18446744073709551615,-1,0]}');
});

test("numbers that are not integers keep their text", () => {
  for (const text of ["1.0", "-0", "1e3", "0.10", "1E-7", "1e999", `1${"0".repeat(40)}`]) {
    const value = parseJson(text);
    assert.ok(value instanceof LosslessNumber, text);
    assert.equal(printJson(value), text);
    assert.equal(isJsonObject(value), false);
  }
});

test("keys keep their order, or are sorted at every level", () => {
  const text = '{"b":{"z":1,"a":[{"y":null,"x":true}]},"a":"\\u0001é\\"/"}';
  assert.equal(printJson(parseJson(text)), text);
  assert.equal(
    printJsonSorted(parseJson(text)),
    '{"a":"\\u0001é\\"/","b":{"a":[{"x":true,"y":null}],"z":1}}',
  );
});

test("a key given twice is an error, whatever its values", () => {
  for (const text of [
    '{"a":1,"a":2}',
    '{"a":1,"a":1}',
    '{"x":[{"a":{},"a":{}}]}',
    '{"__proto__":1,"__proto__":1}',
  ])
    assert.throws(() => parseJson(text), formatError(/given twice/), text);
  assert.equal(printJson(parseJson('{"a":{"a":":"},"b":"\\":"}')), '{"a":{"a":":"},"b":"\\":"}');
});

test("__proto__ is a key like others", () => {
  const value = parseJson('{"__proto__":{"name":"x"}}');
  assert.ok(isJsonObject(value));
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal(value["name"], undefined);
  assert.equal(printJson(value), '{"__proto__":{"name":"x"}}');
});

test("what is not one JSON document is an error", () => {
  const texts = [
    "",
    " ",
    "{",
    "[1,]",
    "{a:1}",
    "01",
    "+1",
    ".5",
    "nul",
    '"\n"',
    '"\\x"',
    "1 2",
    "{}\0",
    "\ufeff{}",
    "NaN",
  ];
  for (const text of texts)
    assert.throws(() => parseJson(text), formatError(/Not a valid JSON document/), text);
});

test("deep nesting is an error, not an exhausted stack", () => {
  const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
  assert.doesNotThrow(() => parseJson(nested(127)));
  for (const depth of [200, 100_000]) assert.throws(() => parseJson(nested(depth)), formatError(/JSON/));
  assert.throws(() => parseJson('{"a":'.repeat(50_000)), formatError(/JSON/));
});

test("agrees with JSON.parse and JSON.stringify where those lose nothing", () => {
  const withoutNumbers = fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom(null, true, false),
      fc.string({ unit: "binary" }),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.string({ unit: "binary" }), tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(withoutNumbers, (value) => {
      const text = JSON.stringify(value);
      assert.equal(printJson(value), text);
      assert.equal(printJson(parseJson(text)), text);
    }),
  );
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      assert.equal(parseJson(printJson(value)), value);
    }),
  );
});

test("any input gives a value or a DiskFormatError", () => {
  fc.assert(
    fc.property(damagedBytes([Buffer.from(RECORD_V1), Buffer.from(RECORD_V2_CACHE)]), (bytes) => {
      valueOrFormatError(() => {
        printJson(parseJson(bytes.toString("utf8")));
      });
    }),
    { numRuns: 500 },
  );
});
