import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseInteger } from "../../../../cli/format/integer";

test("integers are taken in Python's syntax", () => {
  const vectors: [string, bigint][] = [
    ["0", 0n],
    ["007", 7n],
    ["+5", 5n],
    ["-0", 0n],
    ["-12", -12n],
    [" 10\t", 10n],
    ["1_0", 10n],
    ["1_000_000", 1000000n],
    ["\u0661\u0662", 12n],
    ["\u{1d7d8}\u{1d7cf}", 1n],
    ["340282366920938463463374607431768211456", 1n << 128n],
  ];
  for (const [text, value] of vectors) assert.equal(parseInteger(text), value, text);
});

test("other text is no integer", () => {
  for (const text of ["", " ", "a", "1.2", "1e3", "0x10", "_1", "1_", "1__0", "+ 1", "--1", "1 0", "\u00b2"])
    assert.equal(parseInteger(text), null, text);
});

test("every integer is read as what it is", () => {
  fc.assert(
    fc.property(fc.bigInt(), (value) => {
      assert.equal(parseInteger(value.toString()), value);
    }),
  );
});
