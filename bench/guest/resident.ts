import { readdirSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { daemonPid } from "../../tests/vm/guest/daemon";

const WORKER = "stratisd-worker.js";

/** In MB; undefined where the process has no memory any more. */
function memoryMB(pid: number | string, name: "VmRSS" | "VmHWM"): number | undefined {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return found === null ? undefined : (Number(found[1]) * 1024) / 1e6;
}

/** Resident memory of the daemon now. */
export async function residentMB(): Promise<number> {
  const resident = memoryMB(await daemonPid(), "VmRSS");
  if (resident === undefined) throw new Error("The daemon's status has no VmRSS");
  return resident;
}

/** Node.js with the worker's script; what starts it, as systemd-run, has the same words in its command line. */
function isWorker(pid: string): boolean {
  const [program = "", ...args] = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  return path.basename(program) !== "systemd-run" && args.some((word) => path.basename(word) === WORKER);
}

/** The most resident memory so far of the process that works on a pool's data; undefined while there is none. */
export function workerMostMB(): number | undefined {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    try {
      if (isWorker(pid)) return memoryMB(pid, "VmHWM");
    } catch (error) {
      // It has ended meanwhile.
      if (!["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  return undefined;
}
