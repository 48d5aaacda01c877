/** The two forms of a record, as they are written and read. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { historyFields, historyJson, parseHistoryJson, parseJournalJson } from "../../../src/history/forms";
import type { HistoryRecord } from "../../../src/history/record";
import { RECORD } from "./support";

const FAILED: HistoryRecord = {
  ...RECORD,
  uid: null,
  pid: null,
  command: null,
  left: true,
  object: null,
  pool: null,
  poolUuid: null,
  result: "failed",
  error: "there is no such pool",
};

/** As `journalctl -o json` prints the entry. */
const journalLine = (record: HistoryRecord, more: object = {}): string =>
  JSON.stringify({
    __REALTIME_TIMESTAMP: String(Date.parse(record.time) * 1000),
    MESSAGE: "m",
    ...Object.fromEntries(historyFields(record)),
    ...more,
  });

test("what was written is read", () => {
  for (const record of [RECORD, FAILED]) {
    assert.ok(historyJson(record).endsWith("}\n"));
    assert.deepEqual(parseHistoryJson(historyJson(record)), record);
    assert.deepEqual(parseJournalJson(journalLine(record)), record);
  }
});

test("in the journal what is not known has no field", () => {
  assert.deepEqual(historyFields(FAILED), [
    ["STRATIS_CALLER_LEFT", "true"],
    ["STRATIS_INTERFACE", "org.storage.stratis3.Manager.r9"],
    ["OPERATION", "CreatePool"],
    ["STRATIS_RESULT", "failed"],
    ["STRATIS_ERROR", "there is no such pool"],
    ["STRATIS_DURATION_MS", "153"],
  ]);
});

test("what is no record is left out", () => {
  const whole = historyJson(RECORD);
  for (const line of ["", "x", "null", "[]", "{}", '"text"', whole.slice(0, 80)])
    assert.equal(parseHistoryJson(line), null, line);
  for (const wrong of [{ result: "fine" }, { operation: 7 }, { time: "yesterday" }, { time: null }])
    assert.equal(parseHistoryJson(JSON.stringify({ ...RECORD, ...wrong })), null);
  assert.equal(parseJournalJson(journalLine(RECORD, { __REALTIME_TIMESTAMP: "soon" })), null);
  assert.equal(parseJournalJson("-- No entries --"), null);
});

test("hostile lines make records that can be shown", () => {
  const record = parseHistoryJson(
    JSON.stringify({ ...RECORD, uid: -1, pid: 1.5, command: "a\u001b[2Jb", object: ["x"], durationMs: "no" }),
  );
  assert.deepEqual(record, {
    ...RECORD,
    uid: null,
    pid: null,
    command: "a\\u{1b}[2Jb",
    object: null,
    durationMs: 0,
  });
});

test("of a field that the journal has twice the first counts", () => {
  const record = parseJournalJson(journalLine(RECORD, { STRATIS_OBJECT: ["pool a", "pool b"] }));
  assert.equal(record?.object, "pool a");
});
