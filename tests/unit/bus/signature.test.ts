import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSignature, parseSingleType } from "../../../src/bus/signature";

test("signatures are parsed into their types, and what is no signature is refused", () => {
  assert.deepEqual(parseSignature(""), []);
  assert.deepEqual(parseSignature("sa{s(bv)}"), [
    { code: "s", children: [] },
    {
      code: "a",
      children: [
        {
          code: "{",
          children: [
            { code: "s", children: [] },
            {
              code: "(",
              children: [
                { code: "b", children: [] },
                { code: "v", children: [] },
              ],
            },
          ],
        },
      ],
    },
  ]);
  for (const bad of [
    ...["(", "(s", "a", "z", ")", "a{s", "s)", "()", "{ss}", "a{vs}", "a{(s)s}", "a{sss}", "a{s}"],
    ...["a".repeat(33) + "s", "(".repeat(33) + "s" + ")".repeat(33), "s".repeat(256)],
  ])
    assert.throws(() => parseSignature(bad));
});

test("the limits themselves are allowed", () => {
  assert.equal(parseSignature("s".repeat(255)).length, 255);
  parseSingleType("a".repeat(32) + "s");
  parseSingleType("(".repeat(32) + "s" + ")".repeat(32));
  parseSingleType("a".repeat(32) + "(".repeat(32) + "s" + ")".repeat(32));
  assert.throws(() => parseSingleType("ss"), /not one complete type/);
  assert.throws(() => parseSingleType(""), /not one complete type/);
});
