/** Where the daemon puts the records of the history. */
import assert from "node:assert/strict";
import {
  chmodSync,
  fstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openHistory } from "../../../src/daemon/history";
import { HistoryFile } from "../../../src/daemon/history-file";
import { parseHistoryJson } from "../../../src/history/forms";
import { setLogSink } from "../../../src/log";
import { RECORD } from "../history/support";

const STDERR = 2;

let folder = "";
let logged: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stratis-history-"));
  logged = [];
  setLogSink((level, target, message) => logged.push(`${level} ${target} ${message}`));
});
afterEach(() => {
  setLogSink(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
const linesOf = (path: string): string[] =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");

/** As systemd tells a service whose standard error is the journal's. */
function asService(): NodeJS.ProcessEnv {
  const { dev, ino } = fstatSync(STDERR, { bigint: true });
  return { STRATISD_LOG_DIRECTORY: join(folder, "log"), JOURNAL_STREAM: `${dev}:${ino}` };
}

test("without a journal records are lines of a file that is root's, and lines of the log", async () => {
  const log = join(folder, "a", "log");
  const history = openHistory("stratisd", { env: { STRATISD_LOG_DIRECTORY: log }, simulator: true });
  history.write(RECORD);
  history.write({ ...RECORD, result: "failed", error: "no" });
  await history.flush();
  const lines = linesOf(join(log, "history.log"));
  assert.deepEqual(lines.map(parseHistoryJson), [RECORD, { ...RECORD, result: "failed", error: "no" }]);
  assert.deepEqual([mode(join(log, "history.log")), mode(log)], ["600", "700"]);
  assert.deepEqual(
    logged.map((line) => line.split(" ").slice(0, 3).join(" ")),
    ["info stratisd::history CreatePool", "warn stratisd::history CreatePool"],
  );
});

test("with a journal there is no file, unless the journal has no room", async () => {
  const entries: unknown[][] = [];
  let room = true;
  const history = openHistory("stratisd", { env: asService(), simulator: false }, (...entry) => {
    entries.push(entry);
    return room;
  });
  history.write(RECORD);
  await history.flush();
  assert.deepEqual(entries[0]?.slice(0, 3), ["stratisd", "info", "stratisd::history"]);
  assert.deepEqual((entries[0][4] as string[][])[0], ["STRATIS_CALLER_UID", "0"]);
  assert.throws(() => statSync(join(folder, "log")));
  assert.deepEqual(logged, []);
  room = false;
  history.write(RECORD);
  await history.flush();
  assert.equal(linesOf(join(folder, "log", "history.log")).length, 1);
});

test("of the simulator nothing is kept, unless a folder is named", async () => {
  const history = openHistory("stratisd", { env: {}, simulator: true });
  history.write(RECORD);
  await history.flush();
  assert.equal(logged.length, 1);
  assert.throws(() => statSync("/var/log/stratis/history.log"));
});

test("the file and the one before it are bounded, and no line is cut", async () => {
  const file = new HistoryFile(folder, 1000);
  for (let number = 0; number < 30; number++) {
    file.append(`{"number":${number},"filling":"${"x".repeat(80)}"}\n`);
    await file.flush();
  }
  const [older, newer] = ["history.log.1", "history.log"].map((name) => join(folder, name));
  assert.ok(older !== undefined && newer !== undefined);
  for (const path of [older, newer]) assert.ok(statSync(path).size <= 1000);
  const numbers = [...linesOf(older), ...linesOf(newer)].map(
    (line) => (JSON.parse(line) as { number: number }).number,
  );
  assert.deepEqual(
    numbers,
    numbers.map((_, index) => 30 - numbers.length + index),
    "the latest ones, in order",
  );
});

test("half a line that a dead process has left stays alone", async () => {
  const path = join(folder, "history.log");
  writeFileSync(path, '{"half');
  const file = new HistoryFile(folder);
  file.append("whole\n");
  await file.flush();
  file.append("next\n");
  await file.flush();
  assert.equal(readFileSync(path, "utf8"), '{"half\nwhole\nnext\n');
});

test("what cannot be written is told once, until it can be again", async () => {
  const target = join(folder, "target");
  writeFileSync(target, "");
  chmodSync(target, 0o600);
  const path = join(folder, "history.log");
  symlinkSync(target, path);
  const file = new HistoryFile(folder);
  for (const line of ["a\n", "b\n"]) {
    file.append(line);
    await file.flush();
  }
  assert.equal(readFileSync(target, "utf8"), "", "a link is not followed");
  assert.equal(logged.length, 1);
  assert.match(
    logged[0] ?? "",
    /^warn stratisd::history Records of the history are lost, not written to .*ELOOP/,
  );
  rmSync(path);
  file.append("c\n");
  await file.flush();
  assert.equal(readFileSync(path, "utf8"), "c\n");
  assert.equal(logged.length, 1);
});
