import { DIST_NAME } from "../tests/vm/harness/image";
import { Guest, type CommandGuest, type DiskSpec } from "../tests/vm/harness/guest";
import { inUserMode, UserModeGuest } from "../tests/vm/harness/user-mode";

export type MeasuredGuest = CommandGuest & Partial<Pick<UserModeGuest, "disks">>;

/** A guest to measure in, with these disks. */
export async function bootToMeasure(
  disks: readonly DiskSpec[],
  limitSeconds: number,
): Promise<MeasuredGuest> {
  if (inUserMode()) return await UserModeGuest.boot(limitSeconds, disks);
  return await Guest.boot({ disks, limitSeconds });
}

export interface GuestProgram {
  /** Of bench/guest, without its ending. */
  name: string;
  args?: readonly string[];
  /** Another daemon than ours, by its path in the guest. */
  daemon?: string | null;
  timeoutMs: number;
}

/** Runs one of the programs that measure in the guest; its progress is shown here. Returns what it prints. */
export async function runInGuest(
  guest: MeasuredGuest,
  { name, args = [], daemon = null, timeoutMs }: GuestProgram,
): Promise<string> {
  return await guest.mustExec(["node", `/project/${DIST_NAME}/bench/guest/${name}.js`, ...args], {
    env: {
      ...(daemon === null ? {} : { STRATIS_BENCH_DAEMON: daemon }),
      ...(guest.disks === undefined ? {} : { STRATIS_CASE_DISKS: JSON.stringify(guest.disks) }),
    },
    timeoutMs,
    onOutput: (text, stream) => {
      if (stream === "err") process.stderr.write(text);
    },
  });
}
