/**
 * Pools whose devices are (partly) known but that do not run, as a table of device sets (engine.md §8). Decisions
 * about setting them up are in setup.ts beside this file; here is only what is known.
 */
import { formatDeviceNumber, type DeviceNumber } from "../../../dm/device-number";
import { logger } from "../../../log";
import { simpleUuid, type DevUuid, type PoolUuid } from "../../../uuid";
import type { StoppedPool } from "../../engine";
import type { RealBlockDev } from "../blockdev";
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
  /** The name in that record where other devices were found: not one to ask for the pool by. */
  incompleteName: string | null;
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
      incompleteName: null,
      features: null,
      partiallyConstructed: false,
      reason: null,
    };
    this.#pools.set(uuid, pool);
    return pool;
  }

  /** The pool, which may have no device yet, with a name: so that it can be asked for while its devices are looked for. */
  expect(uuid: PoolUuid, name: string): LiminalPool {
    const pool = this.#poolOf(uuid);
    pool.name = name;
    return pool;
  }

  /** Forgets the pool if it has no devices. */
  dropEmpty(uuid: PoolUuid): void {
    const pool = this.#pools.get(uuid);
    if (pool !== undefined && devicesOf(pool).size === 0) this.#pools.delete(uuid);
  }

  /** Adds a LUKS2 device. The first of two with one uuid wins, until it goes away. */
  addLuks(device: DeviceCrypt): LiminalPool {
    const pool = this.#poolOf(device.poolUuid);
    const { devUuid, container: path, number } = device;
    const known = pool.luks.get(devUuid);
    if (known === undefined || isSame({ path: known.container, number: known.number }, { path, number }))
      pool.luks.set(devUuid, device);
    else warnOfTwin(path, known.container, device);
    return pool;
  }

  /** Adds what was found of a device. The first of two devices with one uuid wins, until it goes away. */
  add(device: FoundDevice): LiminalPool {
    const pool = this.#poolOf(device.header.poolUuid);
    const known = pool.devices.get(device.header.devUuid);
    if (known === undefined || isSame(known, device)) pool.devices.set(device.header.devUuid, device);
    else warnOfTwin(device.path, known.path, device.header);
    return pool;
  }

  /** Adds a device of a pool that ran. */
  addMember({ devnode, number, header, openSectorSizes, crypt }: RealBlockDev): void {
    this.add({ path: devnode, number, size: header.deviceSize, sectorSizes: openSectorSizes, header });
    if (crypt !== null) this.addLuks(crypt);
  }

  /** The pools that know of a device at a path. */
  poolsAt(path: string): PoolUuid[] {
    return this.values()
      .filter((pool) => devicesAt(pool, path).length > 0)
      .map(({ uuid }) => uuid);
  }

  /**
   * Forgets what a pool has at a path, but for the device `but`, and a pool without devices; the pool, if there was
   * such a device.
   */
  removePath(uuid: PoolUuid, path: string, but?: DevUuid): LiminalPool | undefined {
    const pool = this.#pools.get(uuid);
    if (pool === undefined) return undefined;
    const lost = devicesAt(pool, path).filter((device) => device !== but);
    if (lost.length === 0) return undefined;
    for (const device of lost) {
      pool.devices.delete(device);
      // The mapping may be gone while the device below it is there: it is locked then.
      if (pool.luks.get(device)?.container === path) pool.luks.delete(device);
    }
    this.dropEmpty(uuid);
    return pool;
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

  /** Why no pool answers to a name that one or more with missing devices have; empty when none has it. */
  whyNotKnownBy(name: string): string {
    return this.values()
      .filter((pool) => pool.incompleteName === name)
      .map(({ uuid, reason }) => `; the one with UUID ${uuid} is not complete: ${reason ?? "it was stopped"}`)
      .join("");
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

/** The devices of a pool that are, or are inside of what is, at a path. */
const devicesAt = (pool: LiminalPool, path: string): DevUuid[] =>
  [...devicesOf(pool)].flatMap(([uuid, at]) =>
    at === path || pool.devices.get(uuid)?.path === path ? [uuid] : [],
  );

interface Located {
  path: string;
  number: DeviceNumber;
}

/** One that is at the path of another has taken its place, which nobody has told yet. */
const isSame = (known: Located, now: Located): boolean =>
  formatDeviceNumber(known.number) === formatDeviceNumber(now.number) || known.path === now.path;

function warnOfTwin(path: string, known: string, { poolUuid, devUuid }: DeviceUuids): void {
  log.warn(`${path} and ${known} both claim to be device ${devUuid} of pool ${poolUuid}; ignoring ${path}`);
}

interface DeviceUuids {
  readonly poolUuid: PoolUuid;
  readonly devUuid: DevUuid;
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
