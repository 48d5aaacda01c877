/**
 * The daemon's private mounts: a small tmpfs under which the metadata volumes are mounted, invisible to the host
 * because the launcher unshared the mount namespace and the tmpfs does not propagate (system.md §8).
 *
 * It has another one below it, which the host sees, empty, as with stratisd. What is mounted, unmounted or removed in
 * that one on the host would be so here: stratis-legacy-pool has the metadata volume of its new pool at the same path
 * as the daemon that takes the pool over.
 */
import { mkdir, readdir, readlink, stat } from "node:fs/promises";
import * as path from "node:path";
import { native } from "../../native";
import { logger } from "../../log";
import { ChainedError, EngineError, errorText, isMissing } from "../errors";

const log = logger("stratisd::engine::namespace");

/** In memory: nothing of it survives a boot. */
export const RUN_FOLDER = "/run/stratisd";
export const NAMESPACE_MOUNTS = `${RUN_FOLDER}/ns_mounts`;
/** At that path. */
const TMPFS_COUNT = 2;

/**
 * Throws unless every thread of this process is in a mount namespace other than the host's. As pid 1 (a container)
 * there is only one namespace, and nothing to check.
 */
export async function requirePrivateNamespace(): Promise<void> {
  if (process.pid === 1) return;
  const host = await readlink("/proc/1/ns/mnt");
  const threads = await readdir("/proc/self/task");
  for (const thread of threads) {
    const own = await readlink(`/proc/self/task/${thread}/ns/mnt`);
    if (own === host)
      throw new EngineError(
        `Thread ${thread} of stratisd is in the host's mount namespace ${host}; start stratisd by its launcher, as root`,
      );
  }
}

/** Whether another filesystem is at `folder` than in the folder that it is in. False where there is none. */
export async function isMountPoint(folder: string): Promise<boolean> {
  try {
    const [own, parent] = await Promise.all([stat(folder), stat(path.dirname(folder))]);
    return own.dev !== parent.dev;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Mounts the tmpfs and the one below it, replacing what an earlier daemon left behind. */
export async function mountPrivateTmpfs(): Promise<void> {
  try {
    await mkdir(NAMESPACE_MOUNTS, { recursive: true });
    for (let left = TMPFS_COUNT; left > 0 && (await isMountPoint(NAMESPACE_MOUNTS)); left -= 1) {
      log.info(`Mount found at ${NAMESPACE_MOUNTS}; unmounting`);
      try {
        await native().unmount(NAMESPACE_MOUNTS);
      } catch (error) {
        log.warn(`Could not unmount what an earlier daemon left at ${NAMESPACE_MOUNTS}: ${errorText(error)}`);
      }
    }
    // Without a mode everybody could put something there, such as a link in the place of a pool's mount point.
    const tmpfs = { source: "tmpfs", target: NAMESPACE_MOUNTS, type: "tmpfs", data: "size=1M,mode=0700" };
    await native().mount(tmpfs);
    await native().makeMountSlave(NAMESPACE_MOUNTS);
    await native().mount(tmpfs);
  } catch (error) {
    throw new ChainedError(`Failed to set up the private mounts of stratisd at ${NAMESPACE_MOUNTS}`, error);
  }
}

export async function unmountPrivateTmpfs(): Promise<void> {
  for (let left = TMPFS_COUNT; left > 0; left -= 1) await unmountWithRetries(NAMESPACE_MOUNTS);
}

/** One attempt and up to two retries, 100 ms apart: something may have looked at the mount for a moment. */
export async function unmountWithRetries(target: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await native().unmount(target);
      return;
    } catch (error) {
      if (attempt === 3) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
