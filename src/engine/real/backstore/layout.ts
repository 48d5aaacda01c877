/**
 * What differs between pools of the two versions of metadata (on-disk-format.md §9, devicemapper.md §2.2). Everything
 * else is common to both.
 */
import { integrityReservation } from "../../../disk/integrity";
import type { Segment } from "../../../disk/pool-record";
import type { StaticHeader } from "../../../disk/static-header";
import { sectors, type Sectors } from "../../../units";
import type { DevUuid } from "../../../uuid";
import { EngineError } from "../../errors";
import type { IntegritySpec } from "../../validation";

/** V2: space for a LUKS2 header at the start of the cap device, set aside in every pool, encrypted or not. */
export const CRYPT_META_SECTORS = sectors(34816n);

export interface Layout {
  readonly version: 1 | 2;
  /** Sectors at the start of the cap device of a new pool that are set aside for encryption. */
  readonly cryptMetaSize: Sectors;
  /**
   * Whether a linear device stands where a cache would be, so that flex devices keep their parent when one is put
   * there. Without it they are cut from the data tier itself, and change parents.
   */
  readonly placeholder: boolean;
  /** What has a LUKS2 header in an encrypted pool: each block device, or what the cap device is on. */
  readonly encrypts: "devices" | "pool";
  /** The record's list of what was handed out of the cap device, with one more range at its end. */
  withCapRange(allocations: readonly Segment[], range: Segment): Segment[];
  /** Sectors to keep free at the end of a data device of this size. `spec`: of the pool; null where there is none. */
  integritySize(deviceSize: Sectors, spec: IntegritySpec | null): Sectors;
}

const V1: Layout = {
  version: 1,
  cryptMetaSize: sectors(0n),
  placeholder: false,
  encrypts: "devices",
  // One range from 0, whose end counts what was handed out.
  withCapRange: (_, range) => [{ start: sectors(0n), length: sectors(range.start + range.length) }],
  integritySize: () => sectors(0n),
};

const V2: Layout = {
  version: 2,
  cryptMetaSize: CRYPT_META_SECTORS,
  placeholder: true,
  encrypts: "pool",
  // Every range is an entry of its own, never merged.
  withCapRange: (allocations, range) => [...allocations, range],
  integritySize: (deviceSize, spec) => {
    if (spec === null) throw new EngineError("The pool has no integrity specification in its metadata");
    return integrityReservation(deviceSize, spec);
  },
};

export const LAYOUTS: Readonly<Record<1 | 2, Layout>> = { 1: V1, 2: V2 };

/** The layout of a pool by the headers of its devices. Throws EngineError when they disagree, or there are none. */
export function layoutOf(headers: ReadonlyMap<DevUuid, StaticHeader>): Layout {
  const versions = new Set([...headers.values()].map(({ version }) => version));
  const [version, ...others] = versions;
  if (version === undefined || others.length > 0)
    throw new EngineError(
      `The devices of the pool have metadata of versions ${[...versions].join(" and ") || "unknown"}, where all ` +
        "must have the same",
    );
  return LAYOUTS[version];
}
