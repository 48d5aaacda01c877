/** Boots a guest, measures in it, prints the table. */
import { DIST_NAME } from "../tests/vm/harness/image";
import { GIB, Guest } from "../tests/vm/harness/guest";
import type { Measurements } from "./measure";

const MEASURE_MILLISECONDS = 40 * 60_000;
const LIMIT_SECONDS = 3600;

/**
 * stratisd 3.9.2 in such a guest, under software emulation on 2 cores: middle of the ranges that were seen. Times vary
 * by a factor of two from run to run and from machine to machine; sizes are exact. null: not measured.
 */
const UPSTREAM: Record<keyof Measurements, number | null> = {
  startToName: 0.7,
  startToAnswer: 1.2,
  createPool: 5.7,
  createFilesystem: 3.1,
  snapshotUnmounted: 5.8,
  snapshotMounted: 5.8,
  rename: 0.035,
  destroyFilesystem: 0.16,
  destroyPool: 0.44,
  restartWith24: 4.5,
  managedObjectsWith24: 0.2,
  lowWaterToResumed: null,
  filesystemMiB: 546,
  snapshotMiB: 544,
  residentIdleMB: 15.0,
  residentWith24MB: 22.4,
};

const ROWS: readonly [keyof Measurements, string, string][] = [
  ["startToName", "daemon start → name owned, no pools", "s"],
  ["startToAnswer", "daemon start → first answer, no pools", "s"],
  ["createPool", "CreatePool, one device", "s"],
  ["createFilesystem", "CreateFilesystems, one", "s"],
  ["snapshotUnmounted", "SnapshotFilesystem, origin not mounted", "s"],
  ["snapshotMounted", "SnapshotFilesystem, origin mounted", "s"],
  ["rename", "filesystem SetName", "s"],
  ["destroyFilesystem", "DestroyFilesystems, one", "s"],
  ["destroyPool", "DestroyPool, empty", "s"],
  ["restartWith24", "start with 24 filesystems → all objects", "s"],
  ["managedObjectsWith24", "GetManagedObjects, 24 filesystems", "s"],
  ["lowWaterToResumed", "low-water event → pool grown and resumed", "s"],
  ["filesystemMiB", "pool space of a fresh 1 TiB filesystem", "MiB"],
  ["snapshotMiB", "pool space of a snapshot", "MiB"],
  ["residentIdleMB", "resident memory, idle", "MB"],
  ["residentWith24MB", "resident memory, 24 filesystems", "MB"],
];

const figure = (value: number, unit: string): string => `${value.toFixed(unit === "s" ? 3 : 1)} ${unit}`;

function print(ours: Measurements): void {
  process.stdout.write(
    `\n${"".padEnd(44)}${"this".padStart(12)}${"3.9.2 ¹".padStart(12)}${"ratio".padStart(8)}\n`,
  );
  for (const [name, text, unit] of ROWS) {
    const upstream = UPSTREAM[name];
    const [other, ratio] =
      upstream === null ? ["–", "–"] : [figure(upstream, unit), (ours[name] / upstream).toFixed(2)];
    process.stdout.write(
      `${text.padEnd(44)}${figure(ours[name], unit).padStart(12)}${other.padStart(12)}${ratio.padStart(8)}\n`,
    );
  }
  process.stdout.write(
    "\nTimes are medians through D-Bus. ¹ stratisd 3.9.2, measured once in such a guest under software emulation\n" +
      "with 2 cores, on another machine: for orientation only.\n",
  );
}

async function main(): Promise<void> {
  process.stderr.write("Booting the guest…\n");
  const guest = await Guest.boot({
    disks: [
      { serial: "bench", sizeBytes: 40 * GIB },
      { serial: "first", sizeBytes: 16.5 * GIB },
      { serial: "second", sizeBytes: 12 * GIB },
    ],
    limitSeconds: LIMIT_SECONDS,
  });
  try {
    const printed = await guest.mustExec(["node", `/project/${DIST_NAME}/bench/measure.js`], {
      timeoutMs: MEASURE_MILLISECONDS,
      onOutput: (text, stream) => {
        if (stream === "err") process.stderr.write(text);
      },
    });
    print(JSON.parse(printed) as Measurements);
  } finally {
    await guest.shutdown();
  }
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  },
);
