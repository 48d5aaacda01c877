/** Taking down what is left of pools that do not run (engine.md §11.2). */
import { memberRecords, type PoolRecord } from "../../../disk/pool-record";
import { logger } from "../../../log";
import { errorText } from "../../errors";
import { MetadataStore } from "../backstore/metadata-store";
import { removeLeftovers } from "../thinpool/stack";
import { newestRecord } from "./newest-record";
import { describePool, type LiminalPool } from "./liminal";
import { forgetClosed } from "./unlock";

const log = logger("stratisd::engine::discovery");

/**
 * A partially constructed pool that was asked to stop: it stays down, also when udev tells of its devices again. Throws
 * EngineError when something of it is in use.
 */
export async function cleanUp(pool: LiminalPool): Promise<void> {
  await recordStopped(pool);
  await removeLeftovers(pool.uuid, [...pool.luks.keys()]);
  await forgetClosed(pool);
  pool.partiallyConstructed = false;
  pool.reason = null;
}

/**
 * Before the devices are closed. Where a device is missing it may have the newest record, and nothing is written over
 * an older one; such a pool is not started by itself before that one is there.
 */
async function recordStopped(pool: LiminalPool): Promise<void> {
  try {
    const newest = await newestRecord([...pool.devices.values()]);
    if (newest === null || newest.record.started === false) return;
    const { record, copy } = newest;
    if (!isComplete(pool, record)) return;
    const places = record.dataTier.devices.flatMap(({ uuid }) => pool.devices.get(uuid) ?? []);
    await new MetadataStore(copy.time).save(
      places.map(({ path, header }) => ({ devnode: path, physicalPath: path, header })),
      { ...record, started: false },
    );
  } catch (error) {
    log.warn(
      `That ${describePool(pool)} was stopped could not be recorded, so that it may start again by itself: ` +
        errorText(error),
    );
  }
}

const isComplete = (pool: LiminalPool, record: PoolRecord): boolean =>
  memberRecords(record).every(({ uuid }) => pool.devices.has(uuid));
