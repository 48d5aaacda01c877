/**
 * Power cuts in the middle of encryption, re-encryption and decryption in place: all writes to the pool's device are
 * recorded by the log-writes target, and what the device durably held at a moment is set up again. The pool has to open
 * by its key, or without one, and every file that was synced before that moment has to be what it was; at some moments
 * the operation is let go on to its end, and all is compared again.
 *
 * STRATIS_CRASH_CUTS: at how many moments, drawn at random within each equal part of the recording; left out: 200.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { open, readFile, writeFile } from "node:fs/promises";
import { after, before, test, type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  callStratis,
  closeBus,
  createPoolByBus,
  managedObjects,
  managerProperty,
  mountPoint,
  mustRun,
  run,
  startPoolByBus,
  stopPoolByBus,
  stratis,
  succeeded,
  stratisCommand,
  unmountAll,
} from "../cases/support";
import { STRATIS_TOP } from "../guest/bus";
import { daemonLog, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { WriteLog } from "../guest/log-writes";
import { udevSettled } from "../guest/udev";
import { begin, isWorking, POOL_INTERFACE, reached } from "./in-place-support";

const POOL = "cuts";
const MANAGER = "org.storage.stratis3.Manager.r9";
/** The moments are tried in so many parts, each with a report of its own. */
const PARTS = 5;
const CUTS = Number(process.env["STRATIS_CRASH_CUTS"] ?? 200);
/** One of so many goes on to the end. */
const TO_THE_END = 20;
const SIZE = 1.25 * 2 * 1024 * 1024;
const LOGGED = "case-cuts-logged";
const REPLAYED = "case-cuts-replayed";
const FILE_BYTES = 128 * 1024;
const LIMIT_MILLISECONDS = 4 * 3600_000;

before(async () => {
  for (const serial of ["d0", "d1", "d2", "d3"]) await wipeDisk(await disk(serial));
  await mustRun("modprobe", ["-a", "dm-log-writes", "dm-snapshot"]);
  await writeFile("/run/case-key", "a key for cuts");
  await startDaemon();
  await stratis("key", "set", "--keyfile-path", "/run/case-key", "cuts");
});
after(async () => {
  await unmountAll();
  await stratisCommand("key", "unset", "cuts");
  await closeBus();
  await stopDaemon();
});

const hashOf = (data: Buffer): string => createHash("sha256").update(data).digest("hex");
const mark = (text: string): Promise<unknown> => mustRun("dmsetup", ["message", LOGGED, "0", "mark", text]);

/** Synced files, each known to the log from the moment at which it was. */
async function writeFiles(folder: string, goesOn: () => boolean): Promise<void> {
  for (let number = 0; goesOn(); number += 1) {
    const data = randomBytes(FILE_BYTES);
    const name = String(number);
    const handle = await open(`${folder}/${name}`, "w");
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await mark(`file:${name}:${hashOf(data)}`);
    await sleep(1000);
  }
}

async function call(member: string, signature = "", body: unknown[] = []): Promise<void> {
  const { reply } = await begin(POOL, member, signature, body);
  assert.deepEqual((await reply)?.code, 0, member);
}

/** Whether the pool runs. */
const runs = async (): Promise<boolean> =>
  Object.values(await managedObjects()).some((interfaces) => interfaces[POOL_INTERFACE] !== undefined);

test(
  "the three operations are recorded, while files are written",
  { timeout: LIMIT_MILLISECONDS },
  async () => {
    const table = `0 ${SIZE} log-writes ${await disk("d0")} ${await disk("d1")}`;
    await mustRun("dmsetup", ["create", LOGGED, "--table", table]);
    await succeeded(createPoolByBus(POOL, [`/dev/mapper/${LOGGED}`]));
    await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
    const at = await mountPoint("recorded");
    await mustRun("mount", [`/dev/stratis/${POOL}/fs`, at]);
    let goesOn = true;
    const writing = writeFiles(at, () => goesOn);
    await mark("begin");
    await call("EncryptPool", "a((bu)s)a((bu)ss)", [[[[false, 0], "cuts"]], []]);
    await mark("encrypted");
    await call("ReencryptPool");
    await mark("reencrypted");
    await call("DecryptPool");
    await mark("end");
    goesOn = false;
    await writing;
    await unmountAll();
    await stratis("pool", "stop", "--name", POOL);
    await mustRun("dmsetup", ["remove", "--retry", LOGGED]);
  },
);

const stoppedPools = async (): Promise<string[]> =>
  Object.keys((await managerProperty("r9", "StoppedPools")) as object);

/** Whether the pool was started by itself, without its key. */
async function setUp(): Promise<boolean> {
  const refreshed = await callStratis(STRATIS_TOP, MANAGER, "RefreshState", "", []);
  assert.equal(refreshed.code, 0, refreshed.message);
  const waiting = await stoppedPools();
  for (const uuid of waiting) await succeeded(startPoolByBus({ uuid }, { unlock: true }));
  return waiting.length === 0;
}

