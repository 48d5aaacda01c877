/** The end of a pool whose creation or destruction was interrupted. */
import type { PoolRecord } from "../../../disk/pool-record";
import * as names from "../../../dm/names";
import { dmPath } from "../../../dm/operations";
import { logger } from "../../../log";
import { native } from "../../../native";
import { errorText } from "../../errors";
import { withUndo } from "../../undo";
import { layoutOf } from "../backstore/layout";
import { isEncrypted } from "../crypt/found-layer";
import { forgetHeaders } from "../crypt/header-backup";
import { requireSound } from "../pool-setup";
import { PoolStack, removeLeftovers } from "../thinpool/stack";
import type { FoundDevice } from "./found";
import { newestRecord } from "./newest-record";
import { describePool, lockedDevices, type LiminalPool } from "./liminal";
import { members, recordedDevices } from "./recorded";
import { hasFlag, wipe } from "./uncommitted";

const log = logger("stratisd::engine::discovery");

/** Removes what is left of a pool that was never completed, or whose destruction was under way. */
export async function clearAway(
  pool: LiminalPool,
  devices: FoundDevice[],
  what: "creation" | "destruction",
): Promise<void> {
  log.warn(
    `The ${what} of pool ${pool.uuid} was interrupted; clearing ${devices.map(({ path }) => path).join(", ")}`,
  );
  await removeLeftovers(pool.uuid);
  if (what === "destruction") await wipeLayer(pool, devices);
  if (what === "destruction") for (const device of lockedDevices(pool)) await device.wipe();
  // A device that says what is going on goes last, so that an interruption here is noticed again.
  const last = ({ header }: FoundDevice): number => (hasFlag(header, "destroying") ? 1 : 0);
  for (const device of [...devices].sort((a, b) => last(a) - last(b)))
    await wipe(device, pool.luks.get(device.header.devUuid));
}

/**
 * The LUKS2 header of an encrypted pool, which is on the device that is made of its members. Where one of these is wiped
 * the header was before it. Never throws: the pool is to go in any case.
 */
async function wipeLayer(pool: LiminalPool, devices: FoundDevice[]): Promise<void> {
  try {
    const newest = await newestRecord(devices);
    if (newest === null || !isEncrypted(newest.record)) return;
    const { record } = newest;
    if (recordedDevices(record).every((uuid) => pool.devices.has(uuid))) await wipeHeader(pool, record);
  } catch (error) {
    log.warn(`Could not wipe the LUKS2 header of ${describePool(pool)}: ${errorText(error)}`);
  }
}

async function wipeHeader(pool: LiminalPool, record: PoolRecord): Promise<void> {
  const found = members(pool, record);
  const headers = new Map([...found].map(([uuid, { header }]) => [uuid, header]));
  const layout = layoutOf(headers);
  if (layout.encrypts === "devices") return;
  requireSound(record, headers);
  const { container } = await withUndo((undo) =>
    new PoolStack(pool.uuid, found, layout).backstore.ensure(record, undo),
  );
  await forgetHeaders(names.v2Crypt(pool.uuid));
  await native().cryptWipe(dmPath(container));
  await removeLeftovers(pool.uuid);
}
