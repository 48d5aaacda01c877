/** `stratis history`: what the daemon has recorded, in the journal and in its own files. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, test } from "node:test";
import * as fields from "../../cli/parser/fields";
import { historyFields, historyJson } from "../../src/history/forms";
import { historyLine, type HistoryRecord } from "../../src/history/record";
import { RECORD } from "../unit/history/support";
import { COMMAND, runStratis, type Ran } from "./cli-support/run";

const WAIT_MS = 20_000;
const UUID = "17101e39-e72e-423c-90d8-be5cb37c055b";

const record = (time: string, more: Partial<HistoryRecord> = {}): HistoryRecord => ({
  ...RECORD,
  time: `2026-11-28T${time}.000Z`,
  ...more,
});

const CREATED = record("08:00:00");
const RENAMED = record("09:00:00", { operation: "SetName", object: "pool data, to stuff", pool: "stuff" });
const FAILED = record("10:00:00", {
  operation: "DestroyPool",
  object: "pool other",
  pool: "other",
  poolUuid: null,
  result: "failed",
  error: "filesystems remaining on pool",
  command: null,
  uid: null,
  pid: null,
  left: true,
});
const KEY = record("11:00:00", { operation: "SetKey", object: "key k", pool: null, poolUuid: null });

let folder = "";
let log = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stratis-history-"));
  log = join(folder, "log");
  mkdirSync(log);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A journalctl that is given by a script of the shell; it writes its arguments down. */
function journalctl(script: string): void {
  const path = join(folder, "journalctl");
  writeFileSync(
    path,
    `#!/bin/sh\nPATH=/usr/bin:/bin\nprintf '%s\\n' "$@" > "${folder}/arguments"\n${script}\n`,
  );
  chmodSync(path, 0o755);
}

function journalOf(...records: readonly HistoryRecord[]): void {
  const lines = records.map((one) => {
    const stamp = String(Date.parse(one.time) * 1000);
    return JSON.stringify({ __REALTIME_TIMESTAMP: stamp, ...Object.fromEntries(historyFields(one)) });
  });
  writeFileSync(join(folder, "journal"), lines.map((line) => `${line}\n`).join(""));
  journalctl(`cat "${folder}/journal"`);
}

const fileOf = (name: string, ...records: readonly HistoryRecord[]): void => {
  writeFileSync(join(log, name), records.map(historyJson).join(""));
};

const environment = (): Record<string, string> => ({
  // Without a journalctl of ours there is none: the machine's is in other folders.
  PATH: `${folder}${delimiter}${join(folder, "no")}`,
  STRATISD_LOG_DIRECTORY: log,
  TZ: "UTC",
});
// There is no bus: the command needs none.
const run = (...words: string[]): Promise<Ran> =>
  runStratis("unix:path=/nonexistent/bus", ["history", ...words], environment());

async function printed(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...words);
  assert.deepEqual([code, stderr], [0, ""], words.join(" "));
  return stdout;
}

/** The operations that are shown. */
const shown = async (...words: string[]): Promise<string[]> =>
  (await printed(...words, "--no-header", "--columns", "operation"))
    .split("\n")
    .slice(0, -1)
    .map((line) => line.trimEnd());

test("the journal and both files, in the order of time", async () => {
  journalOf(CREATED, KEY);
  fileOf("history.log.1", RENAMED);
  fileOf("history.log", FAILED);
  appendFileSync(join(log, "history.log"), '{"half');
  const who = "stratis (uid 0, pid 4711)";
  const rows = [
    ["Time", "Asked For By", "Operation", "Result"],
    ["Nov 28 2026 08:00:00", who, "CreatePool of pool data, block device /dev/sdb", "ok"],
    ["Nov 28 2026 09:00:00", who, "SetName of pool data, to stuff", "ok"],
    [
      "Nov 28 2026 10:00:00",
      "a process that has gone",
      "DestroyPool of pool other",
      "failed: filesystems remaining on pool",
    ],
    ["Nov 28 2026 11:00:00", who, "SetKey of key k", "ok"],
  ];
  const widths = [20, who.length, 46, 37];
  const line = (row: readonly string[]): string =>
    `${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("   ")}\n`;
  assert.equal(await printed(), rows.map(line).join(""));
  assert.equal(await printed("--no-header"), rows.slice(1).map(line).join(""));
});

