/** Taking pools down: stopping, which keeps everything on disk, and destroying (devicemapper.md §2.19). */
import { SIGBLOCK_FLAG } from "../../disk/static-header";
import { logger } from "../../log";
import { BestEffortError, ChainedError, EngineError, errorText } from "../errors";
import { withUndo } from "../undo";
import type { PoolCore } from "./core";
import { filesystemsInUse, removeDevices } from "./filesystem-devices";
import { removeCryptDevices } from "./in-place";
import { sideBySide } from "./side-by-side";

const log = logger("stratisd::engine::pool");

/** Refuses to begin while a filesystem is open: nothing may be taken down before that is known of all. */
async function requireNoneOpen(core: PoolCore): Promise<void> {
  const open = await filesystemsInUse(core, [...core.filesystems.values()]);
  if (open.length === 0) return;
  const named = open.map(({ name }) => `"${name}"`).join(", ");
  throw new EngineError(`Filesystem ${named} of pool "${core.name}" is mounted or in use`);
}

/** The devices of filesystems; on failure they are put back. */
async function removeUpperLayers(core: PoolCore): Promise<void> {
  await requireNoneOpen(core);
  await core.inPlace?.end("the pool was stopped");
  try {
    await withUndo((undo) => removeDevices(core, core.filesystems.values(), undo));
  } catch (error) {
    throw new ChainedError(`Failed to take down the filesystems of pool "${core.name}"`, error);
  }
}

async function removeLowerLayers(core: PoolCore, beforeBackstore: () => Promise<void>): Promise<void> {
  // Neither is on the other.
  await sideBySide([() => core.stack.removeThinPool(), () => core.mdv.unmount()], (remove) => remove());
  await core.stack.removeFlexDevices();
  await beforeBackstore();
  await core.stack.removeBackstore();
  await core.crypt?.forgetVolumeKey();
}

/** Records that the pool was stopped, so that no start of the daemon sets it up. */
async function saveStopped(core: PoolCore): Promise<void> {
  try {
    await core.save({ ...core.record, started: false });
  } catch (error) {
    // With no device left there is nowhere to record it, and nothing to keep the pool's mappings for.
    if ([...core.devices.values()].some(({ present }) => present)) throw error;
    log.warn(
      `That pool "${core.name}" was stopped is recorded nowhere, because all of its devices are gone: ${errorText(error)}`,
    );
  }
}

/**
 * Stops a pool. "running": it could not be begun, the error says why. "partial": some devices are left, the error says
 * which.
 */
export async function stop(core: PoolCore): Promise<{ left: "nothing" } | { left: "devices"; error: Error }> {
  await removeUpperLayers(core);
  try {
    await removeLowerLayers(core, () => saveStopped(core));
    core.isEnding = true;
    for (const device of core.deviceCrypts()) await device.close();
    return { left: "nothing" };
  } catch (error) {
    log.warn(`Pool "${core.name}" was stopped, but not all of its devices are gone: ${errorText(error)}`);
    return { left: "devices", error: error instanceof Error ? error : new Error(String(error)) };
  }
}

/**
 * Destroys a pool without filesystems. Its end is recorded on one device before anything is wiped, so that an
 * interruption is finished at the next start. A pool with nothing but one header is gone when that is wiped, and whole
 * before.
 */
export async function destroy(core: PoolCore): Promise<void> {
  await core.inPlace?.end("the pool was destroyed");
  const [marked, ...others] = [...core.dataDevices(), ...core.cacheDevices()];
  const isOneHeader = others.length === 0 && core.crypt === null && core.deviceCrypts().length === 0;
  const mark = async (): Promise<void> => {
    await marked?.writeFlags(SIGBLOCK_FLAG.destroying);
  };
  await removeLowerLayers(core, async () => {
    if (core.crypt === null) return;
    await removeCryptDevices(core);
    await mark();
    await core.crypt.wipe();
  });
  if (marked === undefined) return;
  if (core.crypt === null && !isOneHeader) await mark();
  core.isEnding = true;
  const failures: string[] = [];
  for (const device of [...others, marked]) {
    // The mark stays while another device still claims to belong to the pool.
    if (device === marked && failures.length > 0) break;
    try {
      await device.wipe();
    } catch (error) {
      failures.push(`${device.physicalPath}: ${errorText(error)}`);
    }
  }
  if (failures.length > 0)
    throw new BestEffortError(`Failed to wipe all devices of pool "${core.name}"`, failures);
}
