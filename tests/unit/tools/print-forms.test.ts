import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseJson, printJsonSorted } from "../../../src/disk/json";
import { MAX_UNIX_SECONDS } from "../../../src/disk/static-header";
import { dateText } from "../../../src/tools/debug-form";
import { hexDump } from "../../../src/tools/hex-dump";
import { prettyJson } from "../../../src/tools/pretty-json";

function pretty(text: string): string {
  const pieces: string[] = [];
  prettyJson(parseJson(text), (piece) => pieces.push(piece));
  return pieces.join("");
}

test("JSON with indentation and sorted keys", () => {
  const text =
    '{"b":[1,[],{}],"a":{"y":null,"x":[true,"t",18446744073709551615]},"é":1.50,"\u{1d11e}":0,"\uffee":-0}';
  assert.equal(
    pretty(text),
    `{
  "a": {
    "x": [
      true,
      "t",
      18446744073709551615
    ],
    "y": null
  },
  "b": [
    1,
    [],
    {}
  ],
  "é": 1.50,
  "\uffee": -0,
  "\u{1d11e}": 0
}`,
  );
});

test("terminals get no control characters", () => {
  const text = JSON.stringify({ "\u009b2J": "\u001b[2J\u007f\u0085" });
  assert.equal(pretty(text), '{\n  "\\u009b2J": "\\u001b[2J\\u007f\\u0085"\n}');
});

test("indentation changes nothing but the looks", () => {
  fc.assert(
    fc.property(fc.json(), (json) => {
      // Keys that occur twice, and the like.
      fc.pre(JSON.stringify(JSON.parse(json)) === json);
      assert.equal(printJsonSorted(parseJson(pretty(json))), printJsonSorted(parseJson(json)));
    }),
  );
});

test("a dump of bytes", () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  const lines = hexDump(bytes).split("\n");
  assert.equal(lines.length, 17);
  assert.equal(lines[0], "Length: 256 (0x100) bytes");
  assert.equal(lines[1], "0000:   00 01 02 03  04 05 06 07  08 09 0a 0b  0c 0d 0e 0f   ................");
  assert.equal(lines[3], "0020:   20 21 22 23  24 25 26 27  28 29 2a 2b  2c 2d 2e 2f    !\"#$%&'()*+,-./");
  assert.equal(lines[8], "0070:   70 71 72 73  74 75 76 77  78 79 7a 7b  7c 7d 7e 7f   pqrstuvwxyz{|}~.");
  assert.equal(lines[16], "00f0:   f0 f1 f2 f3  f4 f5 f6 f7  f8 f9 fa fb  fc fd fe ff   ................");
  assert.throws(() => hexDump(bytes.subarray(1)), RangeError);
});

test("dates", () => {
  const at = (seconds: bigint, nanoseconds = 0): string => dateText({ seconds, nanoseconds });
  assert.equal(at(0n), "1970-01-01T00:00:00Z");
  assert.equal(at(1_748_779_200n, 1), "2025-06-01T12:00:00.000000001Z");
  assert.equal(at(1_748_779_200n, 437_940_000), "2025-06-01T12:00:00.437940Z");
  assert.equal(at(1_748_779_200n, 500_000_000), "2025-06-01T12:00:00.500Z");
  assert.equal(at(1_748_779_200n, 10_000_000), "2025-06-01T12:00:00.010Z");
  assert.equal(at(253_402_300_800n), "+10000-01-01T00:00:00Z");
  assert.equal(at(MAX_UNIX_SECONDS), "+262142-12-31T23:59:59Z");
});
