import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { historyLine, printable } from "../../../src/history/record";
import { RECORD } from "./support";

test("a line says who asked for what and how it ended", () => {
  assert.equal(
    historyLine(RECORD),
    "CreatePool of pool data, block device /dev/sdb, asked for by stratis (uid 0, pid 4711): ok after 153 ms",
  );
  assert.equal(
    historyLine({ ...RECORD, object: null, command: null, uid: null, result: "failed", error: "no room" }),
    "CreatePool, asked for by an unknown command (uid unknown, pid 4711): failed after 153 ms: no room",
  );
  assert.match(historyLine({ ...RECORD, left: true }), /, asked for by a process that has gone: ok/);
});

test("no text has control characters, or 4096 bytes", () => {
  assert.equal(printable("漢字 and\nmore\u001b[31m\u202e"), "漢字 and\\u{a}more\\u{1b}[31m\\u{202e}");
  assert.equal(printable("x".repeat(400)), "x".repeat(400));
  assert.equal(printable("x".repeat(1_000_000)), `${"x".repeat(400)}...`);
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (text) => {
      const shown = printable(text);
      assert.doesNotMatch(shown, /[\p{Cc}\p{Cs}]/u);
      assert.ok(Buffer.byteLength(shown) < 4096);
    }),
  );
});
