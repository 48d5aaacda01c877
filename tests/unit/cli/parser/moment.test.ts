import assert from "node:assert/strict";
import { test } from "node:test";
import { ValueError } from "../../../../cli/parser/grammar";
import { moment } from "../../../../cli/parser/moment";

const NOW = new Date(2026, 10, 28, 9, 30, 15);
const at = (word: string): number => Number(moment(word, NOW));

test("how long ago it was", () => {
  const vectors: [string, number][] = [
    ["0s", 0],
    ["90s", 90],
    ["15min", 900],
    ["2h", 7200],
    ["3d", 259_200],
    ["1w", 604_800],
    ["now", 0],
  ];
  for (const [word, seconds] of vectors) assert.equal(NOW.getTime() - at(word), seconds * 1000, word);
});

test("days and dates are local, unless a time zone is given", () => {
  assert.equal(at("today"), new Date(2026, 10, 28).getTime());
  assert.equal(at("yesterday"), new Date(2026, 10, 27).getTime());
  assert.equal(at("2026-02-03"), new Date(2026, 1, 3).getTime());
  for (const separator of [" ", "T"]) {
    assert.equal(at(`2026-02-03${separator}04:05`), new Date(2026, 1, 3, 4, 5).getTime());
    assert.equal(at(`2026-02-03${separator}04:05:06`), new Date(2026, 1, 3, 4, 5, 6).getTime());
    assert.equal(at(`2026-02-03${separator}04:05:06Z`), Date.UTC(2026, 1, 3, 4, 5, 6));
    assert.equal(at(`2026-02-03${separator}04:05+01:00`), Date.UTC(2026, 1, 3, 3, 5));
  }
  assert.equal(at("2026-11-28T08:30:15.123Z"), Date.UTC(2026, 10, 28, 8, 30, 15, 123));
});

test("what is no time is refused with the forms that there are", () => {
  const words = [
    "",
    "2",
    "2 h",
    "2hours",
    "-2h",
    "tomorrow",
    "2026-13-01",
    "2026-02-30",
    "2026-1-1",
    "2026-02-03 24:00",
    "2026-02-03 04:60",
    "2026-02-03 04",
    "09:30",
    "9999999999h",
    "2026-02-03T04:05:06+99:99",
  ];
  for (const word of words)
    assert.throws(
      () => at(word),
      (error: unknown) =>
        error instanceof ValueError && error.message.startsWith(`invalid time: '${word}' (`),
      word,
    );
});
