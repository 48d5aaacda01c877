/**
 * Boots a guest, measures in it, prints the table: ours, and stratisd 3.9.2 in the same guest where STRATIS_UPSTREAM
 * names the folder of its sources, built for Debian 13.
 */
import { GIB } from "../tests/vm/harness/guest";
import type { Measurements as Operations } from "./guest/operations";
import { bootToMeasure, runInGuest, type MeasuredGuest } from "./in-guest";
import { runProgram } from "./program";
import { heading, row, type Unit } from "./table";
import { stageUpstream, upstreamSources } from "../tests/vm/harness/upstream";

const MEASURE_MILLISECONDS = 40 * 60_000;
const LIMIT_SECONDS = 2 * 3600;

interface Measurements extends Operations {
  startEncryptedPool: number;
}

/**
 * stratisd 3.9.2 in such a guest, under software emulation on 2 cores: middle of the ranges that were seen. Times vary
 * by a factor of two from run to run and from machine to machine; sizes are exact. What is missing was not measured.
 */
const UPSTREAM: Partial<Measurements> = {
  startToName: 0.7,
  startToAnswer: 1.2,
  createPool: 5.7,
  createFilesystem: 3.1,
  snapshotUnmounted: 5.8,
  snapshotMounted: 5.8,
  rename: 0.035,
  destroyFilesystem: 0.16,
  destroyPool: 0.44,
  stopPoolWith24: 2.8,
  startPoolWith24: 7.9,
  restartToNameWith24: 1.1,
  restartWith24: 4.5,
  destroy18: 1.6,
  managedObjectsWith24: 0.2,
  filesystemMiB: 546,
  snapshotMiB: 544,
  residentIdleMB: 15.0,
  residentWith24MB: 22.4,
};

const ROWS: readonly [keyof Measurements, string, Unit][] = [
  ["startToName", "daemon start → name owned, no pools", "s"],
  ["startToAnswer", "daemon start → first answer, no pools", "s"],
  ["nodeAlone", "Node.js with an empty script, by comparison", "s"],
  ["createPool", "CreatePool, one device", "s"],
  ["destroyPool", "DestroyPool, empty", "s"],
  ["createEncryptedPool", "CreatePool, one device, encrypted", "s"],
  ["startEncryptedPool", "StartPool, encrypted, by a key", "s"],
  ["destroyEncryptedPool", "DestroyPool, empty, encrypted", "s"],
  ["createFilesystem", "CreateFilesystems, one", "s"],
  ["snapshotUnmounted", "SnapshotFilesystem, origin not mounted", "s"],
  ["snapshotMounted", "SnapshotFilesystem, origin mounted", "s"],
  ["rename", "filesystem SetName", "s"],
  ["renameSlowCache", "filesystem SetName, of a disk whose cache takes 5 ms", "s"],
  ["renameToSame", "filesystem SetName to the name that it has", "s"],
  ["destroyFilesystem", "DestroyFilesystems, one", "s"],
  ["destroy18", "DestroyFilesystems, 18 in one call", "s"],
  ["stopPoolWith24", "StopPool, 24 filesystems", "s"],
  ["startPoolWith24", "StartPool, 24 filesystems", "s"],
  ["restartToNameWith24", "start with 24 filesystems → name owned", "s"],
  ["restartWith24", "start with 24 filesystems → all objects", "s"],
  ["managedObjectsWith24", "GetManagedObjects, 24 filesystems", "s"],
  ["lowWaterToResumed", "low-water event → pool grown and resumed", "s"],
  ["lowWaterToIoctl", "low-water event → first ioctl of the growth", "s"],
  ["suspendedToResumed", "longest that a growth suspended a device", "s"],
  ["longestWrite", "longest write of 1 MiB while a pool grows", "s"],
  ["middleWrite", "middle write of 1 MiB while a pool grows", "s"],
  ["filesystemMiB", "pool space of a fresh 1 TiB filesystem", "MiB"],
  ["snapshotMiB", "pool space of a snapshot", "MiB"],
  ["residentIdleMB", "resident memory, idle", "MB"],
  ["residentWith24MB", "resident memory, 24 filesystems", "MB"],
];

function print(ours: Measurements, measured: Measurements | null): void {
  const upstream = measured ?? UPSTREAM;
  const lines = ROWS.map(([name, text, unit]) => row(text, unit, ours[name], upstream[name] ?? null));
  process.stdout.write(`\n${[heading(measured === null ? "3.9.2 ¹" : "3.9.2"), ...lines].join("\n")}\n`);
  process.stdout.write(
    measured === null
      ? "\nTimes are medians through D-Bus. ¹ stratisd 3.9.2, measured once in such a guest under software emulation\n" +
          "with 2 cores, on another machine: for orientation only.\n"
      : "\nTimes are medians through D-Bus, one daemon after the other in the same guest.\n",
  );
}

/** `daemon`: another one than ours. */
const runMeasuring = (
  guest: MeasuredGuest,
  name: string,
  args: readonly string[],
  daemon: string | null,
): Promise<string> => runInGuest(guest, { name, args, daemon, timeoutMs: MEASURE_MILLISECONDS });

const measureOperations = async (guest: MeasuredGuest, daemon: string | null): Promise<Operations> =>
  JSON.parse(await runMeasuring(guest, "operations", [], daemon)) as Operations;

/** Seconds, of a pool that was made before. */
const measureEncryptedStart = async (guest: MeasuredGuest, daemon: string | null): Promise<number> =>
  Number(await runMeasuring(guest, "sealed", ["start"], daemon));

async function main(): Promise<void> {
  const sources = upstreamSources();
  process.stderr.write("Booting the guest…\n");
  const guest = await bootToMeasure(
    [
      { serial: "bench", sizeBytes: 40 * GIB },
      { serial: "first", sizeBytes: 33 * GIB },
      { serial: "second", sizeBytes: 12 * GIB },
    ],
    LIMIT_SECONDS,
  );
  try {
    const upstream = sources === null ? null : stageUpstream(sources);
    const ours = await measureOperations(guest, null);
    const theirs = upstream === null ? null : await measureOperations(guest, upstream);
    await runMeasuring(guest, "sealed", ["make"], null);
    const startEncryptedPool = await measureEncryptedStart(guest, null);
    print(
      { ...ours, startEncryptedPool },
      theirs === null
        ? null
        : { ...theirs, startEncryptedPool: await measureEncryptedStart(guest, upstream) },
    );
  } finally {
    await guest.shutdown();
  }
}

runProgram(main);
