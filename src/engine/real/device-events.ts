/** What devices that come, change and go mean for the pools: those that run, and those that wait (engine.md §7–§12). */
import type { DeviceNumber } from "../../dm/device-number";
import { logger } from "../../log";
import type { UdevDevice } from "../../native";
import { sectorsToBytes } from "../../units";
import type { DevUuid, PoolUuid } from "../../uuid";
import type { EngineChange } from "../engine";
import { errorText } from "../errors";
import { Mutex } from "../lock";
import type { NamedTable } from "../table";
import type { RealBlockDev } from "./blockdev";
import type { DeviceCrypt } from "./crypt/device-crypt";
import { classify } from "./discovery/classify";
import { identify, identifyLuks, identifyUnnamed, type FoundDevice } from "./discovery/found";
import type { LiminalPool, LiminalPools } from "./discovery/liminal";
import { handleStranger, warnOfStranger } from "./discovery/uncommitted";
import { isClaimed } from "./members";
import type { RealPool } from "./pool";

const log = logger("stratisd::engine");

/** What the rest of the engine does for this. */
interface Surroundings {
  /** Runs `work` when nobody else moves the pool between running and waiting. */
  whenFree(pool: PoolUuid, work: () => Promise<EngineChange[]>): Promise<EngineChange[]>;
  /** Sets a waiting pool up if it is complete. */
  trySetUp(pool: LiminalPool): Promise<EngineChange[]>;
}

type Identified = { stratis: FoundDevice } | { luks: DeviceCrypt };

const poolOf = (found: Identified): PoolUuid =>
  "stratis" in found ? found.stratis.header.poolUuid : found.luks.poolUuid;
const deviceOf = (found: Identified): DevUuid =>
  "stratis" in found ? found.stratis.header.devUuid : found.luks.devUuid;

/**
 * Events are sorted by the pools that they concern, in the order in which they come. What they mean for one pool is
 * done in that order, and waits for nothing but that pool.
 */
export class DeviceEvents {
  readonly #order = new Mutex();
  /** Sorted, and not done yet: the paths that pools will know of. */
  readonly #underway = new Set<{ path: string; pool: PoolUuid }>();

  constructor(
    private readonly pools: NamedTable<PoolUuid, RealPool>,
    private readonly liminal: LiminalPools,
    private readonly engine: Surroundings,
  ) {}

  /** One event of a block device. Returns what it has changed for clients. */
  async handle(event: UdevDevice): Promise<EngineChange[]> {
    const path = event.devnode;
    if (path === null) return [];
    // In an object, since the order would wait for a promise.
    const { done } = await this.#order.run(async () => {
      const concerned = [...(await this.#concerned(event, path))];
      return { done: concerned.map((pool) => this.#queue(pool, event, path)) };
    });
    return (await Promise.all(done)).flat();
  }

  async #queue(pool: PoolUuid, event: UdevDevice, path: string): Promise<EngineChange[]> {
    const entry = { path, pool };
    this.#underway.add(entry);
    try {
      return await this.engine.whenFree(pool, () => this.#newsOf(() => this.#handleFor(pool, event, path)));
    } finally {
      this.#underway.delete(entry);
    }
  }

  /** Most events tell of what is known: clients need not hear again which pools are stopped. */
  async #newsOf(work: () => Promise<EngineChange[]>): Promise<EngineChange[]> {
    const before = this.#stoppedPoolsSeen();
    const changes = await work();
    // Of a pool that was stopped in between somebody may have read.
    const isNews =
      this.#stoppedPoolsSeen() !== before || changes.some(({ change }) => change === "poolAdded");
    return isNews ? changes : changes.filter(({ change }) => change !== "stoppedPools");
  }

  /** What clients see of the pools that do not run. */
  #stoppedPoolsSeen(): string {
    return JSON.stringify(this.liminal.stoppedPools().map((pool) => ({ ...pool, reason: null })));
  }

  /** Pools that have the device, or know of it, or that it says it belongs to. */
  async #concerned(event: UdevDevice, path: string): Promise<Set<PoolUuid>> {
    const running = this.#runningPoolOf(event)?.pool;
    if (running !== undefined) return new Set([running.uuid]);
    const found = await this.#identify(event, path);
    return new Set([
      ...this.liminal.poolsAt(path),
      ...[...this.#underway].flatMap((entry) => (entry.path === path ? [entry.pool] : [])),
      ...(found === null ? [] : [poolOf(found)]),
    ]);
  }

