/** Making a pool with metadata of version 1, which the daemon itself makes no more: for tests, beside a running daemon. */
import type { PoolUuid } from "../../uuid";
import { EngineError } from "../errors";
import { validateName, validatePaths } from "../validation";
import { locatePrograms } from "./commands";
import { examineRequested, requireNotInOtherPools, requireUniformSectorSizes } from "./discovery/requested";
import { createPoolOn } from "./pool-create";
import { LinkNotifier } from "./uevent";

/**
 * Makes an unencrypted V1 pool, and leaves its devices active: a daemon takes them over when udev tells it of the
 * pool's block devices. Throws EngineError.
 */
export async function createLegacyPool(name: string, paths: string[]): Promise<PoolUuid> {
  validateName(name);
  validatePaths(paths);
  const requested = await examineRequested(paths);
  requireNotInOtherPools(requested, null);
  if (requested.unowned.length === 0)
    throw new EngineError("At least one blockdev is required to create a pool.");
  requireUniformSectorSizes(requested.unowned);
  await locatePrograms();
  const links = new LinkNotifier();
  const { unowned: devices } = requested;
  const core = await createPoolOn({ name, devices, integrity: null, links, marked: false, encryption: null });
  await core.mdv.unmount();
  return core.uuid;
}
