/** What the cases of encryption in place share. */
import { callStratis, dmDevices, mustRun, poolObject, until, type Reply } from "../cases/support";

export const POOL_INTERFACE = "org.storage.stratis3.pool.r9";
/** A whole operation, in an emulated guest. */
export const LIMIT_MILLISECONDS = 20 * 60_000;

/** libcryptsetup is at it. */
export const isWorking = async (): Promise<boolean> =>
  (await dmDevices()).some((name) => name.endsWith("-overlay"));

/** Waits as long as a whole operation may take. */
export const reached = (what: string, isSo: () => Promise<boolean>): Promise<void> =>
  until(what, isSo, LIMIT_MILLISECONDS);

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
