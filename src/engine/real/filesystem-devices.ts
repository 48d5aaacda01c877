/** Taking away the devices of filesystems, all or none: because the filesystems are destroyed, or their pool stops. */
import { ChainedError } from "../errors";
import type { UndoStack } from "../undo";
import type { PoolCore } from "./core";
import type { RealFilesystem } from "./filesystem";
import { sideBySide } from "./side-by-side";

/** The kernel may give it another number than it had. */
async function giveDeviceBack(core: PoolCore, filesystem: RealFilesystem): Promise<void> {
  filesystem.device = await core.thin.ensure(filesystem.record);
  await core.announceLink(filesystem);
}

/** Those of them whose device is in use. All are asked at once, because who opens a device is given some time. */
export async function filesystemsInUse(
  core: PoolCore,
  filesystems: readonly RealFilesystem[],
): Promise<RealFilesystem[]> {
  const inUse = await Promise.all(filesystems.map(({ uuid }) => core.thin.isInUse(uuid)));
  return filesystems.filter((_, index) => inUse[index]);
}

/** Undone, those that are filesystems of the pool then have a device again. */
export async function removeDevices(
  core: PoolCore,
  filesystems: Iterable<RealFilesystem>,
  undo: UndoStack,
): Promise<void> {
  await sideBySide(filesystems, async (filesystem) => {
    try {
      await core.thin.deactivate(filesystem.uuid);
    } catch (error) {
      const what = `Failed to remove the device of filesystem "${filesystem.name}" of pool "${core.name}"`;
      throw new ChainedError(`${what}; it may be mounted or in use`, error);
    }
    undo.push(`give filesystem "${filesystem.name}" its device back`, async () => {
      if (core.filesystems.byUuid(filesystem.uuid) === filesystem) await giveDeviceBack(core, filesystem);
    });
  });
}
