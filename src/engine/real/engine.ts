/** The real engine: running pools, pools that wait, and what moves them from one to the other. */
import { cleanUp } from "./discovery/clean-up";
import { LiminalPools, lockedDevices, type LiminalPool } from "./discovery/liminal";
import {
  examineRequested,
  requireNotInOtherPools,
  requireUniformSectorSizes,
  type RequestedDevices,
} from "./discovery/requested";
import { knownDevices, searchLuks, searchStratis } from "./discovery/search";
import { NameTurns, type NameTurn } from "./discovery/name-turns";
import { trySetUp, visibleFeatures, type SetUpOptions } from "./discovery/setup";
import { forgetClosed, unreadableMapping } from "./discovery/unlock";
import type { DeviceNumber } from "../../dm/device-number";
import * as names from "../../dm/names";
import type { DmListEntry, Secret, UdevDevice } from "../../native";
import { logger } from "../../log";
import type { PoolUuid } from "../../uuid";
import type {
  CreateAction,
  DeleteAction,
  MappingCreateAction,
  RenameAction,
  StartAction,
  StopAction,
} from "../actions";
import type {
  CreatePoolRequest,
  Engine,
  EngineChange,
  Pool,
  PoolIdentifier,
  StartPoolRequest,
  StoppedPool,
  UnlockMethod,
} from "../engine";
import { ChainedError, EngineError, errorText } from "../errors";
import { requireSameDevices } from "../identity";
import { KeyedLock, NameClaims } from "../lock";
import { NamedTable } from "../table";
import { validateIntegrity, validateName, validatePaths } from "../validation";
import { locatePrograms } from "./commands";
import { sweepHeaderFolders } from "./crypt/header-backup";
import { logLibraryMessages } from "./crypt/library-log";
import { acceptRequest, type Unlock } from "./crypt/request";
import { DeviceEvents, noteSizes } from "./device-events";
import { claimDevices } from "./members";
import { mountPrivateTmpfs, requirePrivateNamespace, unmountPrivateTmpfs } from "./namespace";
import { RealPool } from "./pool";
import { createPoolOn } from "./pool-create";
import { destroy, stop } from "./pool-teardown";
import { listKeys, setKey, unsetKey } from "./keys";
import { poolReport } from "./report";
import { hasLeftovers } from "./thinpool/stack";
import { LinkNotifier } from "./uevent";

const log = logger("stratisd::engine");

/** Of what happens without anybody asking for it. */
const NO_UNLOCK: Unlock = { method: null, passphrase: null };

interface SetUpRequest extends Partial<Omit<SetUpOptions, "claimName">> {
  nameTurn?: NameTurn;
}

