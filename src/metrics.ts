/** Counts of what the daemon does, from its start on; stratis-metrics tells them. Any room may count. */
import type { IntervalHistogram } from "node:perf_hooks";

const NANOSECONDS = 1e9;
const LOOP_RESOLUTION_MS = 20;
/** Longer than any collector waits between two reports. */
const LOOP_WATCHED_MS = 900_000;

interface Work {
  done: number;
  failed: number;
  /** Seconds, of all and of the longest. */
  seconds: number;
  longest: number;
}

/** What grows: thin-pool data, thin-pool metadata, filesystems. */
export type Growth = "data" | "metadata" | "filesystem";
export type EventSourceName = "udev" | "devicemapper" | "timer";

const growths: Record<Growth, Work> = {
  data: { done: 0, failed: 0, seconds: 0, longest: 0 },
  metadata: { done: 0, failed: 0, seconds: 0, longest: 0 },
  filesystem: { done: 0, failed: 0, seconds: 0, longest: 0 },
};
const events: Record<EventSourceName, number> = { udev: 0, devicemapper: 0, timer: 0 };

let loop: { delays: IntervalHistogram; end: NodeJS.Timeout } | null = null;

/**
 * Delays of the event loop since the last report; null when that is long ago. To measure them takes a timer that fires
 * all the time, which an idle daemon that nobody watches must not have.
 */
function loopDelays(): IntervalHistogram | null {
  if (loop !== null) {
    loop.end.refresh();
    return loop.delays;
  }
  // Not a part of a snapshot of the daemon (src/daemon/snapshot/start.ts): Node does not vouch for this module in one.
  const { monitorEventLoopDelay } = process.getBuiltinModule("node:perf_hooks");
  const delays = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delays.enable();
  const end = setTimeout(() => {
    delays.disable();
    loop = null;
  }, LOOP_WATCHED_MS);
  loop = { delays, end: end.unref() };
  return null;
}

export function countEvents(source: EventSourceName, number = 1): void {
  events[source] += number;
}

/** Runs `work`, which makes something larger, and counts it by its outcome. */
export async function measuringGrowth<T>(what: Growth, work: () => Promise<T>): Promise<T> {
  const counted = growths[what];
  const began = performance.now();
  try {
    const result = await work();
    counted.done += 1;
    return result;
  } catch (error) {
    counted.failed += 1;
    throw error;
  } finally {
    const seconds = (performance.now() - began) / 1000;
    counted.seconds += seconds;
    counted.longest = Math.max(counted.longest, seconds);
  }
}

/** Whole microseconds: the report has no fractions, which JSON readers of sizes need not expect. */
const micros = (seconds: number): number => Math.round(seconds * 1e6);

/** The loop's delay is that since the last report, and without the resolution of the measurement. */
export function daemonReport(): object {
  const delay = (nanoseconds: number): number =>
    micros(Math.max(0, nanoseconds / NANOSECONDS - LOOP_RESOLUTION_MS / 1000));
  const delays = loopDelays();
  const measured =
    delays === null || delays.count === 0
      ? null
      : { mean: delay(delays.mean), p99: delay(delays.percentile(99)), longest: delay(delays.max) };
  delays?.reset();
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    events,
    extensions: Object.fromEntries(
      Object.entries(growths).map(([what, { done, failed, seconds, longest }]) => [
        what,
        { done, failed, microseconds: micros(seconds), longest_microseconds: micros(longest) },
      ]),
    ),
    loop_delay_microseconds: measured,
    memory_bytes: { resident: rss, heap: heapUsed, external },
    uptime_seconds: Math.floor(process.uptime()),
  };
}
