/**
 * Runs files of cases in guests of its own, several at a time. Emulation keeps one core busy for most of a case, so that
 * a second guest uses what the first one leaves.
 */
import { spawn } from "node:child_process";
import * as path from "node:path";
import type { AgentClient } from "./agent-client";
import { CASE_SECONDS, printNow, runCase, type CaseResult, type Place, type Print } from "./cases";
import { CASE_DISKS, Guest } from "./guest";
import { PROJECT } from "./image";
import { inUserMode, UserModeGuest } from "./user-mode";

/** For all files that a guest is given; never less than one of them may take. */
const GUEST_LIMIT_SECONDS = Math.max(3600, 2 * CASE_SECONDS);
export const HOST_CASES = "host-cases";

/** Whether a file's cases run on this machine and boot what they need. */
export const drivesGuests = (file: string): boolean => file.split(path.sep).includes(HOST_CASES);

export const inGuest = (agent: AgentClient | Guest): Place => ({
  project: "/project",
  node: "/usr/bin/node",
  disks: Object.fromEntries(CASE_DISKS.map(({ serial }) => [serial, `/dev/disk/by-id/virtio-${serial}`])),
  exec: (command, options) => agent.exec(command, options),
});

interface CaseGuest {
  place: Place;
  consoleTail(): string;
  shutdown(): Promise<void>;
}

async function bootForCases(): Promise<CaseGuest> {
  if (inUserMode()) return await UserModeGuest.boot(GUEST_LIMIT_SECONDS);
  const guest = await Guest.boot({ disks: CASE_DISKS, limitSeconds: GUEST_LIMIT_SECONDS });
  return {
    place: inGuest(guest),
    consoleTail: () => guest.consoleTail(),
    shutdown: () => guest.shutdown(),
  };
}

/** Cases that drive guests of their own run here, under a test runner of their own. */
async function runHostCase(file: string, print: Print): Promise<CaseResult> {
  const started = Date.now();
  print(`\n== ${file}\n`);
  let shown = "";
  const child = spawn(process.execPath, ["--test-reporter=spec", path.join(PROJECT, file)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout.on("data", (chunk: Buffer) => {
    shown += chunk.toString();
    print(chunk.toString());
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  const total = (name: string): number =>
    Number(new RegExp(`^\\S+ ${name} (\\d+)$`, "m").exec(shown)?.[1] ?? 0);
  const passed = total("pass");
  const failed = total("fail") + total("cancelled");
  const problem =
    status !== 0 || failed > 0
      ? `status ${status ?? "none"}, ${failed} failed`
      : passed === 0
        ? "no result came back"
        : null;
  return { file, passed, failed, seconds: (Date.now() - started) / 1000, problem };
}

/** Collects what one file reports, so that the reports of several lanes do not mix. */
function collector(): { print: Print; flush: () => void } {
  let text = "";
  return {
    print: (more) => {
      text += more;
    },
    flush: () => {
      printNow(text);
      text = "";
    },
  };
}

/** Takes files from the queues until both are empty. A guest is booted for the first file that needs one. */
async function runLane(
  take: () => string | undefined,
  results: Map<string, CaseResult>,
  alone: boolean,
): Promise<void> {
  let guest: CaseGuest | null = null;
  try {
    for (let file = take(); file !== undefined; file = take()) {
      const { print, flush } = alone ? { print: printNow, flush: () => undefined } : collector();
      if (drivesGuests(file)) {
        results.set(file, await runHostCase(file, print));
      } else {
        guest ??= await bootForCases();
        const result = await runCase(guest.place, file, print);
        if (result.problem !== null) print(`-- the end of the guest's console:\n${guest.consoleTail()}\n`);
        results.set(file, result);
      }
      flush();
    }
  } finally {
    await guest?.shutdown();
  }
}

function wantedLanes(): number {
  const wanted = process.env["STRATIS_VM_LANES"] ?? "2";
  if (!/^[1-9]\d?$/.test(wanted))
    throw new Error(`STRATIS_VM_LANES must be a number of guests from 1 to 99, it is "${wanted}"`);
  return Number(wanted);
}

/** Results in the order of `files`. Rejects when a guest does not boot. */
export async function runInGuests(files: readonly string[]): Promise<CaseResult[]> {
  const inside = files.filter((file) => !drivesGuests(file));
  const host = files.filter(drivesGuests);
  const results = new Map<string, CaseResult>();
  const lanes = Math.min(wantedLanes(), files.length);
  await Promise.all(
    Array.from({ length: lanes }, (_, lane) =>
      // The first lane keeps to one guest; the others begin with the files that boot theirs themselves.
      runLane(
        () => (lane === 0 ? (inside.shift() ?? host.shift()) : (host.shift() ?? inside.shift())),
        results,
        lanes === 1,
      ),
    ),
  );
  return files.flatMap((file) => results.get(file) ?? []);
}
