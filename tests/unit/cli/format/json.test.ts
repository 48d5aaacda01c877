import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonText, parseJson, type JsonStyle } from "../../../../cli/format/json";

const LINE: JsonStyle = { indented: false, sorted: false };
const PRETTY: JsonStyle = { indented: true, sorted: true };
const reprinted = (text: string, style = LINE): string => jsonText(parseJson(text), style);

test("one line keeps the order of keys, also of those that look like integers", () => {
  assert.equal(reprinted('{"b":1,"10":2,"2":[],"a":{}}'), '{"b": 1, "10": 2, "2": [], "a": {}}');
  assert.equal(reprinted('{"__proto__":1}'), '{"__proto__": 1}');
  assert.equal(reprinted('{"a":1,"b":2,"a":3}'), '{"a": 3, "b": 2}');
});

test("the indented form has four blanks a level and sorted keys", () => {
  assert.equal(
    reprinted('{"pools":[{"name":"p","fs":[],"x":{}}],"Keys":[1,2],"\\ud83d\\ude00":0,"\\uffff":1}', PRETTY),
    `{
    "Keys": [
        1,
        2
    ],
    "pools": [
        {
            "fs": [],
            "name": "p",
            "x": {}
        }
    ],
    "\\uffff": 1,
    "\\ud83d\\ude00": 0
}`,
  );
});

test("numbers keep their value and have Python's form", () => {
  const vectors = [
    ["576460752303423489", "576460752303423489"],
    ["-0", "0"],
    ["1.0", "1.0"],
    ["1.50", "1.5"],
    ["1e5", "100000.0"],
    ["0.0001", "0.0001"],
    ["0.00001", "1e-05"],
    ["1E16", "1e+16"],
    ["123456789012345.6", "123456789012345.6"],
    ["-2.5e-7", "-2.5e-07"],
    ["1e400", "Infinity"],
    ["-0.0", "-0.0"],
  ] as const;
  for (const [text, printed] of vectors) assert.equal(reprinted(text), printed, text);
});

test("text is ASCII, with escapes in lower case", () => {
  assert.equal(
    reprinted('"漢\u{1f600}/\\u00E9\\u007f\\n\\"\\\\\\u0001"'),
    '"\\u6f22\\ud83d\\ude00/\\u00e9\\u007f\\n\\"\\\\\\u0001"',
  );
});

test("what is no JSON is refused, with the place", () => {
  for (const text of [
    "",
    "{",
    "[1,]",
    '{"a":1,}',
    "01",
    "'a'",
    "[1 2]",
    '{"a" 1}',
    '"\u0001"',
    "1 1",
    "nul",
    "{1:2}",
  ])
    assert.throws(() => parseJson(text), /Not JSON: at character \d+/, text);
  assert.throws(() => parseJson("[".repeat(100_000)), /nested deeper/);
});

test("text may be long", () => {
  const text = JSON.stringify("ab\n".repeat(5_000_000));
  assert.equal(reprinted(text), text);
});

test("printing and reading again gives the same values", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      for (const style of [LINE, PRETTY])
        assert.deepEqual(JSON.parse(reprinted(text, style)), JSON.parse(text));
    }),
  );
});
