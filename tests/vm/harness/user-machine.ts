/** The guest that is a user's machine, and steps that follow each other on it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { keepEvidence } from "../../../harness/evidence";
import { GIB, Guest } from "../../../harness/guest";

export const DEVICE = "/dev/disk/by-id/virtio";
export const POOLS = ["plain", "early", "stopped"];
/** Whoever may do nothing. */
export const AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups";

const COMMAND_MILLISECONDS = 900_000;
const JOBS_SECONDS = 600;
const LIMIT_SECONDS = 5400;

let booted: Guest | null = null;

export function machine(): Guest {
  assert.ok(booted !== null, "the guest has not been booted");
  return booted;
}

export async function bootMachine(): Promise<void> {
  const disks = POOLS.map((serial) => ({ serial, sizeBytes: 12 * GIB }));
  booted = await Guest.boot({ fresh: true, disks, limitSeconds: LIMIT_SECONDS });
}

export async function endMachine(): Promise<void> {
  await booted?.shutdown();
}

let failed: string | null = null;

/** Each step needs those before it. Of the first that fails all is kept that the guest can tell. */
export function step(name: string, work: () => Promise<void>): void {
  void test(name, async () => {
    if (failed !== null) assert.fail(`not tried: "${failed}" failed`);
    try {
      await work();
    } catch (error) {
      failed = name;
      process.stdout.write(`# kept in ${await keepEvidence(machine(), "system")}\n`);
      throw error;
    }
  });
}

/** Runs a script in the guest, which has to succeed. Returns its standard output. */
export const sh = (script: string): Promise<string> =>
  machine().mustExec(script, { timeoutMs: COMMAND_MILLISECONDS });

/** Runs `condition` in the guest once a second until it succeeds. */
export const until = (condition: string, seconds: number): Promise<string> =>
  sh(`for i in $(seq ${seconds}); do ${condition} && exit 0; sleep 1; done; exit 1`);

export const active = async (unit: string): Promise<string> =>
  (await machine().exec(["systemctl", "is-active", unit])).stdout.trim();

export const uuidOf = async (pool: string): Promise<string> =>
  (await sh(`stratis pool list --no-header --columns=name,uuid | awk '$1 == "${pool}" { print $2 }'`)).trim();

/** Until nothing starts any more. Throws when the boot has ended in emergency mode. */
export async function settled(): Promise<void> {
  await sh(
    `for i in $(seq ${JOBS_SECONDS}); do systemctl is-active -q emergency.target && exit 0; ` +
      "systemctl list-jobs --no-legend | grep -q . || exit 0; sleep 1; done; systemctl list-jobs; exit 1",
  );
  assert.equal(await active("emergency.target"), "inactive", "the boot ended in emergency mode");
}

export async function reboot(): Promise<void> {
  await machine().powerOff();
  await machine().bootAgain();
  await settled();
}
