/** What the cases of encryption in place share. */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { callStratis, dmDevices, mustRun, poolObject, until, type Reply } from "../cases/support";
import { daemonLog, killDaemon, startDaemon } from "../guest/daemon";

export const POOL_INTERFACE = "org.storage.stratis3.pool.r9";
/** A whole operation, in an emulated guest. */
export const LIMIT_MILLISECONDS = 20 * 60_000;

/** libcryptsetup is at it. */
export const isWorking = async (): Promise<boolean> =>
  (await dmDevices()).some((name) => name.endsWith("-overlay"));

/** Waits as long as a whole operation may take. */
export const reached = (what: string, isSo: () => Promise<boolean>): Promise<void> =>
  until(what, isSo, LIMIT_MILLISECONDS);

/**
 * Kills the daemon up to `times` times in the middle of an operation, and starts it again each time. Where the operation
 * is fast it may be done before it was killed that often, but not before it was killed at all.
 */
export async function killAtWork(pool: string, times: number, isDone: () => Promise<boolean>): Promise<void> {
  for (let kill = 0; kill < times; kill += 1) {
    await reached("work in place, or its end", async () => (await isWorking()) || (await isDone()));
    if (await isDone()) {
      assert.ok(kill > 0, "It was done before it could be killed");
      return;
    }
    await sleep(500 + Math.random() * 4000);
    await killDaemon();
    await startDaemon();
    await poolObject(pool).catch(async (error: unknown) => {
      throw new Error(`The pool does not run again:\n${await daemonLog()}`, { cause: error });
    });
  }
}

/** A method of the pool; the answer never comes when the daemon is killed: null. */
export async function begin(
  pool: string,
  member: string,
  signature = "",
  body: unknown[] = [],
): Promise<{ reply: Promise<Reply | null> }> {
  const { path } = await poolObject(pool);
  return { reply: callStratis(path, POOL_INTERFACE, member, signature, body).catch(() => null) };
}

/** The device that has the header, or would have it. */
export async function container(): Promise<string> {
  const name = (await dmDevices()).find((device) => device.endsWith("-physical-cache"));
  if (name === undefined) throw new Error("No pool is up");
  return `/dev/mapper/${name}`;
}

/** What a header says of its volume keys' digests: others, when the keys are others. */
export const digestsOf = async (device: string): Promise<string> =>
  (await mustRun("sh", ["-c", `cryptsetup luksDump ${device} | sed -n '/^Digests/,$p'`])).stdout;
