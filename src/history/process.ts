/** The command of a process, as the kernel has it. */
import { readFileSync, writeFileSync } from "node:fs";

/**
 * null for a process that has ended meanwhile, which is nobody's mistake, or is out of sight. At once, and not on
 * another thread: short-lived clients end as soon as they have their answer, and procfs does not wait for a disk.
 */
export function commandOf(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").replace(/\n$/, "");
  } catch {
    return null;
  }
}

/**
 * Gives this process the name of its command: some versions of Node.js have theirs there, and the history of the daemon
 * should tell what was called.
 */
export function nameProcess(command: string): void {
  try {
    writeFileSync("/proc/self/comm", command);
  } catch {
    // Without procfs, which the daemon then could not look into either.
  }
}
