/**
 * The device-mapper layers from the cap device up to the thin pool, over those of src/engine/real/backstore/stack.ts:
 * making them, taking them over, reloading them after the pool's record grew, removing them (devicemapper.md
 * §2.6-§2.8, §2.19).
 */
import type { PoolRecord } from "../../../disk/pool-record";
import { deviceNumbersEqual, formatDeviceNumber, type DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import {
  dmPath,
  ensureDmDevice,
  listDmDevices,
  PRIVATE_DEVICE,
  reloadSteps,
  removeDmDevice,
  runDmSteps,
  type DmDeviceSpec,
  type TableMatch,
} from "../../../dm/operations";
import { parseThinPoolTable, printThinPoolTable } from "../../../dm/thin-pool";
import type { DmStep, DmTargetLine } from "../../../native";
import { logger } from "../../../log";
import { dataBlocks, sectorsToDataBlocks, type DataBlocks, type Sectors } from "../../../units";
import type { DevUuid, PoolUuid } from "../../../uuid";
import { assertInvariant, ChainedError, EngineError, errorText } from "../../errors";
import { withUndo, type UndoStack } from "../../undo";
import type { Layout } from "../backstore/layout";
import {
  BackstoreStack,
  changedSteps,
  ensureWithUndo,
  matchLinear,
  type BackstoreNumbers,
} from "../backstore/stack";
import {
  mdvSpec,
  segmentsLength,
  thinDataSpec,
  thinMetaSpareSpec,
  thinMetaSpec,
  type DeviceNumbers,
} from "../backstore/tables";
import { withBlockFile } from "../block-file";
import { repairThinMetadata, thinMetadataIsSound } from "../commands";
import { sideBySide } from "../side-by-side";
import { MetadataVolume } from "./mdv";

const log = logger("stratisd::engine::thinpool");

/** The kernel raises an event when fewer blocks than this are free: 15 GiB. */
export const DATA_LOW_WATER = dataBlocks(15360n);

/** Features of a pool whose metadata is too old to record them. */
export const LEGACY_FEATURES = ["error_if_no_space", "no_discard_passdown", "skip_block_zeroing"];
export const ERROR_IF_NO_SPACE = "error_if_no_space";

/**
 * Runs steps that give devices in use larger tables, and tells for how long that held up their users: the kernel suspends a
 * device within the ioctl that resumes it with its new table. A udev that does not answer is no failure: a thin pool can't
 * be made smaller again.
 */
async function replaceTables(steps: DmStep[]): Promise<void> {
  const replies = await runDmSteps(
    steps.map((step) => (step.request.op === "resume" ? { ...step, ignore: ["ETIMEDOUT"] } : step)),
  );
  if (replies.includes(null)) log.warn("udev has not answered to devices that have got other tables");
  const times = replies.map((reply) => (reply?.microseconds ?? 0) / 1000);
  const suspended = times.filter((_, index) => steps[index]?.request.op === "resume");
  const all = times.reduce((sum, time) => sum + time, 0);
  log.info(
    `Replaced ${suspended.length} tables of devices in use in ${all.toFixed(1)} ms; ` +
      `the longest that one was suspended for: ${Math.max(0, ...suspended).toFixed(1)} ms`,
  );
}

/** A pool smaller than twice the mark raises its event when half is used. */
export function initialLowWater(data: Sectors): DataBlocks {
  const half = sectorsToDataBlocks(data) / 2n;
  return dataBlocks(half < DATA_LOW_WATER ? half : DATA_LOW_WATER);
}

/** Kernel numbers of the layers that others refer to. */
export interface StackNumbers extends BackstoreNumbers {
  thinMeta: DeviceNumber;
  thinData: DeviceNumber;
  mdv: DeviceNumber;
  thinPool: DeviceNumber;
}

/** Where flex devices are cut from, and how. */
export interface FlexPlace {
  record: PoolRecord;
  cap: DeviceNumber;
}

/** Layers below the thin pool, found when a pool is set up. */
export interface FoundBackstore extends BackstoreNumbers {
  /** Where flex devices were cut from, in the middle of an encryption or decryption in place that was interrupted. */
  former?: FlexPlace;
}

export function thinPoolSpec(
  pool: PoolUuid,
  record: PoolRecord,
  numbers: Pick<StackNumbers, "thinMeta" | "thinData">,
  lowWater: DataBlocks,
): DmDeviceSpec {
  const line = printThinPoolTable({
    length: segmentsLength(record.flexDevices.thinData),
    metaDevice: numbers.thinMeta,
    dataDevice: numbers.thinData,
    blockSize: record.thinPool.dataBlockSize,
    lowWater,
    features: record.thinPool.featureArgs ?? LEGACY_FEATURES,
  });
  return { name: names.thinPool(pool), table: [line], udevFlags: PRIVATE_DEVICE };
}

/** The kernel may have flags and a low-water mark of its own by now; what it maps is what must agree. */
function matchThinPool(wanted: DmTargetLine): (live: DmTargetLine[]) => TableMatch {
  return (live) => {
    const [line, ...others] = live;
    if (line?.type !== "thin-pool" || others.length > 0) return "different";
    const [a, b] = [parseThinPoolTable(line), parseThinPoolTable(wanted)];
    const sameDevices =
      formatDeviceNumber(a.metaDevice) === formatDeviceNumber(b.metaDevice) &&
      formatDeviceNumber(a.dataDevice) === formatDeviceNumber(b.dataDevice) &&
      a.blockSize === b.blockSize;
    if (!sameDevices || a.length > b.length) return "different";
    return a.length === b.length && a.lowWater === b.lowWater ? "same" : "reload";
  };
}

/** How a flex device is cut from the cap device. */
type FlexSpec = (pool: PoolUuid, record: PoolRecord, cap: DeviceNumber) => DmDeviceSpec;

/**
 * A flex device as wanted, before it grew, or before it got another parent: in V1 when a cache was put between it and
 * the data tier, in V2 when the pool was encrypted or decrypted in place.
 */
function matchFlex(
  spec: FlexSpec,
  pool: PoolUuid,
  record: PoolRecord,
  { cap, originsub, former }: FoundBackstore,
): (live: DmTargetLine[]) => TableMatch {
  const asWanted = matchLinear(spec(pool, record, cap).table);
  const others = [{ record, cap: originsub }, ...(former === undefined ? [] : [former])].map((other) =>
    matchLinear(spec(pool, other.record, other.cap).table),
  );
  return (live) => {
    const verdict = asWanted(live);
    if (verdict !== "different") return verdict;
    return others.every((match) => match(live) === "different") ? "different" : "reload";
  };
}

export class PoolStack {
  readonly backstore: BackstoreStack;

  constructor(
    readonly pool: PoolUuid,
    devices: DeviceNumbers,
    layout: Layout,
  ) {
    this.backstore = new BackstoreStack(pool, devices, layout);
  }

  #ensureFlex(
    spec: FlexSpec,
    record: PoolRecord,
    numbers: FoundBackstore,
    undo: UndoStack,
  ): Promise<DeviceNumber> {
    const match = matchFlex(spec, this.pool, record, numbers);
    return ensureWithUndo(spec(this.pool, record, numbers.cap), match, undo);
  }

  ensureMdv(record: PoolRecord, numbers: FoundBackstore, undo: UndoStack): Promise<DeviceNumber> {
    return this.#ensureFlex(mdvSpec, record, numbers, undo);
  }

  ensureThinMeta(record: PoolRecord, numbers: FoundBackstore, undo: UndoStack): Promise<DeviceNumber> {
    return this.#ensureFlex(thinMetaSpec, record, numbers, undo);
  }

  ensureThinData(record: PoolRecord, numbers: FoundBackstore, undo: UndoStack): Promise<DeviceNumber> {
    return this.#ensureFlex(thinDataSpec, record, numbers, undo);
  }

  async ensureThinPool(
    record: PoolRecord,
    numbers: Pick<StackNumbers, "thinMeta" | "thinData">,
    lowWater: DataBlocks,
    undo: UndoStack,
  ): Promise<DeviceNumber> {
    const spec = thinPoolSpec(this.pool, record, numbers, lowWater);
    const [line] = spec.table;
    if (line === undefined) throw new EngineError(`The thin pool of pool ${this.pool} has an empty table`);
    return await ensureWithUndo(spec, matchThinPool(line), undo);
  }

  /** The thin pool is live: its metadata must then not be touched by any program. */
  async thinPoolExists(): Promise<boolean> {
    return (await listDmDevices()).has(names.thinPool(this.pool));
  }

  /**
   * Checks thin-pool metadata before the pool is made from it. Where it is damaged it is repaired into the spare, the
   * two change places in the record, and `save` puts that on disk before anything uses it.
   */
  async checkedThinMeta(
    record: PoolRecord,
    numbers: FoundBackstore,
    undo: UndoStack,
    save: (record: PoolRecord) => Promise<void>,
  ): Promise<{ record: PoolRecord; thinMeta: DeviceNumber }> {
    const thinMeta = await this.ensureThinMeta(record, numbers, undo);
    if (await this.thinPoolExists()) return { record, thinMeta };
    const { sound, findings } = await thinMetadataIsSound(dmPath(thinMeta));
    if (sound) return { record, thinMeta };

    log.warn(`Thin-pool metadata of pool ${this.pool} is damaged, repairing it into the spare: ${findings}`);
    const spareSpec = thinMetaSpareSpec(this.pool, record, numbers.cap);
    const spare = await ensureDmDevice(spareSpec, matchLinear(spareSpec.table));
    try {
      await repairThinMetadata(dmPath(thinMeta), dmPath(spare));
    } catch (error) {
      throw new ChainedError(
        `Thin-pool metadata of pool ${this.pool} is damaged and could not be repaired`,
        error,
      );
    } finally {
      await removeDmDevice(spareSpec.name);
    }
    const { flexDevices } = record;
    const swapped: PoolRecord = {
      ...record,
      flexDevices: {
        ...flexDevices,
        thinMeta: flexDevices.thinMetaSpare,
        thinMetaSpare: flexDevices.thinMeta,
      },
    };
    await removeDmDevice(names.flexThinMeta(this.pool));
    await save(swapped);
    return { record: swapped, thinMeta: await this.ensureThinMeta(swapped, numbers, undo) };
  }

  /**
   * Steps that take the live flex devices and thin pool from one record to the next. The thin pool's table is loaded in
   * any case: only a fresh table ends its out-of-space modes and makes the kernel look at the sizes of the devices below.
   */
  #growSteps(from: PoolRecord, to: PoolRecord, numbers: StackNumbers): DmStep[] {
    const oldPool = thinPoolSpec(this.pool, from, numbers, DATA_LOW_WATER);
    return [
      ...changedSteps((record) => thinMetaSpec(this.pool, record, numbers.cap), from, to),
      ...changedSteps((record) => thinDataSpec(this.pool, record, numbers.cap), from, to),
      ...reloadSteps(thinPoolSpec(this.pool, to, numbers, DATA_LOW_WATER), oldPool.table),
    ];
  }

  /**
   * Makes the kernel follow from one record to the next, which has more of something, or a cache where there was none.
   * On failure everything is as before. `crypt`: the layer in between, which has to grow with what is below it. Returns
   * the numbers, which a cache may change.
   */
  async reshape(
    from: PoolRecord,
    to: PoolRecord,
    numbers: StackNumbers,
    crypt: { resize(container: DeviceNumber): Promise<void> } | null,
  ): Promise<StackNumbers> {
    if (from.cacheTier === null && to.cacheTier !== null) return await this.#putCacheIn(from, to, numbers);
    const below = this.backstore.growSteps(from, to, numbers);
    const above = this.#growSteps(from, to, numbers);
    if (crypt === null || below.length === 0) {
      await replaceTables([...below, ...above]);
      return numbers;
    }
    await withUndo(async (undo) => {
      const done = { resized: false };
      await replaceTables(below);
      // A device that is larger than its record is not taken over by the next daemon.
      undo.push("make what is below the encryption as large as before", async () => {
        await runDmSteps(this.backstore.growSteps(to, from, numbers));
        if (done.resized) await crypt.resize(numbers.container);
      });
      await crypt.resize(numbers.container);
      done.resized = true;
      await replaceTables(above);
    });
    return numbers;
  }

  #putCacheIn(from: PoolRecord, to: PoolRecord, numbers: StackNumbers): Promise<StackNumbers> {
    return withUndo(async (undo) => {
      const { cache, cap: container } = await this.backstore.putCacheIn(to, numbers.originsub, undo);
      if (deviceNumbersEqual(container, numbers.container)) return { ...numbers, cache };
      // Only V1 has another one, and nothing in between.
      const [now, then] = [numbers.cap, container].map((cap) => ({ record: from, cap }));
      assertInvariant(now !== undefined && then !== undefined, "two devices make two places");
      await this.moveFlexDevices(now, then);
      return { ...numbers, cache, container, cap: container };
    });
  }

  /**
   * Flex devices are cut from another cap device, or elsewhere, with the same content; nothing may be on its way
   * meanwhile. On failure they are as before.
   */
  async moveFlexDevices(from: FlexPlace, to: FlexPlace): Promise<void> {
    const thinPool = names.thinPool(this.pool);
    const resume = { op: "resume", name: thinPool, udevFlags: PRIVATE_DEVICE } as const;
    const specs: FlexSpec[] = [thinMetaSpec, thinDataSpec, mdvSpec];
    await runDmSteps([
      { request: { op: "suspend", name: thinPool }, undo: [resume] },
      ...specs.flatMap((spec) =>
        reloadSteps(spec(this.pool, to.record, to.cap), spec(this.pool, from.record, from.cap).table),
      ),
      { request: resume },
    ]);
  }

  /** Zeroes the start of the thin metadata device: the kernel would otherwise open what an earlier pool left there. */
  async clearThinMeta(thinMeta: DeviceNumber): Promise<void> {
    await withBlockFile(dmPath(thinMeta), { write: true }, async (file) => {
      await file.zero(0n, 4096n);
      await file.sync();
    });
  }

  async removeThinPool(): Promise<void> {
    await this.#removeExisting([names.thinPool(this.pool)]);
  }

  /** What the thin pool and the metadata volume were on; none is on another, and each removal waits for udev. */
  async removeFlexDevices(): Promise<void> {
    const live = await listDmDevices();
    const flex = [names.flexThinData, names.flexThinMeta, names.flexThinMetaSpare, names.flexMdv];
    await sideBySide(
      flex.map((name) => name(this.pool)).filter((name) => live.has(name)),
      (name) => this.#remove(name),
    );
  }

  async removeBackstore(): Promise<void> {
    const crypt = names.v2Crypt(this.pool);
    await this.#removeExisting([crypt, ...names.cryptHelpers(crypt), ...this.backstore.names]);
  }

  async #removeExisting(deviceNames: string[]): Promise<void> {
    const live = await listDmDevices();
    for (const name of deviceNames) if (live.has(name)) await this.#remove(name);
  }

  async #remove(name: string): Promise<void> {
    try {
      await removeDmDevice(name);
    } catch (error) {
      throw new ChainedError(`Failed to remove device ${name} of pool ${this.pool}`, error);
    }
  }
}

/**
 * Whether any device-mapper device of a pool below its filesystems is live. `v1Devices`: block devices whose own mappings
 * count too.
 */
export async function hasLeftovers(pool: PoolUuid, v1Devices: readonly DevUuid[] = []): Promise<boolean> {
  const live = await listDmDevices();
  return names.leftoverNames(pool, v1Devices).some((name) => live.has(name));
}

/** Removes what an interrupted creation or teardown left; filesystem devices first. Throws when something is in use. */
export async function removeLeftovers(pool: PoolUuid, v1Devices: readonly DevUuid[] = []): Promise<void> {
  await MetadataVolume.unmountOf(pool);
  const live = await listDmDevices();
  const filesystems = [...live.keys()].filter((name) => names.parseThinFilesystemName(name)?.pool === pool);
  for (const name of [...filesystems, ...names.leftoverNames(pool, v1Devices)]) {
    if (!live.has(name)) continue;
    try {
      await removeDmDevice(name);
    } catch (error) {
      throw new EngineError(
        `Device ${name}, left over from an interrupted operation, can't be removed: ${errorText(error)}`,
      );
    }
  }
}
