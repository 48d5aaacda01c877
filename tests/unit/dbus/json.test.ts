import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, jsonText, presentableJson } from "../../../src/dbus/json";
import { EngineError } from "../../../src/engine/errors";

test("compact, keys sorted, integers exact, numbers as they were written", () => {
  assert.equal(
    jsonText({ b: [1, { d: null, c: "x" }], a: 2n ** 64n }),
    '{"a":18446744073709551616,"b":[1,{"c":"x","d":null}]}',
  );
  assert.equal(jsonText({ a: undefined, b: true }), '{"b":true}');
  assert.equal(
    canonicalJson(' { "url" : "http://t", "n": 12345678901234567890, "f": 1.50 } '),
    '{"f":1.50,"n":12345678901234567890,"url":"http://t"}',
  );
});

test("canonical JSON means the same and is canonical already", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(JSON.stringify(value));
      assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.equal(canonicalJson(text), text);
    }),
  );
});

test("what is no JSON is refused from clients and left alone from disks", () => {
  for (const text of ["", "{", "{'a':1}", "nonsense", "[".repeat(200_000)])
    assert.throws(
      () => canonicalJson(text),
      (error) => {
        assert.ok(error instanceof EngineError);
        return error.message.startsWith("Serde error: ");
      },
    );
  assert.equal(presentableJson("nonsense"), "nonsense");
  assert.equal(presentableJson('{"b":1, "a":2}'), '{"a":2,"b":1}');
});
