import { DIST_NAME } from "../tests/vm/harness/image";
import type { Guest } from "../tests/vm/harness/guest";

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
  guest: Guest,
  { name, args = [], daemon = null, timeoutMs }: GuestProgram,
): Promise<string> {
  return await guest.mustExec(["node", `/project/${DIST_NAME}/bench/guest/${name}.js`, ...args], {
    env: daemon === null ? {} : { STRATIS_BENCH_DAEMON: daemon },
    timeoutMs,
    onOutput: (text, stream) => {
      if (stream === "err") process.stderr.write(text);
    },
  });
}
