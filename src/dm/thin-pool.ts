/** The thin-pool target (devicemapper.md §1.12; the kernel's admin-guide/device-mapper/thin-provisioning). */
import type { DmTargetLine } from "../native";
import { dataBlocks, metaBlocks, sectors, type DataBlocks, type MetaBlocks, type Sectors } from "../units";
import { deviceNumbersEqual, formatDeviceNumber, type DeviceNumber } from "./device-number";
import { failureStatus, Params, requireStartAtZero } from "./params";

export interface ThinPoolTable {
  /** Of the data device. */
  length: Sectors;
  metaDevice: DeviceNumber;
  dataDevice: DeviceNumber;
  blockSize: Sectors;
  /** The kernel raises an event when no more blocks than this are free. */
  lowWater: DataBlocks;
  /** In any order. */
  features: string[];
}

const TYPE = "thin-pool";

export function printThinPoolTable(table: ThinPoolTable): DmTargetLine {
  const words = [
    formatDeviceNumber(table.metaDevice),
    formatDeviceNumber(table.dataDevice),
    table.blockSize,
    table.lowWater,
    table.features.length,
    ...table.features,
  ];
  return { start: 0n, length: table.length, type: TYPE, params: words.join(" ") };
}

/** Throws DmFormatError. */
export function parseThinPoolTable(line: DmTargetLine): ThinPoolTable {
  const params = new Params(line, TYPE);
  requireStartAtZero(params, line);
  const table = {
    length: sectors(line.length),
    metaDevice: params.device("the metadata device"),
    dataDevice: params.device("the data device"),
    blockSize: sectors(params.number("the block size")),
    lowWater: dataBlocks(params.number("the low water mark")),
    features: params.counted("feature arguments"),
  };
  params.end();
  return table;
}

/** Same mapping. Low water mark and features are left out: they change in a running pool (devicemapper.md §1.11). */
export function thinPoolTablesEquivalent(a: ThinPoolTable, b: ThinPoolTable): boolean {
  return (
    a.length === b.length &&
    deviceNumbersEqual(a.metaDevice, b.metaDevice) &&
    deviceNumbersEqual(a.dataDevice, b.dataDevice) &&
    a.blockSize === b.blockSize
  );
}

export type ThinPoolStatus =
  | {
      kind: "working";
      /** Stratis leaves it at 0. */
      transactionId: bigint;
      usedMeta: MetaBlocks;
      totalMeta: MetaBlocks;
      usedData: DataBlocks;
      totalData: DataBlocks;
      /** "ro" also when metadata space has run out. */
      mode: "rw" | "ro" | "out_of_data_space";
      /** What happens to writes that need space when there is none. */
      noSpace: "error" | "queue";
      needsCheck: boolean;
      /** null: kernel before 4.19. */
      metaLowWater: MetaBlocks | null;
    }
  /** The pool has failed: all I/O to it is refused. */
  | { kind: "fail" }
  /** The kernel could not tell. */
  | { kind: "error" };

const MODES = ["rw", "ro", "out_of_data_space"] as const;
const DISCARD_MODES = ["discard_passdown", "no_discard_passdown", "ignore_discard"] as const;
const NO_SPACE_MODES = ["error_if_no_space", "queue_if_no_space"] as const;

/** Throws DmFormatError for what is neither a full status nor one of the kernel's two replacements for it. */
export function parseThinPoolStatus(line: DmTargetLine): ThinPoolStatus {
  const params = new Params(line, TYPE);
  const failure = failureStatus(params);
  if (failure !== null) return failure;
  const transactionId = params.number("the transaction id");
  const [usedMeta, totalMeta] = params.fraction("the use of metadata blocks");
  const [usedData, totalData] = params.fraction("the use of data blocks");
  if (params.peek() === "-") params.word("the held metadata root");
  else params.number("the held metadata root");
  const mode = params.oneOf("the mode", MODES);
  params.oneOf("the discard mode", DISCARD_MODES);
  const noSpace = params.oneOf("the mode when out of space", NO_SPACE_MODES);
  const needsCheck = params.oneOf("the needs_check flag", ["needs_check", "-"]) === "needs_check";
  // Later kernels may append more words; none of those known so far do.
  const metaLowWater = params.remaining > 0 ? metaBlocks(params.number("the metadata low water mark")) : null;
  return {
    kind: "working",
    transactionId,
    usedMeta: metaBlocks(usedMeta),
    totalMeta: metaBlocks(totalMeta),
    usedData: dataBlocks(usedData),
    totalData: dataBlocks(totalData),
    mode,
    noSpace: noSpace === "error_if_no_space" ? "error" : "queue",
    needsCheck,
    metaLowWater,
  };
}
