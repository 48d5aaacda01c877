import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime } from "../../../../cli/format/time";

function inZone(zone: string, run: () => void): void {
  const before = process.env["TZ"];
  process.env["TZ"] = zone;
  try {
    run();
  } finally {
    if (before === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before;
  }
}

test("times are in the local zone", () => {
  inZone("Europe/Prague", () => {
    assert.equal(formatTime("2026-02-07T14:33:20Z"), "Feb 07 2026 15:33");
    assert.equal(formatTime("2026-05-01T08:05:09Z"), "May 01 2026 10:05");
    assert.equal(formatTime("2026-12-31T23:30:00Z"), "Jan 01 2027 00:30");
  });
  inZone("UTC", () => {
    assert.equal(formatTime("2026-02-07T14:33:20Z"), "Feb 07 2026 14:33");
  });
});

test("text that is no time is told apart", () => {
  assert.equal(formatTime("yesterday at noon"), null);
});
