/** The simulator: everything that clients can ask of Stratis, with pools in memory (engine.md §25). */
import type { Secret } from "../../native";
import type { PoolUuid } from "../../uuid";
import type {
  CreateAction,
  DeleteAction,
  MappingCreateAction,
  RenameAction,
  StartAction,
  StopAction,
  UnlockAction,
} from "../actions";
import type {
  CreatePoolRequest,
  Engine,
  EngineChange,
  Pool,
  PoolIdentifier,
  StartPoolRequest,
  StoppedPool,
} from "../engine";
import { EngineError } from "../errors";
import { requireSameDevices } from "../identity";
import { NameClaims } from "../lock";
import { NamedTable } from "../table";
import { validateIntegrity, validateName, validatePaths } from "../validation";
import { untroubled, type Conditions } from "./conditions";
import { SimKeyring } from "./keys";
import { SimPool } from "./pool";
import { poolReport } from "./report";

export class SimEngine implements Engine {
  readonly isSimulator = true;
  readonly #pools = new NamedTable<PoolUuid, SimPool>();
  /** Several may have one name: names need only be unique among running pools. */
  readonly #stopped = new Map<PoolUuid, SimPool>();
  readonly #keyring = new SimKeyring();
  readonly #names = new NameClaims();
  readonly #conditions: Conditions;

  constructor(conditions: Conditions = untroubled) {
    this.#conditions = conditions;
  }

  /** There is nothing to find: the simulator starts empty. */
  initialize(): Promise<void> {
    return Promise.resolve();
  }

  pools(): readonly Pool[] {
    return [...this.#pools.values()];
  }
  getPool(uuid: PoolUuid): Pool | undefined {
    return this.#pools.byUuid(uuid);
  }
  stoppedPools(): readonly StoppedPool[] {
    return [...this.#stopped.values()].map((pool) =>
      pool.stopped(this.#stoppedByName(pool.name).length > 1 ? null : pool.name),
    );
  }

  /** Runs `work` with the pool that `find` gives, alone on it; what happened to it while it waited counts. */
  async #alone<T>(
    find: () => SimPool | undefined,
    work: (pool: SimPool | undefined) => Promise<T>,
  ): Promise<T> {
    for (;;) {
      const pool = find();
      if (pool === undefined) return await work(undefined);
      const done = await pool.lock.exclusive(async () =>
        find() === pool ? { result: await work(pool) } : null,
      );
      if (done !== null) return done.result;
    }
  }

  async createPool(request: CreatePoolRequest): Promise<CreateAction<Pool>> {
    const { name, devices, encryption } = request;
    validateName(name);
    validatePaths(devices);
    const integrity = validateIntegrity(request.integrity);
    return await this.#names.hold(name, async () => {
      await this.#conditions.begin("CreatePool");
      this.#keyring.require(encryption.keys.map(({ description }) => description));
      // Made before it is known to be needed: it finds faults in the token slots, and is only memory.
      const pool = new SimPool(name, devices, encryption, integrity, this.#conditions);
      const existing = this.#pools.byName(name);
      if (existing !== undefined) {
        requireSameDevices(name, devices, existing.devices.paths("data"));
        return { action: "identity" };
      }
      if (devices.length === 0) throw new EngineError("At least one blockdev is required to create a pool.");
      this.#pools.insert(pool);
      return { action: "created", value: pool };
    });
  }

