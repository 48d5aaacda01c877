/** One daemon at a time: stratisd takes over from the stratisd-min of early boot, which leaves a stratisd alone (system.md §4). */
import { setTimeout as sleep } from "node:timers/promises";
import { errorText } from "../engine/errors";
import { native, type FileLock } from "../native";

const PID_FILE = "/run/stratisd.pid";
const MIN_PID_FILE = "/run/stratisd-min.pid";
/** stratisd-min finishes what it is doing first: it may be setting up a pool. */
const TAKE_OVER_MILLISECONDS = 120_000;
const LOOK_MILLISECONDS = 100;
/** Who only looks whether stratisd runs holds its lock for a moment: stratisd-min, and that one's unit. */
const MOMENT_MILLISECONDS = 500;

function lock(program: string, path: string): FileLock {
  try {
    return native().lockFile(path);
  } catch (error) {
    throw new Error(`Failed to create or open the ${program} PID file at ${path}; ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** Resolves to the lock, which holds as long as the process lives. Rejects when another stratisd has it. */
export async function becomeOnlyInstance(): Promise<FileLock> {
  const own = await takeOwn("stratisd", PID_FILE);
  await endMinimalDaemon();
  return own;
}

/** As becomeOnlyInstance, of stratisd-min. Rejects also when stratisd runs. */
export async function becomeOnlyMinimalInstance(): Promise<FileLock> {
  const own = await takeOwn("stratisd-min", MIN_PID_FILE);
  const full = lock("stratisd", PID_FILE);
  if (!full.acquired) throw new Error(`stratisd is already running with supposed pid: ${shown(full)}`);
  full.release();
  return own;
}

const shown = ({ content }: FileLock): string => (content === "" ? "<unreadable>" : content);

async function takeOwn(program: string, path: string): Promise<FileLock> {
  const deadline = performance.now() + MOMENT_MILLISECONDS;
  let own = lock(program, path);
  while (!own.acquired && performance.now() < deadline) {
    await sleep(LOOK_MILLISECONDS);
    own = lock(program, path);
  }
  if (!own.acquired) throw new Error(`Daemon already running with supposed pid: ${shown(own)}`);
  own.write(String(process.pid));
  return own;
}

async function endMinimalDaemon(): Promise<void> {
  const first = lock("stratisd-min", MIN_PID_FILE);
  if (first.acquired) {
    first.release();
    return;
  }
  if (!/^[1-9]\d*$/.test(first.content)) throw new Error(`Failed to parse ${first.content} as PID`);
  const pid = Number(first.content);
  try {
    process.kill(pid, "SIGINT");
  } catch (error) {
    throw new Error(`Failed to send SIGINT to stratisd-min, process ${pid}; ${errorText(error)}`, {
      cause: error,
    });
  }
  const deadline = performance.now() + TAKE_OVER_MILLISECONDS;
  while (performance.now() < deadline) {
    await sleep(LOOK_MILLISECONDS);
    const again = lock("stratisd-min", MIN_PID_FILE);
    if (!again.acquired) continue;
    again.release();
    return;
  }
  throw new Error(
    `Failed to wait on stratisd-min to exit; process ${pid} still runs after ${TAKE_OVER_MILLISECONDS / 1000} s`,
  );
}
