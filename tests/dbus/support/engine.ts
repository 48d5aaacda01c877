/**
 * An engine in memory for tests of the D-Bus service. It keeps the promises of the interface that the service relies
 * on (results, identities, refusals); a script lets a test hold an operation open or make it fail, and properties can
 * be set at will.
 */
import type {
  CreateAction,
  DeleteAction,
  MappingCreateAction,
  RenameAction,
  StartAction,
  StopAction,
} from "../../../src/engine/actions";
import type {
  CreatePoolRequest,
  Engine,
  EngineChange,
  PoolIdentifier,
  StartPoolRequest,
  StoppedPool,
  UnlockMethod,
} from "../../../src/engine/engine";
import { EngineError } from "../../../src/engine/errors";
import { validateIntegrity, validateName, validatePaths } from "../../../src/engine/validation";
import { newPoolUuid, type PoolUuid } from "../../../src/uuid";
import { MemoryPool } from "./pool";
import { Script } from "./script";
import { type Secret } from "../../../src/native";

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  [...new Set(a)].sort().join("\n") === [...new Set(b)].sort().join("\n");

export class MemoryEngine implements Engine {
  readonly isSimulator = true;
  readonly script = new Script();
  readonly keys = new Map<string, Secret>();
  readonly running = new Map<PoolUuid, MemoryPool>();
  readonly stopped = new Map<PoolUuid, MemoryPool>();
  /** What the next refreshState answers. */
  refreshChanges: EngineChange[] = [];
  /** Listed with the pools that were stopped. */
  extraStopped: StoppedPool[] = [];

  /** A pool that is there from the start. */
  addPool(name: string, devices: string[]): MemoryPool {
    const pool = new MemoryPool(newPoolUuid(), name, devices, this.script);
    this.running.set(pool.uuid, pool);
    return pool;
  }

  pools(): readonly MemoryPool[] {
    return [...this.running.values()];
  }

  getPool(uuid: PoolUuid): MemoryPool | undefined {
    return this.running.get(uuid);
  }

  stoppedPools(): readonly StoppedPool[] {
    return [...[...this.stopped.values()].map((pool) => pool.asStopped()), ...this.extraStopped];
  }

  async createPool(request: CreatePoolRequest): Promise<CreateAction<MemoryPool>> {
    await this.script.begin("createPool");
    validateName(request.name);
    validatePaths(request.devices);
    validateIntegrity(request.integrity);
    for (const { description } of request.encryption.keys)
      if (!this.keys.has(description)) throw new EngineError(`Key ${description} is not in the keyring`);
    const existing = this.pools().find(({ name }) => name === request.name);
    if (existing !== undefined) {
      const data = existing.blockDevs().filter(({ tier }) => tier === "data");
      if (
        sameSet(
          data.map(({ devnode }) => devnode),
          request.devices,
        )
      )
        return { action: "identity" };
      throw new EngineError(`Pool ${request.name} exists with other devices`);
    }
    if (request.devices.length === 0)
      throw new EngineError("At least one blockdev is required to create a pool.");
    const pool = this.addPool(request.name, request.devices);
    pool.setEncryption(request.encryption);
    return { action: "created", value: pool };
  }

  async destroyPool(uuid: PoolUuid): Promise<DeleteAction<PoolUuid>> {
    await this.script.begin("destroyPool");
    const pool = this.running.get(uuid);
    if (pool === undefined) return { action: "identity" };
    if (pool.filesystems().length > 0) throw new EngineError("filesystems remaining on pool");
    this.running.delete(uuid);
    return { action: "deleted", value: uuid };
  }

  async renamePool(uuid: PoolUuid, name: string): Promise<RenameAction<PoolUuid>> {
    await this.script.begin("renamePool");
    const pool = this.running.get(uuid);
    if (pool === undefined) return { action: "noSource" };
    if (pool.name === name) return { action: "identity" };
    if (this.pools().some((other) => other.name === name))
      throw new EngineError(`Entry with name ${name} already exists`);
    pool.name = name;
    return { action: "renamed", value: uuid };
  }

  async startPool(request: StartPoolRequest): Promise<StartAction<MemoryPool>> {
    await this.script.begin("startPool");
    const { unlock, passphrase } = request;
    const started = this.pools().find((pool) => matches(pool, request.pool));
    if (started !== undefined) {
      if (!started.encrypted && (unlock !== null || passphrase !== null))
        throw new EngineError(`Pool ${started.name} is not encrypted`);
      return { action: "identity" };
    }
    const pool = [...this.stopped.values()].find((candidate) => matches(candidate, request.pool));
    if (pool === undefined) throw new EngineError("Pool could not be found and cannot be started");
    if (pool.encrypted && unlock === null) throw new EngineError("Pool is encrypted: no unlock method given");
    this.stopped.delete(pool.uuid);
    this.running.set(pool.uuid, pool);
    return { action: "started", value: pool };
  }

  async unlockPool(uuid: PoolUuid, unlock: UnlockMethod): Promise<StartAction<MemoryPool>> {
    return this.startPool({ pool: { by: "uuid", uuid }, unlock, passphrase: null, removeCache: false });
  }

  async stopPool(id: PoolIdentifier): Promise<StopAction<PoolUuid>> {
    await this.script.begin("stopPool");
    if ([...this.stopped.values()].some((pool) => matches(pool, id))) return { action: "identity" };
    const pool = this.pools().find((candidate) => matches(candidate, id));
    if (pool === undefined) throw new EngineError("Pool was not found and cannot be stopped");
    this.running.delete(pool.uuid);
    this.stopped.set(pool.uuid, pool);
    return { action: pool.leavesDevices ? "partial" : "stopped", value: pool.uuid };
  }

  async refreshState(): Promise<EngineChange[]> {
    await this.script.begin("refreshState");
    return this.refreshChanges.splice(0);
  }

  async listKeys(): Promise<string[]> {
    await this.script.begin("listKeys");
    return [...this.keys.keys()];
  }

  async setKey(description: string, key: Secret): Promise<MappingCreateAction> {
    await this.script.begin("setKey");
    const old = this.keys.get(description);
    this.keys.set(description, key.share());
    if (old === undefined) return "created";
    return old.equals(key) ? "identity" : "valueChanged";
  }

  async unsetKey(description: string): Promise<"deleted" | "identity"> {
    await this.script.begin("unsetKey");
    return this.keys.delete(description) ? "deleted" : "identity";
  }

  engineStateReport(): object {
    const pools = this.pools().map(({ uuid, name, fsLimit }) => ({ uuid, name, fs_limit: fsLimit }));
    return { stopped_pools: [], pools };
  }

  report(name: string): object {
    if (name !== "stopped_pools") throw new EngineError(`Report name ${name} not understood`);
    return { stopped_pools: [...this.stopped.keys()] };
  }

  handleUdevEvents(): Promise<EngineChange[]> {
    return Promise.resolve([]);
  }

  handleDmEvents(): Promise<EngineChange[]> {
    return Promise.resolve([]);
  }

  periodicCheck(): Promise<EngineChange[]> {
    return Promise.resolve([]);
  }

  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

const matches = (pool: MemoryPool, id: PoolIdentifier): boolean =>
  id.by === "uuid" ? pool.uuid === id.uuid : pool.name === id.name;
