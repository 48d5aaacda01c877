/**
 * Pools whose devices are (partly) known but that do not run, as a table of device sets (engine.md §8). Decisions
 * about setting them up are in setup.ts beside this file; here is only what is known.
 */
import { formatDeviceNumber, type DeviceNumber } from "../../../dm/device-number";
import { logger } from "../../../log";
import { simpleUuid, type DevUuid, type PoolUuid } from "../../../uuid";
import type { StoppedPool } from "../../engine";
import type { DeviceCrypt } from "../crypt/device-crypt";
import { legacyInfo } from "../crypt/legacy-info";
import { methodsReport } from "../crypt/tokens";
import type { FoundDevice } from "./found";

const log = logger("stratisd::engine::discovery");

export interface LiminalPool {
  uuid: PoolUuid;
  /** Those whose Stratis metadata can be read. */
  devices: Map<DevUuid, FoundDevice>;
  /** LUKS2 devices of a V1 pool. One that is not among `devices` is locked. */
  luks: Map<DevUuid, DeviceCrypt>;
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

  #poolOf(uuid: PoolUuid): LiminalPool {
    const pool: LiminalPool = this.#pools.get(uuid) ?? {
      uuid,
      devices: new Map(),
      luks: new Map(),
      name: null,
      features: null,
      partiallyConstructed: false,
      reason: null,
    };
    this.#pools.set(uuid, pool);
    return pool;
  }

  /** Adds a LUKS2 device. The first of two with one uuid wins, until it goes away. */
  addLuks(device: DeviceCrypt): LiminalPool {
    const pool = this.#poolOf(device.poolUuid);
    const known = pool.luks.get(device.devUuid);
    if (known !== undefined && formatDeviceNumber(known.number) !== formatDeviceNumber(device.number))
      log.warn(
        `${device.container} and ${known.container} both claim to be device ${device.devUuid} of pool ` +
          `${device.poolUuid}; ignoring ${device.container}`,
      );
    else pool.luks.set(device.devUuid, device);
    return pool;
  }

  /** Adds what was found of a device. The first of two devices with one uuid wins, until it goes away. */
  add(device: FoundDevice): LiminalPool {
    const { poolUuid, devUuid } = device.header;
    const pool = this.#poolOf(poolUuid);
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
    for (const pool of this.#pools.values()) {
      const lost = [...devicesOf(pool)].filter(
        ([uuid, at]) => at === path || pool.devices.get(uuid)?.path === path,
      );
      if (lost.length === 0) continue;
      for (const [uuid] of lost) {
        pool.devices.delete(uuid);
        // The mapping may be gone while the device below it is there: it is locked then.
        if (pool.luks.get(uuid)?.container === path) pool.luks.delete(uuid);
      }
      if (devicesOf(pool).size === 0) this.#pools.delete(pool.uuid);
      return pool;
    }
    return undefined;
  }

  put(pool: LiminalPool): void {
    if (devicesOf(pool).size > 0) this.#pools.set(pool.uuid, pool);
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
    return this.values()
      .filter((pool) => !isMixture(pool))
      .map((pool) => {
        const versions = new Set([
          ...[...pool.devices.values()].map((device) => device.header.version),
          ...(pool.luks.size > 0 ? [1 as const] : []),
        ]);
        const [version] = versions;
        return {
          uuid: pool.uuid,
          name: pool.name !== null && this.byName(pool.name).length === 1 ? pool.name : null,
          devices: [...devicesOf(pool)].map(([uuid, path]) => ({ path, uuid })),
          metadataVersion: versions.size === 1 && version !== undefined ? version : null,
          features: pool.features,
          encryption: pool.luks.size > 0 ? legacyInfo([...pool.luks.values()]) : null,
          partiallyConstructed: pool.partiallyConstructed,
          reason: pool.reason,
        };
      });
  }

  /** The liminal part of the engine's reports (engine.md §5.5). */
  report(): Record<string, unknown> {
    const entry = (pool: LiminalPool): object => ({
      pool_uuid: pool.uuid,
      devices: [...devicesOf(pool).keys()].map((uuid) => deviceReport(pool, uuid)),
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
          [...pool.devices]
            .map(([uuid, { path }]) => [path, [pool.uuid, uuid]] as const)
            .concat([...pool.luks].map(([uuid, { container }]) => [container, [pool.uuid, uuid]] as const)),
        ),
      ),
      name_to_pool_uuid_map: Object.fromEntries(
        [...names].map(([name, uuids]) => [name, uuids.length === 1 ? uuids[0] : uuids]),
      ),
    };
  }
}

/** Physical paths of all devices of a pool. */
export const devicesOf = ({ devices, luks }: LiminalPool): Map<DevUuid, string> =>
  new Map([
    ...[...devices].map(([uuid, { path }]) => [uuid, path] as const),
    ...[...luks].map(([uuid, { container }]) => [uuid, container] as const),
  ]);

export const lockedDevices = ({ devices, luks }: LiminalPool): DeviceCrypt[] =>
  [...luks].filter(([uuid]) => !devices.has(uuid)).map(([, device]) => device);

/** Some devices are encrypted by themselves, and others are not. */
export const isMixture = ({ devices, luks }: LiminalPool): boolean =>
  luks.size > 0 && [...devices.keys()].some((uuid) => !luks.has(uuid));

function deviceReport(pool: LiminalPool, uuid: DevUuid): object {
  const [open, luks] = [pool.devices.get(uuid), pool.luks.get(uuid)];
  const common = (devnode: string, number: DeviceNumber): object => ({
    major: number.major,
    minor: number.minor,
    devnode,
    pool_uuid: pool.uuid,
    device_uuid: uuid,
  });
  const below =
    luks === undefined
      ? {}
      : {
          ...common(luks.container, luks.number),
          ...methodsReport(luks.tokens),
          ...(luks.poolName === null ? {} : { pool_name: luks.poolName }),
        };
  if (open === undefined) return below;
  return { ...common(open.path, open.number), ...(luks === undefined ? {} : { luks: below }) };
}

/** For messages. */
export const describePool = (pool: LiminalPool): string =>
  pool.name === null ? `pool ${simpleUuid(pool.uuid)}` : `pool "${pool.name}" (${simpleUuid(pool.uuid)})`;