test("the journal is asked for what root has written, and no more of it than is wanted", async () => {
  journalOf(CREATED);
  const since = "2026-11-28T07:30:00.5Z";
  await printed("--since", since, "--until", "2026-11-28T08:30:00.5Z");
  const words = readFileSync(join(folder, "arguments"), "utf8").split("\n");
  const second = Math.floor(Date.parse(since) / 1000);
  for (const word of ["--output=json", "--no-pager", "TARGET=stratisd::history", "_UID=0"])
    assert.ok(words.includes(word), word);
  assert.ok(
    words.includes(`--since=@${second}`) && words.includes(`--until=@${second + 3601}`),
    words.join(" "),
  );
});

test("filters", async () => {
  journalOf(CREATED, RENAMED, FAILED, KEY);
  const cases: [string[], string[]][] = [
    [[], ["CreatePool", "SetName", "DestroyPool", "SetKey"]],
    [
      ["--since", "2026-11-28T09:00Z"],
      ["SetName", "DestroyPool", "SetKey"],
    ],
    [
      ["--until", "2026-11-28T09:00Z"],
      ["CreatePool", "SetName"],
    ],
    [["--since", "2026-11-28 09:30", "--until", "2026-11-28 10:30"], ["DestroyPool"]],
    [["--since", "2036-11-28"], []],
    [["--failed"], ["DestroyPool"]],
    [
      ["--lines", "2"],
      ["DestroyPool", "SetKey"],
    ],
    [["--lines", "0"], []],
    [
      ["--lines", "18446744073709551615"],
      ["CreatePool", "SetName", "DestroyPool", "SetKey"],
    ],
    // A pool by its name now, by an earlier one, and by its UUID in any form.
    [
      ["--pool", "stuff"],
      ["CreatePool", "SetName"],
    ],
    [
      ["--pool", "data"],
      ["CreatePool", "SetName"],
    ],
    [
      ["--pool", UUID],
      ["CreatePool", "SetName"],
    ],
    [
      ["--pool", UUID.replaceAll("-", "").toUpperCase()],
      ["CreatePool", "SetName"],
    ],
    [["--pool", "other"], ["DestroyPool"]],
    [["--pool", "never"], []],
    [["--pool", "data", "--since", "2026-11-28T08:30Z", "--lines", "5"], ["SetName"]],
    [["--pool", "data", "--failed"], []],
  ];
  for (const [words, operations] of cases)
    assert.deepEqual(await shown(...words), operations, words.join(" "));
});

test("JSON has every field in the form that is described, and nothing that does not apply", async () => {
  journalOf(CREATED, FAILED);
  const { version, history, ...others } = JSON.parse(await printed("--json")) as Record<string, unknown>;
  assert.deepEqual([version, others], [1, {}]);
  assert.deepEqual(history, [
    {
      time: CREATED.time,
      uid: 0,
      pid: 4711,
      command: "stratis",
      left: false,
      interface: "org.storage.stratis3.Manager.r9",
      operation: "CreatePool",
      object: "pool data, block device /dev/sdb",
      pool: "data",
      pool_uuid: UUID,
      result: "ok",
      error: null,
      duration: 153,
    },
    {
      time: FAILED.time,
      uid: null,
      pid: null,
      command: null,
      left: true,
      interface: "org.storage.stratis3.Manager.r9",
      operation: "DestroyPool",
      object: "pool other",
      pool: "other",
      pool_uuid: null,
      result: "failed",
      error: "filesystems remaining on pool",
      duration: 153,
    },
  ]);
  assert.deepEqual(Object.keys((history as object[])[0] ?? {}), Object.keys(fields.HISTORY.fields));
  const columns = JSON.parse(await printed("--json", "--columns", "pool_uuid,result", "--lines=1")) as object;
  assert.deepEqual(columns, { version: 1, history: [{ pool_uuid: null, result: "failed" }] });
});

test("without a journal, and without anything, there is no history and no error", async () => {
  assert.deepEqual(await shown(), []);
  rmSync(log, { recursive: true });
  assert.deepEqual(JSON.parse(await printed("--json")), { version: 1, history: [] });
  fileOfNewFolder();
  assert.deepEqual(await shown(), ["SetKey"]);
  journalctl("echo 'No journal files were found.' >&2; exit 1");
  assert.deepEqual(await shown(), ["SetKey"]);
});

