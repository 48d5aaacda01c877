/**
 * Our daemon under the system bus: by systemd, as on a user's system, or started directly with options of the case's
 * own. On a developer's machine (--host) always directly, because no unit is installed there.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { STRATIS_NAME, SystemBus } from "./bus";
import { mustRun, PROJECT } from "./command";

const PROGRAM = path.join(PROJECT, "build", "Release", "stratisd");
const UNIT = "stratisd.service";
const START_MILLISECONDS = 120_000;
const STOP_MILLISECONDS = 60_000;
const LOOK_MILLISECONDS = 50;
/** Where its service has the daemon keep a snapshot of itself, and the snapshot. */
export const SNAPSHOTS = "/var/cache/stratis-node";
export const SNAPSHOT = `${SNAPSHOTS}/stratisd.snapshot`;
export const DIRECT_LOG = "/run/stratis-cases/stratisd.log";

export interface StartOptions {
  /** Without systemd; the log goes to DIRECT_LOG. */
  direct?: boolean;
  /** Another program that is a stratisd. Only with direct. */
  program?: string;
  /** Default: --log-level debug. Only with direct. */
  args?: string[];
  /** Added to the environment. Only with direct. */
  env?: Record<string, string>;
}

let direct: ChildProcess | null = null;

const command = async (file: string, args: string[]): Promise<string> => (await mustRun(file, args)).stdout;

/** The end of the daemon's log, for error messages. */
export async function daemonLog(lines = 60): Promise<string> {
  if (direct !== null) return readFileSync(DIRECT_LOG, "utf8").split("\n").slice(-lines).join("\n");
  return await command("journalctl", ["-q", "--no-pager", "-o", "cat", "-u", UNIT, "-n", String(lines)]);
}

function startDirectly(options: StartOptions): ChildProcess {
  mkdirSync(path.dirname(DIRECT_LOG), { recursive: true });
  const log = openSync(DIRECT_LOG, "a");
  const program = options.program ?? PROGRAM;
  const child = spawn(program, options.args ?? ["--log-level", "debug"], {
    stdio: ["ignore", "ignore", log],
    env: { ...process.env, ...options.env },
    detached: true,
  });
  closeSync(log);
  child.on("error", (error) => {
    process.stderr.write(`Starting ${program} failed: ${error.message}\n`);
  });
  return child;
}

const hasEnded = (child: ChildProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null;

/** Returns when the daemon owns its name on the bus. */
export async function startDaemon(options: StartOptions = {}): Promise<void> {
  if (options.direct !== true && process.env["STRATIS_CASES_ON_HOST"] === undefined) {
    await command("systemctl", ["reset-failed"]);
    try {
      await command("systemctl", ["start", UNIT]);
    } catch (error) {
      throw new Error(`${String(error)}\nThe end of its log:\n${await daemonLog()}`, { cause: error });
    }
    return;
  }
  direct = startDirectly(options);
  const bus = await SystemBus.open();
  try {
    const end = Date.now() + START_MILLISECONDS;
    while (!(await bus.hasOwner())) {
      if (hasEnded(direct) || Date.now() > end)
        throw new Error(`The daemon did not come to own ${STRATIS_NAME}; its log:\n${await daemonLog()}`);
      await sleep(LOOK_MILLISECONDS);
    }
  } finally {
    await bus.close();
  }
}

async function endDirect(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  const end = Date.now() + STOP_MILLISECONDS;
  while (!hasEnded(child)) {
    if (Date.now() > end) {
      child.kill("SIGKILL");
      throw new Error(
        `stratisd had not ended ${STOP_MILLISECONDS} ms after ${signal}; its log:\n${await daemonLog()}`,
      );
    }
    await sleep(LOOK_MILLISECONDS);
  }
  direct = null;
}

/** An orderly stop (SIGINT). Nothing happens when the daemon does not run. */
export async function stopDaemon(): Promise<void> {
  if (direct !== null) await endDirect(direct, "SIGINT");
  else if (process.env["STRATIS_CASES_ON_HOST"] === undefined) await command("systemctl", ["stop", UNIT]);
}

/** SIGKILL; returns when the process is gone. */
export async function killDaemon(): Promise<void> {
  if (direct !== null) {
    await endDirect(direct, "SIGKILL");
    return;
  }
  await command("systemctl", ["kill", "--kill-whom=main", "--signal=KILL", UNIT]);
  const end = Date.now() + STOP_MILLISECONDS;
  while ((await daemonPid()) !== 0) {
    if (Date.now() > end) throw new Error(`stratisd was still there ${STOP_MILLISECONDS} ms after SIGKILL`);
    await sleep(LOOK_MILLISECONDS);
  }
}

/** 0: it does not run. */
export async function daemonPid(): Promise<number> {
  if (direct !== null) return hasEnded(direct) ? 0 : (direct.pid ?? 0);
  return Number(await command("systemctl", ["show", "--property=MainPID", "--value", UNIT]));
}