export class RealEngine implements Engine {
  readonly isSimulator = false;
  readonly #pools = new NamedTable<PoolUuid, RealPool>();
  readonly #liminal = new LiminalPools();
  readonly #links = new LinkNotifier();
  readonly #deviceEvents = new DeviceEvents(this.#pools, this.#liminal, {
    whenFree: (pool, work) => this.#moves.one(pool, () => (this.#initialized ? work() : Promise.resolve([]))),
    trySetUp: async (pool) => (await this.#trySetUp(pool)).changes,
  });
  /**
   * Held, for the pool that is concerned, by whatever moves it between running and waiting, which may take long. Who
   * has it does not ask for the lock of a running pool: that comes first.
   */
  readonly #moves = new KeyedLock<PoolUuid>();
  /** Names of pools that are being created or renamed to. */
  readonly #names = new NameClaims();
  /** Event numbers of each pool's devices when it was last checked for them. */
  readonly #eventNumbers = new Map<PoolUuid, string>();
  #initialized = false;

  /**
   * Finds all Stratis devices and sets up every pool that is complete. udev events must flow to handleUdevEvents()
   * from before this call: what happens meanwhile is acted on afterwards.
   */
  async initialize(): Promise<void> {
    await this.#moves.all(async () => {
      await requirePrivateNamespace();
      await mountPrivateTmpfs();
      await locatePrograms();
      logLibraryMessages();
      await sweepHeaderFolders();
      await this.#discover();
      this.#initialized = true;
    });
  }

  async #discover(): Promise<EngineChange[]> {
    log.info("Beginning initial search for Stratis block devices");
    await this.#findDevices(() => true);
    const turns = new NameTurns();
    // What fails beyond trySetUp() is a defect, of which all others must not be left running unseen.
    const found = await Promise.allSettled(
      [...this.#liminal.values()].map((pool) =>
        turns.take((nameTurn) => this.#trySetUp(pool, { allSeen: true, nameTurn })),
      ),
    );
    return found.flatMap((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value.changes;
    });
  }

  /** Adds the devices of pools that are wanted, and that do not run, to those that wait: LUKS2 devices first. */
  async #findDevices(wanted: (pool: PoolUuid) => boolean): Promise<void> {
    // At a refresh there may be pools that were made meanwhile, or are being made.
    const waits = (pool: PoolUuid): boolean => wanted(pool) && this.#pools.byUuid(pool) === undefined;
    const unreadable: DeviceNumber[] = [];
    const devices = await knownDevices();
    for await (const device of searchLuks(devices, waits)) {
      this.#liminal.addLuks(device);
      const mapping = await unreadableMapping(device);
      if (mapping !== null) unreadable.push(mapping);
    }
    for await (const device of searchStratis(devices, waits, unreadable)) {
      const { path, header } = device;
      log.debug(`Stratis block device ${path} identified: device ${header.devUuid} of ${header.poolUuid}`);
      this.#liminal.add(device);
    }
  }

  async #trySetUp(
    pool: LiminalPool,
    { start = false, allSeen = false, removeCache = false, unlock = NO_UNLOCK, nameTurn }: SetUpRequest = {},
  ): Promise<{ pool: RealPool | null; changes: EngineChange[] }> {
    let release = (): void => undefined;
    try {
      const result = await trySetUp(pool, this.#links, {
        ...{ start, allSeen, removeCache, unlock },
        claimName: async (name) => {
          await nameTurn?.(name);
          release = this.#claimName(name);
        },
      });
      if (result.outcome === "waits") return { pool: null, changes: [{ change: "stoppedPools" }] };
      if (result.outcome === "gone") {
        this.#liminal.take(pool.uuid);
        return { pool: null, changes: [{ change: "stoppedPools" }] };
      }
      const running = new RealPool(result.core);
      await noteSizes(running);
      // From here to what tells clients nothing is waited for, so that they see the pool as one or the other.
      this.#liminal.take(pool.uuid);
      this.#pools.insert(running);
      running.resumeInPlace(unlock.passphrase);
      log.info(`Pool with name "${running.name}" and UUID "${running.uuid}" set up`);
      return { pool: running, changes: [{ change: "poolAdded", pool: running }, { change: "stoppedPools" }] };
    } finally {
      release();
    }
  }

  /** Keeps a name, until what is returned is called, for a pool that is about to have it. */
  #claimName(name: string): () => void {
    if (this.#pools.byName(name) !== undefined)
      throw new EngineError(
        `Entry with name ${name} already exists: a running pool has it; rename or stop that one first`,
      );
    return this.#names.take(name);
  }

  pools(): readonly Pool[] {
    return [...this.#pools.values()];
  }
  getPool(uuid: PoolUuid): Pool | undefined {
    return this.#pools.byUuid(uuid);
  }
  stoppedPools(): readonly StoppedPool[] {
    return this.#liminal.stoppedPools();
  }

  async createPool(request: CreatePoolRequest): Promise<CreateAction<Pool>> {
    const { name } = request;
    const wanted = request.encryption.keys.length + request.encryption.clevis.length;
    const encryption = wanted === 0 ? null : await acceptRequest(request.encryption);
    validateName(name);
    const integrity = validateIntegrity(request.integrity);
    validatePaths(request.devices);
    const requested = await examineRequested(request.devices, "refused");
    const existing = this.#pools.byName(name);
    if (existing !== undefined) {
      this.#requireIdentity(existing, requested);
      return { action: "identity" };
    }
    requireNotInOtherPools(requested, null);
    if (requested.unowned.length === 0)
      throw new EngineError("At least one blockdev is required to create a pool.");
    requireUniformSectorSizes(requested.unowned);
    const release = this.#claimName(name);
    try {
      const devices = requested.unowned;
      return await claimDevices(devices, async () => {
        const pool = new RealPool(
          await createPoolOn({ name, devices, integrity, links: this.#links, marked: true, encryption }),
        );
        this.#pools.insert(pool);
        return { action: "created", value: pool };
      });
    } finally {
      release();
    }
  }

  #requireIdentity(pool: RealPool, requested: RequestedDevices): void {
    requireNotInOtherPools(requested, pool.uuid);
    requireSameDevices(
      pool.name,
      [...requested.owned, ...requested.unowned].map(({ path }) => path),
      pool.core.dataDevices().map(({ physicalPath }) => physicalPath),
    );
  }

  async destroyPool(uuid: PoolUuid): Promise<DeleteAction<PoolUuid>> {
    const pool = this.#pools.byUuid(uuid);
    if (pool === undefined) return { action: "identity" };
    return await pool.exclusive<DeleteAction<PoolUuid>>(
      async () => {
        if (pool.core.allRecords().length > 0) throw new EngineError("filesystems remaining on pool");
        try {
          await destroy(pool.core);
        } catch (error) {
          await this.#moves.one(uuid, () => this.#becomeLiminal(pool, "its destruction failed"));
          throw new ChainedError(`Failed to destroy pool "${pool.name}"`, error);
        }
        this.#retire(pool, "has been destroyed");
        return { action: "deleted", value: uuid };
      },
      () => this.#ifOutOfTable(pool, () => this.destroyPool(uuid)),
    );
  }

  /** To be asked again is what was stopped or destroyed meanwhile, not what the daemon leaves because it exits. */
  #ifOutOfTable<T>(pool: RealPool, again: () => Promise<T>): Promise<T> | null {
    return this.#pools.byUuid(pool.uuid) === pool ? null : again();
  }

  #retire(pool: RealPool, how: string): void {
    pool.retire(how);
    this.#pools.remove(pool.uuid);
    this.#eventNumbers.delete(pool.uuid);
  }

  /** A pool that was taken down, wholly or not, waits with the devices it had. */
  async #becomeLiminal(pool: RealPool, how: string): Promise<void> {
    const { uuid, name, core } = pool;
    this.#retire(pool, how);
    const liminal = this.#liminal.expect(uuid, name);
    const devices = [...core.devices.values()];
    for (const device of devices.filter(({ present }) => present)) this.#liminal.addMember(device);
    // Those that were pulled out may be there again, under other numbers.
    if (devices.some(({ present }) => !present)) await this.#findDevices((found) => found === uuid);
    this.#liminal.dropEmpty(uuid);
    await forgetClosed(liminal);
    liminal.features = lockedDevices(liminal).length > 0 ? null : visibleFeatures(core.record);
    liminal.partiallyConstructed = await hasLeftovers(uuid, [...liminal.luks.keys()]);
  }

  async renamePool(uuid: PoolUuid, name: string): Promise<RenameAction<PoolUuid>> {
    validateName(name);
    const pool = this.#pools.byUuid(uuid);
    if (pool === undefined) return { action: "noSource" };
    return await pool.exclusive(async () => {
      if (pool.name === name) return { action: "identity" };
      const release = this.#claimName(name);
      try {
        await this.#pools.renameWith(uuid, () => pool.rename(name));
        return { action: "renamed", value: uuid };
      } finally {
        release();
      }
    });
  }

  #findRunning(pool: PoolIdentifier): RealPool | undefined {
    return pool.by === "name" ? this.#pools.byName(pool.name) : this.#pools.byUuid(pool.uuid);
  }

  #findLiminal(pool: PoolIdentifier): LiminalPool | undefined {
    if (pool.by === "uuid") return this.#liminal.get(pool.uuid);
    const named = this.#liminal.byName(pool.name);
    if (named.length > 1)
      throw new EngineError(
        `Found conflicting UUIDs for the same pool name: ${named.map(({ uuid }) => uuid).join(", ")}; please use UUID for operation`,
      );
    return named[0];
  }

  async startPool(request: StartPoolRequest): Promise<StartAction<Pool>> {
    for (;;) {
      const running = this.#findRunning(request.pool);
      const done = await (running === undefined
        ? this.#startWaiting(request)
        : this.#requireStarted(running, request));
      if (done !== null) return done;
    }
  }

  /** What is happening to the pool ends first. null: afterwards it is not the one that was asked for. */
  async #requireStarted(
    pool: RealPool,
    { pool: identifier, unlock, passphrase }: StartPoolRequest,
  ): Promise<StartAction<Pool> | null> {
    return await pool.shared<StartAction<Pool> | null>(
      () => {
        if (this.#findRunning(identifier) !== pool) return Promise.resolve(null);
        const what = passphrase !== null ? "a passphrase" : unlock !== null ? "an unlock method" : null;
        if (what !== null && pool.core.crypt === null && pool.core.deviceCrypts().length === 0)
          throw new EngineError(`Pool with UUID ${pool.uuid} is not encrypted but ${what} was provided`);
        return Promise.resolve({ action: "identity" });
      },
      () => this.#ifOutOfTable(pool, () => Promise.resolve(null)),
    );
  }

  /** null: the pool does not wait any more when its turn has come. */
  async #startWaiting(request: StartPoolRequest): Promise<StartAction<Pool> | null> {
    const what = describeIdentifier(request.pool);
    const waiting = await this.#moves.between(() => this.#findLiminal(request.pool));
    if (waiting === undefined) {
      if (this.#findRunning(request.pool) !== undefined) return null;
      const why = request.pool.by === "name" ? this.#liminal.whyNotKnownBy(request.pool.name) : "";
      throw new EngineError(`Pool with ${what} is neither stopped nor running${why}`);
    }
    return await this.#moves.one(waiting.uuid, async () => {
      if (this.#findLiminal(request.pool) !== waiting) return null;
      const { pool } = await this.#trySetUp(waiting, {
        start: true,
        allSeen: true,
        removeCache: request.removeCache,
        unlock: { method: request.unlock, passphrase: request.passphrase },
      });
      if (pool === null)
        throw new EngineError(
          `Pool with ${what} could not be started: ${waiting.reason ?? "it was interrupted while being made or destroyed, and is gone"}`,
        );
      return { action: "started", value: pool };
    });
  }

  unlockPool(uuid: PoolUuid, unlock: UnlockMethod): Promise<StartAction<Pool>> {
    return this.startPool({ pool: { by: "uuid", uuid }, unlock, passphrase: null, removeCache: false });
  }

  async stopPool(identifier: PoolIdentifier): Promise<StopAction<PoolUuid>> {
    for (;;) {
      const waiting = await this.#moves.between(() => this.#findLiminal(identifier));
      const done = await (waiting === undefined ? this.#stopRunning(identifier) : this.#stopWaiting(waiting));
      if (done !== null) return done;
    }
  }

  /** null: the pool has changed its state or name while it was waited for. */
  async #stopRunning(identifier: PoolIdentifier): Promise<StopAction<PoolUuid> | null> {
    const pool = this.#findRunning(identifier);
    if (pool === undefined)
      throw new EngineError(
        `Pool with ${describeIdentifier(identifier)} could not be found and cannot be stopped`,
      );
    return await pool.exclusive<StopAction<PoolUuid> | null>(
      async () => {
        if (this.#findRunning(identifier) !== pool) return null;
        const result = await stop(pool.core);
        await this.#moves.one(pool.uuid, () => this.#becomeLiminal(pool, "has been stopped"));
        return { action: result.left === "nothing" ? "stopped" : "partial", value: pool.uuid };
      },
      () => this.#ifOutOfTable(pool, () => Promise.resolve(null)),
    );
  }

  /** null: the pool does not wait any more when its turn has come. */
  #stopWaiting(pool: LiminalPool): Promise<StopAction<PoolUuid> | null> {
    return this.#moves.one(pool.uuid, async () => {
      if (this.#liminal.get(pool.uuid) !== pool) return null;
      if (!pool.partiallyConstructed) return { action: "identity" };
      await cleanUp(pool);
      return { action: "cleanedUp", value: pool.uuid };
    });
  }

  /**
   * Running pools are let go of one by one, when their operations are done; their devices stay up, and are taken over
   * again by the discovery.
   */
  async refreshState(): Promise<EngineChange[]> {
    const before = await this.#moves.all(() => Promise.resolve([...this.#pools.values()]));
    // Not while all moves are held up: who stops a pool holds that one's lock first.
    for (const pool of before)
      await this.#leave(pool, "was let go of", "the engine's state is being refreshed");
    return await this.#moves.all(async () => {
      for (const pool of before) if (this.#pools.byUuid(pool.uuid) === pool) this.#pools.remove(pool.uuid);
      this.#eventNumbers.clear();
      const stopped = JSON.stringify(this.#liminal.stoppedPools());
      this.#liminal.clear();
      const found = await this.#discover();
      const changes = changesSince(before, found, (uuid) => this.#pools.byUuid(uuid) !== undefined);
      if (JSON.stringify(this.#liminal.stoppedPools()) !== stopped) changes.push({ change: "stoppedPools" });
      return changes;
    });
  }
  listKeys(): Promise<string[]> {
    return listKeys();
  }
  async setKey(description: string, key: Secret): Promise<MappingCreateAction> {
    const action = await setKey(description, key);
    // A pool that an earlier daemon opened gets its volume key as soon as there is a way to it.
    if (action !== "identity") for (const pool of this.#pools.values()) await pool.keyArrived(description);
    return action;
  }
  unsetKey(description: string): Promise<"deleted" | "identity"> {
    return unsetKey(description);
  }

  engineStateReport(): object {
    const pools = [...this.#pools.values()].sort((a, b) => (a.uuid < b.uuid ? -1 : 1));
    return { pools: pools.map(poolReport), ...this.#liminal.report() };
  }

  report(name: string): object {
    if (name !== "stopped_pools") throw new EngineError(`Report name ${name} not understood`);
    return this.#liminal.report();
  }

  async handleUdevEvents(events: UdevDevice[]): Promise<EngineChange[]> {
    // At once, and also before initialize() is done: operations wait for these.
    this.#links.observe(events);
    return (await Promise.all(events.map((event) => this.#deviceEvents.handle(event)))).flat();
  }

  async handleDmEvents(devices: DmListEntry[]): Promise<EngineChange[]> {
    const byPool = new Map<PoolUuid, string[]>();
    for (const { name, eventNr } of devices) {
      const pool = names.poolOfDmName(name);
      if (pool !== null) byPool.set(pool, [...(byPool.get(pool) ?? []), `${name} ${eventNr}`]);
    }
    const evented = [...this.#pools.values()].filter(({ uuid }) => {
      const numbers = (byPool.get(uuid) ?? []).sort().join("\n");
      const moved = this.#eventNumbers.get(uuid) !== numbers;
      this.#eventNumbers.set(uuid, numbers);
      return moved;
    });
    return await this.#check(evented);
  }

  periodicCheck(): Promise<EngineChange[]> {
    return this.#check([...this.#pools.values()].filter((pool) => !pool.busy));
  }

  /** Pools are checked side by side; what fails in one is logged and does not concern the others. */
  async #check(pools: RealPool[]): Promise<EngineChange[]> {
    const results = await Promise.all(
      pools.map(async (pool) => {
        try {
          return await pool.check();
        } catch (error) {
          // It was stopped or destroyed while the check waited its turn.
          if (this.#pools.byUuid(pool.uuid) !== pool) return [];
          log.warn(`Checking pool "${pool.name}" failed: ${errorText(error)}`);
          return [];
        }
      }),
    );
    return results.flat();
  }

  async shutdown(): Promise<void> {
    if (!this.#initialized) return;
    // A start that is running ends first.
    const pools = await this.#moves.all(() => Promise.resolve([...this.#pools.values()]));
    for (const pool of pools) await this.#leave(pool, "is not served any more", "stratisd is exiting");
    await this.#moves.all(async () => {
      try {
        await unmountPrivateTmpfs();
      } catch (error) {
        log.warn(`Could not unmount the private mounts: ${errorText(error)}`);
      }
    });
  }

  /** The pool stays up, and is served no more by this object. */
  async #leave(pool: RealPool, how: string, why: string): Promise<void> {
    try {
      await pool.exclusive(async () => {
        await pool.core.inPlace?.end(why);
        pool.retire(`${how}: ${why}`);
        await pool.core.mdv.unmount();
      });
    } catch (error) {
      // It may have been stopped or destroyed while we waited for it.
      if (this.#pools.byUuid(pool.uuid) === pool)
        log.warn(`Could not unmount the metadata volume of pool "${pool.name}": ${errorText(error)}`);
    }
  }
}

/** Pools that were there before and are again are none; one that did not come back is gone. */
function changesSince(
  before: readonly RealPool[],
  found: readonly EngineChange[],
  runs: (uuid: PoolUuid) => boolean,
): EngineChange[] {
  const known = new Set(before.map(({ uuid }) => uuid));
  return [
    ...before
      .filter(({ uuid }) => !runs(uuid))
      .map(({ uuid }): EngineChange => ({ change: "poolRemoved", uuid })),
    ...found.filter((change) => change.change === "poolAdded" && !known.has(change.pool.uuid)),
  ];
}

const describeIdentifier = (pool: PoolIdentifier): string =>
  pool.by === "name" ? `name ${pool.name}` : `UUID ${pool.uuid}`;
