import assert from "node:assert/strict";
import { closeSync, fstatSync, openSync } from "node:fs";
import { test } from "node:test";
import { encodeEntry, leadsToJournal, writeToJournal } from "../../../src/daemon/journal";

/** An entry as it would be sent; `taken` is what the socket answers. */
function written(
  message: string,
  taken: () => boolean = () => true,
): { text: string | null; accepted: boolean } {
  let text: string | null = null;
  const accepted = writeToJournal(
    "stratisd",
    "warn",
    "stratisd::engine",
    message,
    [["POOL_UUID", "17101e39"]],
    (entry) => {
      text = Buffer.from(entry).toString("latin1");
      return taken();
    },
  );
  return { text, accepted };
}

test("an entry has message, level, target, and what it is about", () => {
  const expected =
    "MESSAGE=pool is full\nPRIORITY=4\nSYSLOG_IDENTIFIER=stratisd\nTARGET=stratisd::engine\nPOOL_UUID=17101e39\n";
  assert.deepEqual(written("pool is full"), { text: expected, accepted: true });
});

test("levels are those of syslog", () => {
  const priorities = (["error", "warn", "info", "debug", "trace"] as const).map((level) => {
    let priority = "";
    writeToJournal("stratisd", level, "t", "m", [], (entry) => {
      priority = /PRIORITY=(\d)/.exec(Buffer.from(entry).toString())?.[1] ?? "";
      return true;
    });
    return priority;
  });
  assert.deepEqual(priorities, ["3", "4", "6", "7", "7"]);
});

test("a value of several lines is sent with its length in bytes", () => {
  const entry = encodeEntry([
    ["MESSAGE", "first\nzwölf"],
    ["A", "b"],
  ]);
  const length = Buffer.from([12, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(
    entry,
    Buffer.concat([Buffer.from("MESSAGE\n"), length, Buffer.from("first\nzwölf\nA=b\n")]),
  );
});

test("what the journal does not take is left to standard error", () => {
  assert.equal(written("m", () => false).accepted, false);
  const gone = written("m", () => {
    throw new Error("no such socket");
  });
  assert.equal(gone.accepted, false);
  assert.deepEqual(written("x".repeat(65_536)), { text: null, accepted: false });
});

test("only a stream that systemd names is the journal's", () => {
  const fd = openSync("/dev/null", "r");
  const { dev, ino } = fstatSync(fd);
  assert.equal(leadsToJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, fd), true);
  assert.equal(leadsToJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, fd), false);
  assert.equal(leadsToJournal({}, fd), false);
  closeSync(fd);
});