function fileOfNewFolder(): void {
  mkdirSync(log);
  fileOf("history.log", KEY);
}

test("a source that cannot be read is an error, whatever the others have", async () => {
  fileOf("history.log", KEY);
  journalctl("echo 'Failed to open: bad message' >&2; exit 1");
  const told = "Could not read the history: journalctl ended with status 1: Failed to open: bad message";
  assert.deepEqual(await run(), { code: 1, stdout: "", stderr: `${told}\n` });
  const { stdout, stderr } = await run("--json");
  assert.equal(stdout, "");
  assert.deepEqual(JSON.parse(stderr), { version: 1, error: { kind: "history", message: told } });
  journalctl(
    "echo 'Hint: You are currently not seeing messages from other users and the system.' >&2; echo '-- No entries --'",
  );
  for (const words of [[], ["--follow"]])
    assert.deepEqual(await run(...words), {
      code: 1,
      stdout: "",
      stderr:
        "Could not read the history: the system's journal is for root and members of the group systemd-journal only\n",
    });
  journalOf(CREATED);
  rmSync(join(log, "history.log"));
  mkdirSync(join(log, "history.log"));
  const folderInPlace = await run();
  assert.deepEqual([folderInPlace.code, folderInPlace.stdout], [1, ""]);
  assert.match(folderInPlace.stderr, /^Could not read the history: EISDIR.*\n$/);
});

test("wrong options", async () => {
  const cases: [string[], RegExp][] = [
    [["--since", "soon"], /error: argument --since: invalid time: 'soon' \(write how long ago/],
    [["--lines", "-1"], /error: argument --lines: Argument -1 is not a natural number/],
    [["--columns", "who"], /error: argument --columns: invalid column: 'who'/],
    [["--follow", "--lines", "3"], /error: argument --lines: not allowed with argument --follow/],
    [["--bytes"], /error: unrecognized arguments: --bytes/],
    [["data"], /error: unrecognized arguments: data/],
  ];
  for (const [words, expected] of cases) {
    const { code, stdout, stderr } = await run(...words);
    assert.deepEqual([code, stdout], [2, ""], words.join(" "));
    assert.match(stderr, expected);
  }
});

/** The first lines that a run prints that would go on; it is interrupted then. Returns its code too. */
async function followed(
  words: readonly string[],
  count: number,
  then: () => void,
): Promise<[string[], number | null]> {
  const child = spawn(process.execPath, [COMMAND, "history", "--follow", ...words], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...environment(), PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}` },
    timeout: WAIT_MS,
  });
  const closed = once(child, "close") as Promise<[number | null]>;
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === 1) then();
    if (lines.length === count) child.kill("SIGINT");
  }
  return [lines, (await closed)[0]];
}

test("what comes is shown as it comes, from the journal and from the file", async () => {
  journalOf(CREATED);
  const stream = `cat "${folder}/journal"; exec sleep 60`;
  journalctl(`case " $* " in *" --follow "*) ${stream} ;; *) cat "${folder}/journal" ;; esac`);
  const [lines, code] = await followed(["--since", "2026-11-28"], 2, () => {
    fileOf("history.log", FAILED);
  });
  assert.deepEqual(lines, [
    `Nov 28 2026 08:00:00  ${historyLine(CREATED)}`,
    `Nov 28 2026 10:00:00  ${historyLine(FAILED)}`,
  ]);
  assert.equal(code, 0, "an interrupt is its end");
  const [documents] = await followed(
    ["--since=2026-11-28", "--json", "--columns=operation", "--pool=data"],
    2,
    () => {
      appendFileSync(join(log, "history.log"), historyJson(KEY) + historyJson(RENAMED));
    },
  );
  const document = (operation: string) => ({ version: 1, history: [{ operation }] });
  assert.deepEqual(
    documents.map((line) => JSON.parse(line) as unknown),
    [document("CreatePool"), document("SetName")],
  );
});

test("without the programs that follow there is an error", async () => {
  assert.deepEqual(await run("--follow"), {
    code: 1,
    stdout: "",
    stderr: "Could not follow the history: there is neither journalctl nor tail\n",
  });
});
