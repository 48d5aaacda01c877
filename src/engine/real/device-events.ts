/** What devices that come, change and go mean for the pools: those that run, and those that wait (engine.md §7–§12). */
import type { DeviceNumber } from "../../dm/device-number";
import { logger } from "../../log";
import type { UdevDevice } from "../../native";
import { sectorsToBytes } from "../../units";
import type { PoolUuid } from "../../uuid";
import type { EngineChange } from "../engine";
import { errorText } from "../errors";
import type { NamedTable } from "../table";
import type { RealBlockDev } from "./blockdev";
import type { DeviceCrypt } from "./crypt/device-crypt";
import { classify } from "./discovery/classify";
import { identify, identifyLuks, identifyUnnamed, type FoundDevice } from "./discovery/found";
import { devicesOf, type LiminalPool, type LiminalPools } from "./discovery/liminal";
import { handleStranger, warnOfStranger } from "./discovery/uncommitted";
import { isClaimed } from "./members";
import type { RealPool } from "./pool";

const log = logger("stratisd::engine");

/** All of it runs while the engine's table is held. */
export class DeviceEvents {
  constructor(
    private readonly pools: NamedTable<PoolUuid, RealPool>,
    private readonly liminal: LiminalPools,
    /** Sets a waiting pool up if it is complete. */
    private readonly trySetUp: (pool: LiminalPool) => Promise<EngineChange[]>,
  ) {}

  /** One event of a block device. Returns what it has changed for clients. */
  async handle(event: UdevDevice): Promise<EngineChange[]> {
    if (event.devnode === null) return [];
    const ownership = classify(event);
    const present = (event.action === "add" || event.action === "change") && event.initialized;
    if (present && (ownership === "stratis" || ownership === "luks" || ownership === "unowned")) {
      const running = this.#poolOfDevice(event)?.pool;
      if (running !== undefined) return await noteSizes(running);
      if (isClaimed(event.devnode)) return [];
      if (ownership === "stratis") return await this.#handleStratis(await identify(event));
      const luks = ownership === "luks" ? await identifyLuks(event) : null;
      if (luks !== null) return await this.#handleLuks(luks);
      const unnamed = ownership === "unowned" ? await identifyUnnamed(event) : null;
      if (unnamed !== null) return await this.#handleStratis(unnamed);
    }
    if (event.action !== "remove" && event.action !== "change") return [];
    if (event.action === "remove") this.#noteRemoval(event);
    const pool = this.liminal.removePath(event.devnode);
    if (pool === undefined) return [];
    if (devicesOf(pool).size > 0) await this.trySetUp(pool);
    return [{ change: "stoppedPools" }];
  }

  async #handleStratis(found: FoundDevice | null): Promise<EngineChange[]> {
    if (found === null || isClaimed(found.path)) return [];
    const running = this.pools.byUuid(found.header.poolUuid);
    if (running === undefined) return await this.trySetUp(this.liminal.add(found));
    await handleStranger(found, running);
    return [];
  }

  async #handleLuks(found: DeviceCrypt): Promise<EngineChange[]> {
    if (isClaimed(found.container)) return [];
    if (this.pools.byUuid(found.poolUuid) !== undefined) {
      warnOfStranger(found.container, found.poolUuid);
      return [];
    }
    return await this.trySetUp(this.liminal.addLuks(found));
  }

  /** A running pool keeps what it has of a device that is gone; clients see what the thin pool makes of it. */
  #noteRemoval(event: UdevDevice): void {
    const found = this.#poolOfDevice(event);
    if (found === undefined) return;
    const { pool, device } = found;
    device.present = false;
    log.warn(`${device.physicalPath}, a device of running pool "${pool.name}", was removed`);
  }

  /** The running pool that has the device that an event is about. */
  #poolOfDevice({ major, minor }: UdevDevice): { pool: RealPool; device: RealBlockDev } | undefined {
    const isIt = (number: DeviceNumber): boolean => number.major === major && number.minor === minor;
    for (const pool of this.pools.values())
      for (const device of pool.core.devices.values())
        if (device.present && (isIt(device.number) || isIt(device.physicalNumber))) return { pool, device };
    return undefined;
  }
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
