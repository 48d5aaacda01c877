/**
 * The device-mapper layers below the thin pool: data tier, cache, and what stands for it where there is none
 * (devicemapper.md §2.2, §2.6, §2.15). Making them, taking them over, reloading them after the pool's record changed.
 */
import type { PoolRecord } from "../../../disk/pool-record";
import { cacheTablesEquivalent, parseCacheTable } from "../../../dm/cache";
import type { DeviceNumber } from "../../../dm/device-number";
import { isLinearPrefix, linearTablesEqual, parseLinearTable } from "../../../dm/linear";
import * as names from "../../../dm/names";
import {
  createDmDevice,
  ensureDmDevice,
  reloadSteps,
  removeDmDevice,
  runDmSteps,
  type DmDeviceSpec,
  type TableMatch,
} from "../../../dm/operations";
import type { DmStep, DmTargetLine } from "../../../native";
import { assertInvariant } from "../../errors";
import type { PoolUuid } from "../../../uuid";
import type { UndoStack } from "../../undo";
import type { Layout } from "./layout";
import {
  cacheSpec,
  cachesubSpec,
  metasubSpec,
  originsubSpec,
  placeholderSpec,
  type CacheNumbers,
  type DeviceNumbers,
} from "./tables";

/** Kernel numbers of the backstore's layers. */
export interface BackstoreNumbers {
  originsub: DeviceNumber;
  /** null: no cache. */
  cache: CacheNumbers | null;
  /** The topmost device without encryption: what has the header of an encrypted V2 pool. */
  container: DeviceNumber;
  /** What flex devices are cut from. */
  cap: DeviceNumber;
}

type Match = (live: DmTargetLine[]) => TableMatch;

/** A live linear device is as wanted, or was so before segments were added to the record. */
export function matchLinear(wanted: DmTargetLine[]): Match {
  return (live) => {
    if (linearTablesEqual(live, wanted)) return "same";
    if (live.some((line) => line.type !== "linear")) return "different";
    return isLinearPrefix(parseLinearTable(live), parseLinearTable(wanted)) ? "reload" : "different";
  };
}

/** A live cache is as wanted, or was so before the data tier grew, or before the cache took the place of a linear map. */
function matchCache(wanted: DmTargetLine, placeholder: DmTargetLine[]): Match {
  return (live) => {
    const [line, ...others] = live;
    if (line?.type === "linear")
      return matchLinear(placeholder)(live) === "different" ? "different" : "reload";
    if (line?.type !== "cache" || others.length > 0) return "different";
    const [a, b] = [parseCacheTable(line), parseCacheTable(wanted)];
    if (cacheTablesEquivalent(a, b)) return "same";
    return a.length < b.length && cacheTablesEquivalent({ ...a, length: b.length }, b)
      ? "reload"
      : "different";
  };
}

/** Makes sure that the device is live; one that is new is removed again by `undo`. */
export async function ensureWithUndo(
  spec: DmDeviceSpec,
  match: Match,
  undo: UndoStack,
): Promise<DeviceNumber> {
  const device = await ensureDmDevice(spec, match);
  if (device.created)
    undo.push(`remove ${spec.name}`, async () => {
      await removeDmDevice(spec.name);
    });
  return { major: device.major, minor: device.minor };
}

export class BackstoreStack {
  constructor(
    readonly pool: PoolUuid,
    readonly devices: DeviceNumbers,
    readonly layout: Layout,
  ) {}

  async ensure(record: PoolRecord, undo: UndoStack): Promise<BackstoreNumbers> {
    const spec = originsubSpec(this.pool, record, this.devices);
    const originsub = await ensureWithUndo(spec, matchLinear(spec.table), undo);
    if (record.cacheTier === null) {
      const cap = this.layout.placeholder
        ? await this.#ensurePlaceholder(record, originsub, undo)
        : originsub;
      return { originsub, cache: null, container: cap, cap };
    }
    const cache = await this.ensureCacheDevices(record, undo);
    const cacheOf = cacheSpec(this.pool, record, originsub, cache);
    const [line] = cacheOf.table;
    assertInvariant(line !== undefined, "the table of a cache is empty");
    const placeholder = this.layout.placeholder ? placeholderSpec(this.pool, record, originsub).table : [];
    const cap = await ensureWithUndo(cacheOf, matchCache(line, placeholder), undo);
    return { originsub, cache, container: cap, cap };
  }

