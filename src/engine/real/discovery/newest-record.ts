/** The newest record of a pool among what its devices hold (engine.md §8, on-disk-format.md §13). */
import { lastUpdateTime, readMetadata, type MetadataCopy } from "../../../disk/bda";
import { compareTimestamps, type Timestamp } from "../../../disk/mda";
import { parsePoolRecord, type PoolRecord } from "../../../disk/pool-record";
import type { StaticHeader } from "../../../disk/static-header";
import { logger } from "../../../log";
import { EngineError, errorText } from "../../errors";
import { withBlockFile } from "../block-file";
import type { RealBlockDev } from "../blockdev";

const log = logger("stratisd::engine::discovery");

interface Located {
  path: string;
  header: StaticHeader;
}

/** Devices by the time of their newest copy of the metadata, latest first; those without any are left out, and
 * those that could not be read, which are added to `failures`. */
async function byTime(
  devices: readonly Located[],
  failures: string[],
): Promise<{ device: Located; time: Timestamp }[]> {
  const dated: { device: Located; time: Timestamp }[] = [];
  for (const device of devices) {
    try {
      const time = await withBlockFile(device.path, {}, (file) => lastUpdateTime(file, device.header));
      if (time !== null) dated.push({ device, time });
    } catch (error) {
      failures.push(`${device.path}: ${errorText(error)}`);
      log.warn(`Metadata on ${device.path} can't be used: ${errorText(error)}`);
    }
  }
  return dated.sort((a, b) => compareTimestamps(b.time, a.time));
}

/**
 * The newest record of a pool. A copy that can't be read is passed over for the next one, with a warning. One that is
 * whole and can't be parsed was written by something that knows more than this: what is older may not be true any more.
 * Null when no device holds any: the pool was never completed. Throws when there are copies and none is good.
 */
export async function newestRecord(
  devices: readonly Located[],
): Promise<{ record: PoolRecord; copy: MetadataCopy } | null> {
  const failures: string[] = [];
  let unknown: Timestamp | null = null;
  for (const { device } of await byTime(devices, failures)) {
    try {
      const { newest, damaged } = await withBlockFile(device.path, {}, (file) =>
        readMetadata(file, device.header),
      );
      for (const damage of damaged) log.warn(`Metadata on ${device.path}: ${damage}`);
      if (newest === null) continue;
      if (unknown !== null && compareTimestamps(newest.time, unknown) < 0) break;
      unknown = newest.time;
      return { record: parsePoolRecord(newest.json), copy: newest };
    } catch (error) {
      failures.push(`${device.path}: ${errorText(error)}`);
      log.warn(`Metadata on ${device.path} can't be used: ${errorText(error)}`);
    }
  }
  if (failures.length > 0)
    throw new EngineError(
      unknown === null
        ? `No copy of the pool's metadata is readable: ${failures.join("; ")}`
        : `The newest metadata of the pool can't be understood: ${failures.join("; ")}`,
    );
  return null;
}

/** The text of the newest copy on the devices of a running pool. */
export async function readLastMetadata(devices: readonly RealBlockDev[]): Promise<string> {
  const found = await newestRecord(devices.map(({ devnode, header }) => ({ path: devnode, header })));
  if (found === null) throw new EngineError("No device of the pool holds metadata");
  return found.copy.json.toString("utf8");
}
