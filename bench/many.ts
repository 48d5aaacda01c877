/**
 * How the start of a pool grows with its filesystems: ours makes them, and both daemons start the same pool, stratisd 3.9.2
 * where STRATIS_UPSTREAM names the folder of its sources, built for Debian 13.
 */
import { GIB } from "../tests/vm/harness/guest";
import { bootToMeasure, runInGuest, type MeasuredGuest } from "./in-guest";
import { median } from "./median";
import { runProgram } from "./program";
import { heading, row } from "./table";
import { stageUpstream, upstreamSources } from "../tests/vm/harness/upstream";

const COUNTS = [75, 150, 300];
const RUNS = 3;
const STEP_MILLISECONDS = 60 * 60_000;
const LIMIT_SECONDS = 3 * 3600;

const inGuest = (
  guest: MeasuredGuest,
  what: "make" | "start",
  count: number,
  daemon: string | null,
): Promise<string> =>
  runInGuest(guest, { name: "many", args: [what, String(count)], daemon, timeoutMs: STEP_MILLISECONDS });

/** The devices of a pool stay when a daemon ends: what is measured begins without them, as a boot does. */
const TAKE_DOWN = "dmsetup remove_all --retry && udevadm settle --timeout=300";

async function starts(guest: MeasuredGuest, count: number, program: string | null): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < RUNS; index += 1) {
    await guest.mustExec(TAKE_DOWN, { timeoutMs: STEP_MILLISECONDS });
    times.push(Number(await inGuest(guest, "start", count, program)));
  }
  return median(times);
}

async function main(): Promise<void> {
  const sources = upstreamSources();
  const program = sources === null ? null : stageUpstream(sources);
  const guest = await bootToMeasure([{ serial: "bench", sizeBytes: 400 * GIB }], LIMIT_SECONDS);
  const lines: string[] = [];
  try {
    for (const count of COUNTS) {
      process.stderr.write(`bench: ${count} filesystems\n`);
      await inGuest(guest, "make", count, null);
      const ours = await starts(guest, count, null);
      const upstream = program === null ? null : await starts(guest, count, program);
      lines.push(row(`start with ${count} filesystems → all objects`, "s", ours, upstream));
    }
  } finally {
    await guest.shutdown();
  }
  process.stdout.write(
    `\n${[heading("3.9.2"), ...lines].join("\n")}\n\nMedians of ${RUNS} starts of the same pool.\n`,
  );
}

runProgram(main);