  async #ensurePlaceholder(
    record: PoolRecord,
    originsub: DeviceNumber,
    undo: UndoStack,
  ): Promise<DeviceNumber> {
    const spec = placeholderSpec(this.pool, record, originsub);
    return await ensureWithUndo(spec, matchLinear(spec.table), undo);
  }

  /** The two devices that a cache is made of. */
  async ensureCacheDevices(record: PoolRecord, undo: UndoStack): Promise<CacheNumbers> {
    const tier = record.cacheTier;
    assertInvariant(tier !== null, `pool ${this.pool} has no cache tier`);
    const metaSpec = metasubSpec(this.pool, tier, this.devices);
    const metasub = await ensureWithUndo(metaSpec, matchLinear(metaSpec.table), undo);
    const blocksSpec = cachesubSpec(this.pool, tier, this.devices);
    const cachesub = await ensureWithUndo(blocksSpec, matchLinear(blocksSpec.table), undo);
    return { metasub, cachesub };
  }

  /**
   * Puts a cache over a live data tier. With a placeholder it takes that one's place under the same number; otherwise
   * it is a device of its own, to which the flex devices have to be moved. `undo` makes it as before.
   */
  async putCacheIn(
    record: PoolRecord,
    originsub: DeviceNumber,
    undo: UndoStack,
  ): Promise<{ cache: CacheNumbers; cap: DeviceNumber }> {
    const cache = await this.ensureCacheDevices(record, undo);
    const spec = cacheSpec(this.pool, record, originsub, cache);
    if (!this.layout.placeholder) {
      const cap = await createDmDevice(spec);
      undo.push(`remove ${spec.name}`, async () => {
        await removeDmDevice(spec.name);
      });
      return { cache, cap };
    }
    const placeholder = placeholderSpec(this.pool, record, originsub);
    const replies = await runDmSteps(reloadSteps(spec, placeholder.table));
    const device = replies.at(-1)?.device;
    assertInvariant(device !== undefined, `the kernel's reply to resuming ${spec.name} names no device`);
    undo.push(`put a linear map back in the place of the cache ${spec.name}`, async () => {
      await runDmSteps(reloadSteps(placeholder));
    });
    return { cache, cap: { major: device.major, minor: device.minor } };
  }

  /** Steps that take the live backstore from one record to the next; whether there is a cache is the same in both. */
  growSteps(from: PoolRecord, to: PoolRecord, numbers: BackstoreNumbers): DmStep[] {
    const origin = changedSteps((record) => originsubSpec(this.pool, record, this.devices), from, to);
    if (numbers.cache === null) {
      if (!this.layout.placeholder) return origin;
      return [
        ...origin,
        ...changedSteps((record) => placeholderSpec(this.pool, record, numbers.originsub), from, to),
      ];
    }
    const blocks = changedSteps(
      (record) => {
        assertInvariant(record.cacheTier !== null, `the record of pool ${this.pool} lost its cache tier`);
        return cachesubSpec(this.pool, record.cacheTier, this.devices);
      },
      from,
      to,
    );
    if (origin.length === 0 && blocks.length === 0) return [];
    // The cache's own table is loaded again in any case, which makes it look at the sizes of the devices below.
    const { originsub, cache } = numbers;
    const [wanted, previous] = [to, from].map((record) => cacheSpec(this.pool, record, originsub, cache));
    assertInvariant(wanted !== undefined && previous !== undefined, "two records make two tables");
    return [...origin, ...blocks, ...reloadSteps(wanted, previous.table)];
  }

  /** Names from the top down, in the order to remove them. */
  get names(): string[] {
    return [
      names.physicalCache(this.pool),
      names.physicalCachesub(this.pool),
      names.physicalMetasub(this.pool),
      names.physicalOriginsub(this.pool),
    ];
  }
}

/** Steps that reload a layer whose table differs between two records. */
export function changedSteps(
  spec: (record: PoolRecord) => DmDeviceSpec,
  from: PoolRecord,
  to: PoolRecord,
): DmStep[] {
  const [old, wanted] = [spec(from), spec(to)];
  return linearTablesEqual(old.table, wanted.table) ? [] : reloadSteps(wanted, old.table);
}
