/**
 * How much space a pool or filesystem will take, before it is made (system.md §21.2). Pure functions, built on the
 * same formulas as the engine, so that a fresh pool uses exactly what was predicted.
 */
import { integrityReservation } from "../disk/integrity";
import { thinMetaSize } from "../disk/sizes";
import { DEFAULT_BDA_EXTENDED_SIZE } from "../disk/static-header";
import { DEFAULT_FS_LIMIT, MDV_SECTORS } from "../engine/real/backstore/allocation";
import { CRYPT_META_SECTORS } from "../engine/real/backstore/layout";
import { assertInvariant } from "../engine/errors";
import type { IntegritySpec } from "../engine/validation";
import { bytes, bytesToSectors, SECTOR_BYTES, sectors, sumSectors, type Bytes, type Sectors } from "../units";
import { ToolError } from "./tool";

const MIN_FILESYSTEM_BYTES = 1n << 29n;
/** 32 PiB; a filesystem must be smaller. */
const END_OF_FILESYSTEM_BYTES = 1n << 55n;
const BITS_OF_SMALLEST = MIN_FILESYSTEM_BYTES.toString(2).length;

/**
 * Bytes that a fresh filesystem takes in the pool, as measured by upstream: at position n for sizes from 2^(29+n) to
 * below twice that.
 */
const MEASURED_BYTES: readonly bigint[] = [
  20_971_520n,
  22_020_096n,
  23_068_672n,
  23_068_672n,
  31_457_280n,
  34_603_008n,
  51_380_224n,
  84_934_656n,
  152_043_520n,
  286_261_248n,
  571_473_920n,
  1_108_344_832n,
  2_171_600_896n,
  2_171_600_896n,
  2_171_600_896n,
  2_171_600_896n,
  2_205_155_328n,
  2_273_312_768n,
  2_407_530_496n,
  2_675_965_952n,
  3_212_836_864n,
  4_286_578_688n,
  6_434_062_336n,
  10_729_029_632n,
  19_318_964_224n,
  36_498_833_408n,
];

function requireAllowed(size: Bytes): void {
  if (size < MIN_FILESYSTEM_BYTES || size >= END_OF_FILESYSTEM_BYTES)
    throw new ToolError(
      `Specified filesystem size ${size} bytes is not within allowed limits. It must be at least ` +
        `${MIN_FILESYSTEM_BYTES} bytes and less than ${END_OF_FILESYSTEM_BYTES} bytes.`,
    );
  if (size % SECTOR_BYTES !== 0n)
    throw new ToolError(
      `Specified filesystem size ${size} bytes is not a multiple of sector size, ${SECTOR_BYTES}.`,
    );
}

function measured(size: Bytes): Sectors {
  const position = size.toString(2).length - BITS_OF_SMALLEST;
  const figure = MEASURED_BYTES[position];
  assertInvariant(figure !== undefined, `no filesystem of ${size} bytes was measured`);
  return bytesToSectors(bytes(figure));
}

/**
 * Space that fresh filesystems of these sizes take in a pool: what their metadata takes, or, where overprovisioning is
 * off, all of their size. Throws ToolError for a size that no filesystem can have.
 */
export function predictFilesystems(sizes: readonly Bytes[], overprovisioned: boolean): Sectors {
  sizes.forEach(requireAllowed);
  return sumSectors(sizes.map(overprovisioned ? measured : bytesToSectors));
}

export interface PlannedPool {
  deviceSizes: readonly Bytes[];
  filesystemSizes: readonly Bytes[];
  overprovisioned: boolean;
  integrity: IntegritySpec;
}

/** All in sectors. */
export interface PoolPrediction {
  total: Sectors;
  used: Sectors;
  free: Sectors;
  /** Thin metadata, its spare, and the metadata volume. */
  adminSpace: Sectors;
  /** What each device keeps for Stratis, and the room for a LUKS2 header. */
  metadataSpace: Sectors;
}

function dataSpace(size: Sectors, integrity: IntegritySpec, explain: (text: string) => void): Sectors {
  const reservation = integrityReservation(size, integrity);
  explain(`Total size of device: ${size} sectors`);
  explain(`Deduction for stratis metadata: ${DEFAULT_BDA_EXTENDED_SIZE} sectors`);
  explain(`Deduction for integrity space: ${reservation} sectors`);
  const left = sectors(size - DEFAULT_BDA_EXTENDED_SIZE - reservation);
  if (left < 0n) throw new ToolError("Some device sizes too small for DM metadata.");
  explain(`Size after deductions: ${left} sectors`);
  return left;
}

/** `explain` is told how the result comes about. Throws ToolError when the devices are too small for what is planned. */
export function predictPool(
  plan: PlannedPool,
  explain: (text: string) => void = () => undefined,
): PoolPrediction {
  const filesystems = predictFilesystems(plan.filesystemSizes, plan.overprovisioned);
  const devices = plan.deviceSizes.map(bytesToSectors);
  const total = sumSectors(devices);
  const onDevices = sumSectors(devices.map((size) => dataSpace(size, plan.integrity, explain)));
  const usable = sectors(onDevices - CRYPT_META_SECTORS);
  const tooSmall = new ToolError("Sum of all device sizes too small for a Stratis pool.");
  if (usable < 0n) throw tooSmall;
  const adminSpace = sectors(2n * thinMetaSize(usable, DEFAULT_FS_LIMIT) + MDV_SECTORS);
  const room = usable - adminSpace;
  if (room < 0n) throw tooSmall;
  const free = sectors(room - filesystems);
  if (free < 0n) throw new ToolError("Filesystems will take up too much space on specified pool.");
  return {
    total,
    used: sectors(total - free),
    free,
    adminSpace,
    metadataSpace: sectors(total - usable),
  };
}

const inBytes = (size: Sectors): string => (size * SECTOR_BYTES).toString();

/** One line of JSON; sizes in bytes, as strings, because they may be beyond what numbers of JSON hold exactly. */
export const filesystemsJson = (used: Sectors): string => JSON.stringify({ used: inBytes(used) });

export function poolJson({ total, used, free, adminSpace, metadataSpace }: PoolPrediction): string {
  return JSON.stringify({
    free: inBytes(free),
    "stratis-admin-space": inBytes(adminSpace),
    "stratis-metadata-space": inBytes(metadataSpace),
    total: inBytes(total),
    used: inBytes(used),
  });
}
