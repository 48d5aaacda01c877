/** Data devices of a running pool: adding them, and using what grown ones have more (engine.md §17.3, §18). */
import { SIGBLOCK_FLAG } from "../../disk/static-header";
import { logger } from "../../log";
import type { DevUuid } from "../../uuid";
import type { GrowAction, SetCreateAction } from "../actions";
import { EngineError } from "../errors";
import { withUndo, type UndoStack } from "../undo";
import { newDeviceRecord, withGrownReservation } from "./backstore/allocation";
import type { RealBlockDev } from "./blockdev";
import { extendThinPool } from "./checks";
import type { PoolCore } from "./core";
import { requireUniformSectorSizes, type RequestedDevice } from "./discovery/requested";
import { addMembers, claimDevices, confirmAdded, examineForTier, requireSectorSizesOf } from "./members";
import { inErrorMode, withErrorMode } from "./thinpool/extension";

const log = logger("stratisd::engine::devices");

/** Whether writers wait for space, have failed for want of it, or may soon: more than half of the thin pool is in use. */
function isShortOfData({ status }: PoolCore): boolean {
  if (status?.kind !== "working") return false;
  return status.mode === "out_of_data_space" || 2n * status.usedData > status.totalData;
}

/**
 * A pool that has got space: one that fails when it is full waits for space again, and one that is short of it is
 * extended at once. Any other is by the next check, as by stratisd: until then the space can become thin metadata,
 * which a higher limit of filesystems needs.
 */
async function useNewSpace(core: PoolCore): Promise<void> {
  core.outOfMetadataSpace = false;
  if (inErrorMode(core.record))
    await core.reshape(withErrorMode(core.record, false), "waits for space again when it is full");
  await core.refreshStatus();
  if (isShortOfData(core)) {
    await extendThinPool(core);
    await core.refreshStatus();
  }
}

/** Adds data devices. Nothing of device-mapper changes, unless the pool is short of space. */
export async function addDataDevices(core: PoolCore, paths: string[]): Promise<SetCreateAction<DevUuid>> {
  const requested = await examineForTier(core, paths, "data");
  if (requested.unowned.length === 0) return { created: [] };
  requireUniformSectorSizes(requested.unowned);
  requireSectorSizesOf(core, "data", requested.unowned);
  return await claimDevices(requested.unowned, async () => {
    const added = await withUndo((undo) => initializeAndRecord(core, requested.unowned, undo));
    log.info(`Pool "${core.name}" got ${added.map((device) => device.physicalPath).join(", ")}`);
    await useNewSpace(core);
    return { created: added.map((device) => device.uuid) };
  });
}

async function initializeAndRecord(
  core: PoolCore,
  devices: readonly RequestedDevice[],
  undo: UndoStack,
): Promise<RealBlockDev[]> {
  const { record } = core;
  const { dataTier } = record;
  const added = await addMembers(
    core,
    devices,
    {
      tier: "data",
      record: (header, hardwareInfo) => newDeviceRecord(header, dataTier.integrity, hardwareInfo),
    },
    undo,
  );
  await core.save({
    ...record,
    dataTier: { ...dataTier, devices: [...dataTier.devices, ...added.map((member) => member.record)] },
  });
  // From here on the devices belong to the pool, whatever happens.
  undo.commit();
  await confirmAdded(core.name, added);
  return added;
}

/**
 * Makes the space that a data device has got behind its recorded end part of the pool. The header is written first,
 * with a mark that the pool's record still has to follow; an interruption in between is made up for at set-up.
 */
export async function growDevice(core: PoolCore, uuid: DevUuid): Promise<GrowAction> {
  const device = core.devices.get(uuid);
  if (device?.tier !== "data")
    throw new EngineError(`No data device with UUID ${uuid} in pool "${core.name}"`);
  const size = await device.currentSize();
  const recorded = device.header.deviceSize;
  if (size < recorded)
    throw new EngineError(
      `${device.physicalPath} appears to have shrunk: it has ${size} sectors, ${recorded} are recorded`,
    );
  if (size === recorded) return "identity";
  await withUndo(async (undo) => {
    const { crypt } = device;
    if (crypt !== null) {
      await crypt.resize(size);
      undo.push(`make the mapping of ${device.physicalPath} as large as before`, () =>
        crypt.resize(recorded),
      );
    }
    const { header } = device;
    undo.push(`put back the header of ${device.physicalPath}`, () => device.writeHeader(header));
    await device.writeHeader({ ...header, deviceSize: size, flags: SIGBLOCK_FLAG.growing });
    await core.save(withGrownReservation(core.record, core.headers, uuid));
  });
  await confirmAdded(core.name, [device]);
  device.newSize = null;
  log.info(`${device.physicalPath} of pool "${core.name}" grew from ${recorded} to ${size} sectors`);
  await useNewSpace(core);
  return "grown";
}

/** The second half of a device's growth, after an interruption: V2 reserves more at its end. */
export async function finishGrowth(core: PoolCore, device: RealBlockDev): Promise<void> {
  await core.save(withGrownReservation(core.record, core.headers, device.uuid));
  await device.writeFlags(0n);
}
