/** What the daemon and its filesystems take: memory, space in the pool, and nothing at all when idle. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { daemonPid, SNAPSHOT, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { mustRun, run, stratis, until } from "./support";

const MIB = 1024 * 1024;
const RESIDENT_LIMIT = 70_000_000;

before(async () => {
  await startDaemon();
  await wipeDisk(await disk("d0"));
  await stratis("pool", "create", "foot", await disk("d0"));
});
after(async () => {
  await stopDaemon();
});

/** Bytes of the pool's data device that are in use. */
async function used(): Promise<number> {
  const { stdout } = await mustRun("dmsetup", ["status", "--target", "thin-pool"]);
  const blocks = /thin-pool \d+ \d+\/\d+ (\d+)\//.exec(stdout)?.[1];
  assert.ok(blocks !== undefined, stdout);
  return Number(blocks) * MIB;
}

test("a fresh filesystem of 1 TiB takes at most 75 MiB, its snapshot at most 10 MiB more", async () => {
  const empty = await used();
  await stratis("filesystem", "create", "foot", "fresh");
  const afterCreate = await used();
  assert.ok(afterCreate - empty <= 75 * MIB, `${(afterCreate - empty) / MIB} MiB`);
  await stratis("filesystem", "snapshot", "foot", "fresh", "snap");
  const afterSnapshot = await used();
  assert.ok(afterSnapshot - afterCreate <= 10 * MIB, `${(afterSnapshot - afterCreate) / MIB} MiB`);
});

test("nor does a snapshot of one whose log has large records, as kernels since 7 want it on thin devices", async () => {
  await stratis("filesystem", "create", "foot", "large-records");
  const link = "/dev/stratis/foot/large-records";
  const { stdout: uuid } = await mustRun("blkid", ["-p", "-o", "value", "-s", "UUID", link]);
  const options = [
    "-f",
    "-K",
    "-q",
    "-m",
    `uuid=${uuid.trim()}`,
    "-l",
    "size=64m,su=256k",
    "-d",
    "agcount=4",
  ];
  await mustRun("mkfs.xfs", [...options, link]);
  const mountPoint = "/run/footprint";
  await mustRun("mkdir", ["-p", mountPoint]);
  await mustRun("mount", [link, mountPoint]);
  const before = await used();
  await stratis("filesystem", "snapshot", "foot", "large-records", "of-mounted");
  await mustRun("umount", [mountPoint]);
  await stratis("filesystem", "snapshot", "foot", "large-records", "of-unmounted");
  const taken = (await used()) - before;
  assert.ok(taken <= 20 * MIB, `${taken / MIB} MiB for two snapshots`);
  for (const snapshot of ["of-mounted", "of-unmounted"]) {
    await mustRun("mount", [`/dev/stratis/foot/${snapshot}`, mountPoint]);
    await mustRun("umount", [mountPoint]);
    await mustRun("xfs_repair", ["-n", `/dev/stratis/foot/${snapshot}`]);
  }
});

/** Waits until the daemon is below the limit: V8 returns what a start needed when it collects next. */
async function requireSmall(): Promise<void> {
  const file = `/proc/${await daemonPid()}/status`;
  let memory: string[] = [];
  const isSmall = async (): Promise<boolean> => {
    memory = (await readFile(file, "utf8")).match(/^(VmHWM|VmRSS|Rss).*$/gm) ?? [];
    const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(memory.join("\n"))?.[1]);
    return kibibytes * 1024 <= RESIDENT_LIMIT;
  };
  await until(() => `at most ${RESIDENT_LIMIT} bytes of memory: ${memory.join(", ")}`, isSmall, 60_000);
}

test("resident memory is at most 70 MB when idle, from the script and from the snapshot", async () => {
  const isService = process.env["STRATIS_CASES_ON_HOST"] === undefined;
  // The service makes a snapshot of itself, which takes memory only for a while.
  if (isService) await until("a snapshot", () => Promise.resolve(existsSync(SNAPSHOT)), 300_000);
  await requireSmall();
  if (!isService) return;
  await stopDaemon();
  await startDaemon();
  await requireSmall();
});

test("idle, the daemon makes no system call but those of its timer", async () => {
  const pid = await daemonPid();
  // Behind a round of the timer, so that the next is ten seconds away.
  await sleep(3000);
  const traced = await run("timeout", [
    "-s",
    "INT",
    "35",
    "strace",
    "-f",
    "-q",
    "-r",
    "-e",
    "trace=!futex,restart_syscall",
    "-o",
    "/run/idle.strace",
    "-p",
    String(pid),
  ]);
  assert.ok([0, 124, 130].includes(traced.status ?? 0), traced.stderr);
  // What an event loop does to find out that nothing happened, and V8 to wake its own threads, is not the daemon's.
  const housekeeping = /epoll_pwait|(read|write)\(\d+, "\\1\\0\\0/;
  const wakes = /epoll_pwait/;
  let pause = 0;
  const lines = (await readFile("/run/idle.strace", "utf8")).trim().split("\n");
  // Three or four rounds and two or three times the watchdog, each a burst, or two where the machine is slow: more would
  // be polling.
  let bursts = 0;
  for (const line of lines) {
    pause += Number(/^\d+ +(\d+\.\d+) /.exec(line)?.[1] ?? 0);
    if (housekeeping.test(line)) continue;
    if (pause > 1) bursts += 1;
    pause = 0;
  }
  const woken = lines.filter((line) => wakes.test(line)).length;
  assert.ok(woken <= 350, `the event loop woke ${woken} times in 35 s`);
  assert.ok(bursts <= 10, `${bursts} bursts in 35 s:\n${lines.slice(0, 80).join("\n")}`);
});
