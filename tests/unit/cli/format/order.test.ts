import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { byCodePoint } from "../../../../cli/format/order";

test("text is ordered by code point, not by UTF-16 unit or language", () => {
  const sorted = ["<UNAVAILABLE>", "A", "B", "a", "a1", "b", "\u00e9", "\uffff", "\u{1f600}"];
  assert.deepEqual([...sorted].reverse().sort(byCodePoint), sorted);
});

test("the order is that of the UTF-8 encoding", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(text, text, (left, right) => {
      assert.equal(
        Math.sign(byCodePoint(left, right)),
        Buffer.compare(Buffer.from(left), Buffer.from(right)),
      );
    }),
  );
});
