/** Making a pool with metadata of version 1, which the daemon itself makes no more: for tests, beside a running daemon. */
import { mkdtemp, rmdir } from "node:fs/promises";
import type { PoolUuid } from "../../uuid";
import { logger } from "../../log";
import { EngineError, errorText } from "../errors";
import { validateName, validatePaths } from "../validation";
import { locatePrograms } from "./commands";
import { acceptRequest, type AcceptedRequest } from "./crypt/request";
import { CLEVIS_SLOT, KEY_SLOT } from "./crypt/stratis-token";
import { examineRequested, requireNotInOtherPools, requireUniformSectorSizes } from "./discovery/requested";
import { createPoolOn } from "./pool-create";
import { LinkNotifier } from "./uevent";

const log = logger("stratisd::engine::legacy_pool");

/** Unlock methods of a new V1 pool, one of each kind at most; null for none. */
export interface LegacyEncryption {
  keyDescription: string | null;
  /** The configuration is JSON text. */
  clevis: { pin: string; config: string } | null;
}

async function accept({ keyDescription, clevis }: LegacyEncryption): Promise<AcceptedRequest | null> {
  if (keyDescription === null && clevis === null) return null;
  return await acceptRequest({
    keys: keyDescription === null ? [] : [{ slot: KEY_SLOT, description: keyDescription }],
    clevis: clevis === null ? [] : [{ slot: CLEVIS_SLOT, ...clevis }],
  });
}

/**
 * Makes a V1 pool, and leaves its devices active: a daemon takes them over when udev tells it of the pool's block
 * devices. Throws EngineError.
 */
export async function createLegacyPool(
  name: string,
  paths: string[],
  unlockMethods: LegacyEncryption,
): Promise<PoolUuid> {
  const encryption = await accept(unlockMethods);
  validateName(name);
  validatePaths(paths);
  const requested = await examineRequested(paths, "refused");
  requireNotInOtherPools(requested, null);
  if (requested.unowned.length === 0)
    throw new EngineError("At least one blockdev is required to create a pool.");
  requireUniformSectorSizes(requested.unowned);
  await locatePrograms();
  const links = new LinkNotifier();
  const { unowned: devices } = requested;
  // Not where a daemon has its own: stratisd sees there what is mounted and unmounted on the host.
  const mounts = await mkdtemp("/run/stratis-legacy-pool-");
  try {
    const wanted = { name, devices, integrity: null, links, marked: false, mounts, encryption };
    const core = await createPoolOn(wanted);
    await core.mdv.unmount();
    return core.uuid;
  } finally {
    await rmdir(mounts).catch((error: unknown) => {
      log.warn(`Could not remove the folder ${mounts}: ${errorText(error)}`);
    });
  }
}
