/**
 * Programs in mount and process namespaces of their own, with an empty /run: several daemons can then hold the lock at
 * /run/stratisd.pid at once, and each sees no processes but those of its own namespace.
 */
import { spawn, spawnSync, type ChildProcess, type StdioOptions } from "node:child_process";

/** The tmpfs hides the machine's /run from the program, and nothing else. */
const PREPARE = 'mount -t tmpfs tmpfs /run && exec "$@"';

function namespaceArguments(command: readonly string[]): string[] {
  const user = process.geteuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const namespaces = ["--mount", "--mount-proc", "--pid", "--fork", "--kill-child"];
  return [...user, ...namespaces, "--", "sh", "-c", PREPARE, "isolated", ...command];
}

/**
 * Starts the command as process 1 of its namespace: whatever it started ends with it, also when it is killed, and it
 * is killed when we end, in whichever way.
 */
export function spawnIsolated(
  command: readonly string[],
  options: { stdio: StdioOptions; env?: NodeJS.ProcessEnv },
): ChildProcess {
  return spawn("setpriv", ["--pdeathsig=KILL", "unshare", ...namespaceArguments(command)], options);
}

const PROBE_TIMEOUT_MS = 20_000;

/** Why this machine grants no such namespaces to us, or null when it does. */
export function isolationRefusal(): string | null {
  const { status, stderr, error } = spawnSync("unshare", namespaceArguments(["true"]), {
    encoding: "utf8",
    timeout: PROBE_TIMEOUT_MS,
  });
  if (status === 0) return null;
  return `unshare grants no namespaces: ${error?.message ?? stderr.trim()}`;
}
