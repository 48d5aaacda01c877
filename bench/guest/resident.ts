import { readFileSync } from "node:fs";
import { daemonPid } from "../../tests/vm/guest/daemon";

/** Resident memory of the daemon now, in MB. */
export async function residentMB(): Promise<number> {
  const status = readFileSync(`/proc/${await daemonPid()}/status`, "utf8");
  const found = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (found === null) throw new Error("The daemon's status has no VmRSS");
  return (Number(found[1]) * 1024) / 1e6;
}