  destroyPool(uuid: PoolUuid): Promise<DeleteAction<PoolUuid>> {
    return this.#alone(
      () => this.#pools.byUuid(uuid),
      async (pool) => {
        await this.#conditions.begin("DestroyPool");
        if (pool === undefined) return { action: "identity" };
        if (pool.simFilesystems.size > 0) throw new EngineError("filesystems remaining on pool");
        pool.retire("has been destroyed");
        this.#pools.remove(uuid);
        return { action: "deleted", value: uuid };
      },
    );
  }

  /** Names are checked, which upstream's simulator forgets to do. */
  async renamePool(uuid: PoolUuid, name: string): Promise<RenameAction<PoolUuid>> {
    validateName(name);
    return await this.#alone(
      () => this.#pools.byUuid(uuid),
      async (pool) => {
        await this.#conditions.begin("SetName");
        if (pool === undefined) return { action: "noSource" };
        if (pool.name === name) return { action: "identity" };
        this.#requireNameFree(name, `Failed to rename pool "${pool.name}" with UUID ${uuid}`);
        this.#pools.rename(uuid, () => {
          pool.name = name;
        });
        return { action: "renamed", value: uuid };
      },
    );
  }

  /** Throws EngineError when a running pool has the name, or is about to. */
  #requireNameFree(name: string, what: string): void {
    if (this.#pools.byName(name) !== undefined)
      throw new EngineError(`${what}: Entry with name ${name} already exists; a running pool has it`);
    if (this.#names.has(name))
      throw new EngineError(`${what}: Entry with name ${name} already exists; a pool of it is being made`);
  }

  #stoppedByName(name: string): SimPool[] {
    return [...this.#stopped.values()].filter((pool) => pool.name === name);
  }
  #findStopped(identifier: PoolIdentifier): SimPool | undefined {
    if (identifier.by === "uuid") return this.#stopped.get(identifier.uuid);
    const named = this.#stoppedByName(identifier.name);
    if (named.length > 1)
      throw new EngineError(
        `Found conflicting UUIDs for the same pool name: ${named.map(({ uuid }) => uuid).join(", ")}; please use ` +
          "UUID for operation",
      );
    return named[0];
  }
  #findRunning(identifier: PoolIdentifier): SimPool | undefined {
    return identifier.by === "uuid"
      ? this.#pools.byUuid(identifier.uuid)
      : this.#pools.byName(identifier.name);
  }

  startPool(request: StartPoolRequest): Promise<StartAction<Pool>> {
    const find = () => this.#findRunning(request.pool) ?? this.#findStopped(request.pool);
    return this.#alone(find, async (pool) => {
      await this.#conditions.begin("StartPool");
      if (pool === undefined)
        throw new EngineError(
          `Pool with ${describeIdentifier(request.pool)} was not found and cannot be started`,
        );
      requireNoUnlock(pool, request);
      if (!this.#stopped.has(pool.uuid)) return { action: "identity" };
      if (pool.encrypted && request.unlock === null)
        throw new EngineError(
          `Pool "${pool.name}" with UUID ${pool.uuid} is encrypted but no unlock method was provided`,
        );
      this.#requireNameFree(pool.name, `Pool with UUID ${pool.uuid} could not be started`);
      if (request.removeCache) pool.devices.removeTier("cache");
      this.#stopped.delete(pool.uuid);
      pool.resume();
      this.#pools.insert(pool);
      return { action: "started", value: pool };
    });
  }

  /** Says yes to everything, as upstream's simulator does: there are no locked pools here. */
  async unlockPool(): Promise<UnlockAction<Pool>> {
    await this.#conditions.begin("UnlockPool");
    return { action: "started", value: null };
  }

  /** Pools are up or down, never half of both, so that there is nothing to clean up. */
  stopPool(identifier: PoolIdentifier): Promise<StopAction<PoolUuid>> {
    const find = () => this.#findStopped(identifier) ?? this.#findRunning(identifier);
    return this.#alone(find, async (pool) => {
      await this.#conditions.begin("StopPool");
      if (pool === undefined)
        throw new EngineError(
          `Pool with ${describeIdentifier(identifier)} was not found and cannot be stopped`,
        );
      if (this.#stopped.has(pool.uuid)) return { action: "identity" };
      pool.retire("has been stopped");
      this.#pools.remove(pool.uuid);
      this.#stopped.set(pool.uuid, pool);
      return { action: "stopped", value: pool.uuid };
    });
  }

  /** Everything is known already. */
  async refreshState(): Promise<EngineChange[]> {
    await this.#conditions.begin("RefreshState");
    return [];
  }

  async listKeys(): Promise<string[]> {
    await this.#conditions.begin("ListKeys");
    return this.#keyring.list();
  }
  async setKey(description: string, key: Secret): Promise<MappingCreateAction> {
    await this.#conditions.begin("SetKey");
    return this.#keyring.set(description, key);
  }
  async unsetKey(description: string): Promise<"deleted" | "identity"> {
    await this.#conditions.begin("UnsetKey");
    return this.#keyring.unset(description);
  }

  engineStateReport(): object {
    return {
      pools: reports(this.#pools.values()),
      stopped_pools: reports(this.#stopped.values()),
      partially_constructed_pools: [],
    };
  }
  report(name: string): object {
    if (name !== "stopped_pools") throw new EngineError(`Report name ${name} not understood`);
    return { stopped_pools: reports(this.#stopped.values()) };
  }

  /** Devices of the machine do not concern the simulator. */
  handleUdevEvents(): Promise<EngineChange[]> {
    return Promise.resolve([]);
  }
  handleDmEvents(): Promise<EngineChange[]> {
    return Promise.resolve([]);
  }
  /** What runs in place goes on all the time; nothing else changes by itself. */
  periodicCheck(): Promise<EngineChange[]> {
    const running = this.pools().filter(({ inPlace }) => inPlace !== null);
    return Promise.resolve(running.map(({ uuid }) => ({ change: "pool", uuid, properties: ["inPlace"] })));
  }
  /** No operation is ever left half done, and nothing outlives the process. */
  shutdown(): Promise<void> {
    for (const pool of this.#pools.values()) pool.interrupt("stratisd is exiting");
    return Promise.resolve();
  }
}

/** Throws EngineError when an unencrypted pool should be unlocked. */
function requireNoUnlock(pool: SimPool, { unlock, passphrase }: StartPoolRequest): void {
  if (pool.encrypted) return;
  const given = unlock !== null ? "an unlock method" : passphrase !== null ? "a passphrase" : null;
  if (given !== null)
    throw new EngineError(
      `Pool "${pool.name}" with UUID ${pool.uuid} is not encrypted, but ${given} was provided`,
    );
}

/** In order of uuid, so that equal states give equal reports. */
const reports = (pools: Iterable<SimPool>): object[] =>
  [...pools].sort((a, b) => (a.uuid < b.uuid ? -1 : 1)).map(poolReport);

const describeIdentifier = (pool: PoolIdentifier): string =>
  pool.by === "name" ? `name ${pool.name}` : `UUID ${pool.uuid}`;