async function verify(files: ReadonlyMap<string, string>): Promise<void> {
  const at = await mountPoint("replayed");
  await mustRun("mount", [`/dev/stratis/${POOL}/fs`, at]);
  for (const [name, hash] of files) assert.equal(hashOf(await readFile(`${at}/${name}`)), hash, name);
  await mustRun("umount", [at]);
  const check = await run("xfs_repair", ["-n", `/dev/stratis/${POOL}/fs`]);
  assert.equal(check.status, 0, check.stdout + check.stderr);
}

async function tryCut(files: ReadonlyMap<string, string>, toTheEnd: boolean): Promise<boolean> {
  const byItself = await setUp();
  await verify(files);
  if (toTheEnd) {
    await reached("the end of the operation", async () => !(await isWorking()));
    await succeeded(stopPoolByBus(POOL));
    await setUp();
    await verify(files);
  }
  return byItself;
}

/** What the log tells of files until entry `cut`. */
function filesUntil(log: WriteLog, cut: number): Map<string, string> {
  const marks = log.entries.slice(0, cut).flatMap(({ mark: text }) => (text === null ? [] : [text]));
  return new Map(
    marks.flatMap((text): [string, string][] => {
      const [, name, hash] = /^file:([^:]+):([0-9a-f]{64})$/.exec(text) ?? [];
      return name === undefined || hash === undefined ? [] : [[name, hash]];
    }),
  );
}

/** Numbers of entries that are durable at the moments to cut at. */
function cutsOf(log: WriteLog): number[] {
  const at = (text: string): number => log.entries.findIndex(({ mark: found }) => found === text);
  const [begin, end] = [at("begin"), at("end")];
  assert.ok(begin >= 0 && end > begin, "the recording is not complete");
  const all = log.entries.flatMap(({ durable }, index) =>
    durable && index >= begin && index <= end ? [index + 1] : [],
  );
  const step = Math.max(1, all.length / CUTS);
  const drawn = Array.from({ length: Math.min(CUTS, all.length) }, (_, index) => {
    const moment = Math.floor(index * step + Math.random() * step);
    return all[Math.min(moment, all.length - 1)] ?? 0;
  });
  return [...new Set(drawn)];
}

/** Tries `cuts`, which are in the order of their moments. */
async function tryCuts(context: TestContext, log: WriteLog, cuts: readonly number[]): Promise<void> {
  const started = Date.now();
  await wipeDisk(await disk("d2"));
  const target = await open(await disk("d2"), "r+");
  const failures: string[] = [];
  const counts = { cuts: 0, byItself: 0, toTheEnd: 0, files: 0 };
  let replayed = 0;
  for (const [index, cut] of cuts.entries()) {
    await log.replay(target, replayed, cut);
    replayed = cut;
    const files = filesUntil(log, cut);
    const toTheEnd = index % TO_THE_END === TO_THE_END / 2;
    const table = `0 ${SIZE} snapshot ${await disk("d2")} ${await disk("d3")} N 16`;
    await mustRun("dmsetup", ["create", REPLAYED, "--table", table]);
    await udevSettled();
    try {
      counts.byItself += (await tryCut(files, toTheEnd)) ? 1 : 0;
      counts.cuts += 1;
      counts.toTheEnd += toTheEnd ? 1 : 0;
      counts.files += files.size;
    } catch (error) {
      failures.push(`after entry ${cut} of ${log.entries.length}: ${String(error)}\n${await daemonLog()}`);
    }
    await unmountAll();
    if (await runs()) await succeeded(stopPoolByBus(POOL));
    await mustRun("dmsetup", ["remove", "--retry", REPLAYED]);
    await udevSettled();
  }
  // udev looks at a disk that is no longer open for writing: the daemon would find the last moment's pool on it.
  await wipeDisk(await disk("d2"));
  await target.close();
  const seconds = Math.round((Date.now() - started) / 1000);
  context.diagnostic(`${JSON.stringify(counts)} of ${log.entries.length} entries, ${seconds} s`);
  assert.equal(failures.length, 0, failures.join("\n"));
}

let drawn: number[] | undefined;

// Each part goes through all of the recording.
for (let part = 0; part < PARTS; part += 1)
  test(
    `at every moment all is there that was written before: part ${part + 1} of ${PARTS}`,
    { timeout: LIMIT_MILLISECONDS },
    async (context) => {
      const log = await WriteLog.open(await disk("d1"));
      drawn ??= cutsOf(log);
      const cuts = drawn.filter((_, index) => index % PARTS === part);
      await tryCuts(context, log, cuts);
      await log.close();
    },
  );