  /** What is on a device that came or changed; null: nothing of Stratis, or nothing that is to be judged now. */
  async #identify(event: UdevDevice, path: string): Promise<Identified | null> {
    const present = (event.action === "add" || event.action === "change") && event.initialized;
    if (!present || isClaimed(path)) return null;
    const found = await readContent(event);
    // It may have been claimed while it was read.
    return isClaimed(path) ? null : found;
  }

  async #handleFor(pool: PoolUuid, event: UdevDevice, path: string): Promise<EngineChange[]> {
    const removed = event.action === "remove";
    const running = this.#runningPoolOf(event);
    if (running !== undefined && running.pool.uuid !== pool) return [];
    if (running !== undefined && !removed) return await noteSizes(running.pool);
    if (running !== undefined) noteRemoval(running);
    // Again, because it may be another one by now.
    const found = await this.#identify(event, path);
    const own = found !== null && poolOf(found) === pool ? found : null;
    // One that can't be identified when it is added may be there still.
    const isElsewhere = found !== null || event.action === "remove" || event.action === "change";
    const waiting = isElsewhere
      ? this.liminal.removePath(pool, path, own === null ? undefined : deviceOf(own))
      : undefined;
    if (own !== null) return await this.#add(pool, own);
    if (waiting === undefined) return [];
    return this.liminal.get(pool) === undefined
      ? [{ change: "stoppedPools" }]
      : await this.engine.trySetUp(waiting);
  }

  async #add(pool: PoolUuid, found: Identified): Promise<EngineChange[]> {
    const running = this.pools.byUuid(pool);
    if (running === undefined)
      return await this.engine.trySetUp(
        "stratis" in found ? this.liminal.add(found.stratis) : this.liminal.addLuks(found.luks),
      );
    if ("stratis" in found) await handleStranger(found.stratis, running);
    else warnOfStranger(found.luks.container, pool);
    return [];
  }

  /** The running pool that has the device that an event is about. */
  #runningPoolOf({ major, minor }: UdevDevice): { pool: RealPool; device: RealBlockDev } | undefined {
    const isIt = (number: DeviceNumber): boolean => number.major === major && number.minor === minor;
    for (const pool of this.pools.values())
      for (const device of pool.core.isEnding ? [] : pool.core.devices.values())
        if (device.present && (isIt(device.number) || isIt(device.physicalNumber))) return { pool, device };
    return undefined;
  }
}

async function readContent(event: UdevDevice): Promise<Identified | null> {
  const ownership = classify(event);
  if (ownership === "luks") {
    const luks = await identifyLuks(event);
    return luks === null ? null : { luks };
  }
  if (ownership !== "stratis" && ownership !== "unowned") return null;
  const stratis = await (ownership === "stratis" ? identify(event) : identifyUnnamed(event));
  return stratis === null ? null : { stratis };
}

/** A running pool keeps what it has of a device that is gone; clients see what the thin pool makes of it. */
function noteRemoval({ pool, device }: { pool: RealPool; device: RealBlockDev }): void {
  device.present = false;
  log.warn(`${device.physicalPath}, a device of running pool "${pool.name}", was removed`);
}

/** Notices devices whose size is not the recorded one. */
export async function noteSizes(pool: RealPool): Promise<EngineChange[]> {
  const changes: EngineChange[] = [];
  for (const device of pool.core.devices.values()) {
    if (!device.present || device.tier !== "data") continue;
    try {
      const size = await device.currentSize();
      const seen = size === device.header.deviceSize ? null : sectorsToBytes(size);
      if (seen === device.newSize) continue;
      device.newSize = seen;
      if (seen !== null && seen < device.size) log.warn(`${device.physicalPath} has shrunk to ${seen} bytes`);
      changes.push({
        change: "blockDev",
        pool: pool.uuid,
        uuid: device.uuid,
        properties: ["newPhysicalSize"],
      });
    } catch (error) {
      log.warn(`Could not look at the size of ${device.physicalPath}: ${errorText(error)}`);
    }
  }
  return changes;
}
