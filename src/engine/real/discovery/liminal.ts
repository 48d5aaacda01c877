/**
 * Pools whose devices are (partly) known but that do not run, as a table of device sets (engine.md §8). Decisions
 * about setting them up are in setup.ts beside this file; here is only what is known.
 */
import { formatDeviceNumber } from "../../../dm/device-number";
import { logger } from "../../../log";
import { simpleUuid, type DevUuid, type PoolUuid } from "../../../uuid";
import type { StoppedPool } from "../../engine";
import type { FoundDevice } from "./found";

const log = logger("stratisd::engine::discovery");

export interface LiminalPool {
  uuid: PoolUuid;
  devices: Map<DevUuid, FoundDevice>;
  /** From the newest record, when that could be read and names exactly the devices found. */
  name: string | null;
  features: StoppedPool["features"];
  partiallyConstructed: boolean;
  /** Why it does not run; null when it was stopped on request. */
  reason: string | null;
}

export class LiminalPools {
  readonly #pools = new Map<PoolUuid, LiminalPool>();

  values(): LiminalPool[] {
    return [...this.#pools.values()];
  }

  get(uuid: PoolUuid): LiminalPool | undefined {
    return this.#pools.get(uuid);
  }

  clear(): void {
    this.#pools.clear();
  }

  /** Adds what was found of a device. The first of two devices with one uuid wins, until it goes away. */
  add(device: FoundDevice): LiminalPool {
    const { poolUuid, devUuid } = device.header;
    const pool: LiminalPool = this.#pools.get(poolUuid) ?? {
      uuid: poolUuid,
      devices: new Map(),
      name: null,
      features: null,
      partiallyConstructed: false,
      reason: null,
    };
    this.#pools.set(poolUuid, pool);
    const known = pool.devices.get(devUuid);
    if (known !== undefined && formatDeviceNumber(known.number) !== formatDeviceNumber(device.number))
      log.warn(
        `${device.path} and ${known.path} both claim to be device ${devUuid} of pool ${poolUuid}; ignoring ${device.path}`,
      );
    else pool.devices.set(devUuid, device);
    return pool;
  }

  /** Forgets the device at a path, and a pool without devices; the pool concerned, if any. */
  removePath(path: string): LiminalPool | undefined {
    for (const pool of this.#pools.values())
      for (const [uuid, device] of pool.devices) {
        if (device.path !== path) continue;
        pool.devices.delete(uuid);
        if (pool.devices.size === 0) this.#pools.delete(pool.uuid);
        return pool;
      }
    return undefined;
  }

  put(pool: LiminalPool): void {
    if (pool.devices.size > 0) this.#pools.set(pool.uuid, pool);
  }

  /** Takes a pool out, because it runs now or its devices are nobody's any more. */
  take(uuid: PoolUuid): LiminalPool | undefined {
    const pool = this.#pools.get(uuid);
    this.#pools.delete(uuid);
    return pool;
  }

  byName(name: string): LiminalPool[] {
    return this.values().filter((pool) => pool.name === name);
  }

  /** As clients see them; a name that several share is shown for none of them. */
  stoppedPools(): StoppedPool[] {
    return this.values().map((pool) => {
      const versions = new Set([...pool.devices.values()].map((device) => device.header.version));
      const [version] = versions;
      return {
        uuid: pool.uuid,
        name: pool.name !== null && this.byName(pool.name).length === 1 ? pool.name : null,
        devices: [...pool.devices].map(([uuid, { path }]) => ({ path, uuid })),
        metadataVersion: versions.size === 1 && version !== undefined ? version : null,
        features: pool.features,
        encryption: null,
        partiallyConstructed: pool.partiallyConstructed,
        reason: pool.reason,
      };
    });
  }

  /** The liminal part of the engine's reports (engine.md §5.5). */
  report(): Record<string, unknown> {
    const entry = (pool: LiminalPool): object => ({
      pool_uuid: pool.uuid,
      devices: [...pool.devices].map(([uuid, { path, number }]) => ({
        major: number.major,
        minor: number.minor,
        devnode: path,
        pool_uuid: pool.uuid,
        device_uuid: uuid,
      })),
    });
    const names = new Map<string, PoolUuid[]>();
    for (const { name, uuid } of this.values())
      if (name !== null) names.set(name, [...(names.get(name) ?? []), uuid]);
    return {
      stopped_pools: this.values()
        .filter((pool) => !pool.partiallyConstructed)
        .map(entry),
      partially_constructed_pools: this.values()
        .filter((pool) => pool.partiallyConstructed)
        .map(entry),
      path_to_ids_map: Object.fromEntries(
        this.values().flatMap((pool) =>
          [...pool.devices].map(([uuid, { path }]) => [path, [pool.uuid, uuid]]),
        ),
      ),
      name_to_pool_uuid_map: Object.fromEntries(
        [...names].map(([name, uuids]) => [name, uuids.length === 1 ? uuids[0] : uuids]),
      ),
    };
  }
}

/** For messages. */
export const describePool = (pool: LiminalPool): string =>
  pool.name === null ? `pool ${simpleUuid(pool.uuid)}` : `pool "${pool.name}" (${simpleUuid(pool.uuid)})`;
