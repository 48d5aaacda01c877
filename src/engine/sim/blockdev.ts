/** Block devices that exist by name only, and the tiers they are in (engine.md §25). */
import { bytes, type Bytes } from "../../units";
import { newDevUuid, type DevUuid } from "../../uuid";
import type { RenameAction } from "../actions";
import type { BlockDev, BlockDevTier } from "../engine";
import { EngineError } from "../errors";
import { validateName } from "../validation";
import { nowInWholeSeconds } from "./clock";

export const SIM_DEVICE_SIZE: Bytes = bytes(1024n ** 3n);

export class SimBlockDev implements BlockDev {
  readonly uuid: DevUuid = newDevUuid();
  readonly hardwareInfo = null;
  readonly initializationTime = nowInWholeSeconds();
  readonly size = SIM_DEVICE_SIZE;
  readonly newSize = null;
  userInfo: string | null = null;

  /** `devnode` is kept as it was given: nothing says that it exists. */
  constructor(
    readonly devnode: string,
    readonly tier: BlockDevTier,
  ) {}

  get physicalPath(): string {
    return this.devnode;
  }
}

export class SimBlockDevs {
  readonly #devices = new Map<DevUuid, SimBlockDev>();

  /** In order of addition. */
  all(): SimBlockDev[] {
    return [...this.#devices.values()];
  }
  inTier(tier: BlockDevTier): SimBlockDev[] {
    return this.all().filter((device) => device.tier === tier);
  }
  get(uuid: DevUuid): SimBlockDev | undefined {
    return this.#devices.get(uuid);
  }
  paths(tier: BlockDevTier): string[] {
    return this.inTier(tier).map(({ devnode }) => devnode);
  }

  /** Makes a device of every path that the tier does not have yet; a path given twice is one device. */
  add(paths: readonly string[], tier: BlockDevTier): DevUuid[] {
    const present = new Set(this.paths(tier));
    const created = [...new Set(paths)]
      .filter((path) => !present.has(path))
      .map((path) => new SimBlockDev(path, tier));
    for (const device of created) this.#devices.set(device.uuid, device);
    return created.map(({ uuid }) => uuid);
  }

  removeTier(tier: BlockDevTier): void {
    for (const { uuid } of this.inTier(tier)) this.#devices.delete(uuid);
  }

  /** Throws EngineError when a device is in the other tier than the one it should be added to. */
  requireNotInOther(paths: readonly string[], wanted: BlockDevTier): void {
    const other = wanted === "data" ? "cache" : "data";
    const taken = this.paths(other).filter((path) => paths.includes(path));
    if (taken.length > 0)
      throw new EngineError(
        `Failed to add ${taken.join(", ")} to the ${wanted} tier: it is in the ${other} tier of this pool already`,
      );
  }

  setUserInfo(uuid: DevUuid, info: string | null): RenameAction<DevUuid> {
    if (info !== null) validateName(info);
    const device = this.#devices.get(uuid);
    if (device === undefined) return { action: "noSource" };
    if (device.userInfo === info) return { action: "identity" };
    device.userInfo = info;
    return { action: "renamed", value: uuid };
  }
}
