/** The simulator: everything that clients can ask of Stratis, with pools in memory (engine.md §25). */
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
} from "../engine";
import { EngineError } from "../errors";
import { requireSameDevices } from "../identity";
import { NamedTable } from "../table";
import { validateIntegrity, validateName, validatePaths } from "../validation";
import { attempt } from "./attempt";
import { SimKeyring } from "./keys";
import { SimPool } from "./pool";
import { poolReport } from "./report";

export class SimEngine implements Engine {
  readonly isSimulator = true;
  readonly #pools = new NamedTable<PoolUuid, SimPool>();
  /** Several may have one name: names need only be unique among running pools. */
  readonly #stopped = new Map<PoolUuid, SimPool>();
  readonly #keyring = new SimKeyring();

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

  createPool(request: CreatePoolRequest): Promise<CreateAction<Pool>> {
    return attempt(() => {
      const { name, devices, encryption } = request;
      validateName(name);
      validatePaths(devices);
      const integrity = validateIntegrity(request.integrity);
      this.#keyring.require(encryption.keys.map(({ description }) => description));
      // Made before it is known to be needed: it finds faults in the token slots, and is only memory.
      const pool = new SimPool(name, devices, encryption, integrity);
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
    return attempt(() => {
      const pool = this.#pools.byUuid(uuid);
      if (pool === undefined) return { action: "identity" };
      if (pool.simFilesystems.size > 0) throw new EngineError("filesystems remaining on pool");
      pool.retire("has been destroyed");
      this.#pools.remove(uuid);
      return { action: "deleted", value: uuid };
    });
  }

  /** Names are checked, which upstream's simulator forgets to do. */
  renamePool(uuid: PoolUuid, name: string): Promise<RenameAction<PoolUuid>> {
    return attempt(() => {
      validateName(name);
      const pool = this.#pools.byUuid(uuid);
      if (pool === undefined) return { action: "noSource" };
      if (pool.name === name) return { action: "identity" };
      if (this.#pools.byName(name) !== undefined)
        throw new EngineError(`Failed to rename pool "${pool.name}": there is a pool "${name}" already`);
      this.#pools.rename(uuid, () => {
        pool.name = name;
      });
      return { action: "renamed", value: uuid };
    });
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
    return attempt(() => {
      const running = this.#findRunning(request.pool);
      if (running !== undefined) {
        requireNoUnlock(running, request);
        return { action: "identity" };
      }
      const pool = this.#findStopped(request.pool);
      if (pool === undefined)
        throw new EngineError(
          `Pool with ${describeIdentifier(request.pool)} was not found and cannot be started`,
        );
      if (pool.encrypted && request.unlock === null)
        throw new EngineError(
          `Pool "${pool.name}" with UUID ${pool.uuid} is encrypted but no unlock method was provided`,
        );
      requireNoUnlock(pool, request);
      if (this.#pools.byName(pool.name) !== undefined)
        throw new EngineError(
          `Pool with UUID ${pool.uuid} could not be started: there is a running pool with its name "${pool.name}"`,
        );
      if (request.removeCache) pool.devices.removeTier("cache");
      this.#stopped.delete(pool.uuid);
      pool.resume();
      this.#pools.insert(pool);
      return { action: "started", value: pool };
    });
  }

  /** Pools are up or down, never half of both, so that there is nothing to clean up. */
  stopPool(identifier: PoolIdentifier): Promise<StopAction<PoolUuid>> {
    return attempt(() => {
      if (this.#findStopped(identifier) !== undefined) return { action: "identity" };
      const pool = this.#findRunning(identifier);
      if (pool === undefined)
        throw new EngineError(
          `Pool with ${describeIdentifier(identifier)} was not found and cannot be stopped`,
        );
      pool.retire("has been stopped");
      this.#pools.remove(pool.uuid);
      this.#stopped.set(pool.uuid, pool);
      return { action: "stopped", value: pool.uuid };
    });
  }

  /** Everything is known already. */
  refreshState(): Promise<EngineChange[]> {
    return Promise.resolve([]);
  }

  listKeys(): Promise<string[]> {
    return attempt(() => this.#keyring.list());
  }
  setKey(description: string, key: Uint8Array): Promise<MappingCreateAction> {
    return attempt(() => this.#keyring.set(description, key));
  }
  unsetKey(description: string): Promise<"deleted" | "identity"> {
    return attempt(() => this.#keyring.unset(description));
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
  periodicCheck(): Promise<EngineChange[]> {
    return Promise.resolve([]);
  }
  /** No operation is ever left half done, and nothing outlives the process. */
  shutdown(): Promise<void> {
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
