/**
 * Power cuts while files of an XFS are replaced and removed, as the records on a pool's metadata volume are, and
 * somebody else has it write its log at any moment of that: what the disk durably held after each flush has all files as
 * they were before or after the change that was under way, with all that had been acknowledged. The device's writes are
 * recorded by the log-writes target.
 */
import assert from "node:assert/strict";
import { open, readdir, readFile, type FileHandle } from "node:fs/promises";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { inspect } from "node:util";
import { native } from "../../../src/native";
import { mountPoint, mustRun, unmountAll } from "../cases/support";
import { disk, wipeDisk } from "../guest/disks";
import { WriteLog } from "../guest/log-writes";

/** Of 512 bytes; a pool's metadata volume has as many. */
const SIZE = 1024 * 1024;
const LOGGED = "case-record-logged";
const REPLAYED = "case-record-replayed";
const CHANGES = 60;
const FILES = ["a.json", "b.json", "c.json"];
const OTHER = "other.log";
/** In bytes: of one block, as records are, and of several. */
const LENGTHS = [300, 250, 511, 9000, 301, 40_000, 1, 4096];
/** So that some names are new ones, each time of another file. */
const REMOVED_EACH = 7;

/** Each file and its content. */
type Content = ReadonlyMap<string, string>;

function contentOf(change: number): string {
  const length = LENGTHS[change % LENGTHS.length] ?? 0;
  return `change ${change}, `.repeat(length).slice(0, length);
}

/** Performs a change, and returns what is there after it. */
async function perform(change: number, folder: string, content: Content): Promise<Content> {
  const changed = new Map(content);
  const name = FILES[change % FILES.length] ?? "";
  const file = path.join(folder, name);
  if (change % REMOVED_EACH === REMOVED_EACH - 1) {
    await native().removeFile(file);
    changed.delete(name);
  } else {
    const text = contentOf(change);
    await native().replaceFile({ path: file, temporary: `${file}.temp`, data: Buffer.from(text) });
    changed.set(name, text);
  }
  return changed;
}

/** Has the log written, again and again, until `work` is done. */
async function whileLogIsWritten<T>(other: FileHandle, work: () => Promise<T>): Promise<T> {
  const state = { done: false };
  const writing = (async () => {
    while (!state.done) {
      await other.write("x");
      await other.sync();
    }
  })();
  try {
    return await work();
  } finally {
    state.done = true;
    await writing;
  }
}

/** The temporary files aside, which whoever mounts it after a power cut removes. */
async function read(folder: string): Promise<Content> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".json")).sort();
  return new Map(
    await Promise.all(
      names.map(async (name): Promise<[string, string]> => [
        name,
        await readFile(path.join(folder, name), "utf8"),
      ]),
    ),
  );
}

const isSame = (one: Content, other: Content): boolean =>
  one.size === other.size && [...one].every(([name, text]) => other.get(name) === text);

/** For a message: how each file begins, and how long it is. */
const summary = (content: Content): string =>
  inspect([...content].map(([name, text]) => `${name}: ${inspect(text.slice(0, 12))}, ${text.length} bytes`));

before(async () => {
  for (const serial of ["d0", "d1", "d2", "d3"]) await wipeDisk(await disk(serial));
  await mustRun("modprobe", ["-a", "dm-log-writes", "dm-snapshot"]);
});
after(unmountAll);

/** Index: how many changes have been acknowledged. */
const states: Content[] = [];

test("files are replaced and removed, which is recorded", async () => {
  const devices = `${await disk("d0")} ${await disk("d1")}`;
  await mustRun("dmsetup", ["create", LOGGED, "--table", `0 ${SIZE} log-writes ${devices}`]);
  await mustRun("mkfs.xfs", ["-q", "-f", `/dev/mapper/${LOGGED}`]);
  const folder = await mountPoint("recorded");
  await mustRun("mount", [`/dev/mapper/${LOGGED}`, folder]);
  await mustRun("sync", ["-f", folder]);
  await mustRun("dmsetup", ["message", LOGGED, "0", "mark", "start"]);
  let content: Content = new Map();
  states.push(content);
  const other = await open(path.join(folder, OTHER), "a");
  for (let change = 0; change < CHANGES; change += 1) {
    content = await whileLogIsWritten(other, () => perform(change, folder, content));
    await mustRun("dmsetup", ["message", LOGGED, "0", "mark", String(change)]);
    states.push(content);
  }
  await other.close();
  assert.deepEqual(await read(folder), content);
  await mustRun("umount", [folder]);
  await mustRun("dmsetup", ["remove", "--retry", LOGGED]);
});

test("after each flush they are as before or after a change, with all that was acknowledged", async (context) => {
  assert.equal(states.length, CHANGES + 1, "the recording is not complete");
  const log = await WriteLog.open(await disk("d1"));
  const target = await open(await disk("d2"), "r+");
  const devices = `${await disk("d2")} ${await disk("d3")}`;
  const folder = await mountPoint("replayed");
  const moments = log.moments().filter((moment) => log.marksBefore(moment) > 0);
  const failures: string[] = [];
  let replayed = 0;
  for (const moment of moments) {
    await log.replay(target, replayed, moment);
    replayed = moment;
    await mustRun("dmsetup", ["create", REPLAYED, "--table", `0 ${SIZE} snapshot ${devices} N 16`]);
    await mustRun("mount", [`/dev/mapper/${REPLAYED}`, folder]);
    const found = await read(folder);
    // Beside the marks of the changes there are the one of the start and one that the target puts in at its end.
    const done = Math.min(log.marksBefore(moment) - 1, CHANGES);
    const allowed = states.slice(done, done + 2);
    if (!allowed.some((state) => isSame(state, found)))
      failures.push(`after ${done} changes: ${summary(found)}, not ${allowed.map(summary).join(" or ")}`);
    await mustRun("umount", [folder]);
    await mustRun("dmsetup", ["remove", "--retry", REPLAYED]);
  }
  await target.close();
  await log.close();
  context.diagnostic(`${moments.length} moments, ${failures.length} failed, ${log.entries.length} entries`);
  assert.deepEqual(failures, []);
});
