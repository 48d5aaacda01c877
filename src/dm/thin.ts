/** The thin target: one thinly provisioned device of a thin pool (devicemapper.md §1.12). */
import type { DmTargetLine } from "../native";
import { sectors, type Sectors } from "../units";
import { deviceNumbersEqual, formatDeviceNumber, type DeviceNumber } from "./device-number";
import { failureStatus, Params, requireStartAtZero } from "./params";

export interface ThinTable {
  /** Logical size. */
  length: Sectors;
  pool: DeviceNumber;
  /** 0 to 2^24 - 1 */
  thinId: number;
}

const TYPE = "thin";
const MAX_THIN_ID = 2 ** 24 - 1;

/** Throws RangeError for an id that the pool can't have. */
export function printThinTable({ length, pool, thinId }: ThinTable): DmTargetLine {
  if (!Number.isInteger(thinId) || thinId < 0 || thinId > MAX_THIN_ID)
    throw new RangeError(`${thinId} is not a thin device id, which has 24 bits`);
  return { start: 0n, length, type: TYPE, params: `${formatDeviceNumber(pool)} ${thinId}` };
}

/** Throws DmFormatError, also for a thin device with an external origin: Stratis makes none. */
export function parseThinTable(line: DmTargetLine): ThinTable {
  const params = new Params(line, TYPE);
  requireStartAtZero(params, line);
  const pool = params.device("the pool");
  const thinId = params.number("the thin id");
  if (thinId > BigInt(MAX_THIN_ID)) params.fail(`the thin id ${thinId} has more than 24 bits`);
  params.end();
  return { length: sectors(line.length), pool, thinId: Number(thinId) };
}

export const thinTablesEqual = (a: ThinTable, b: ThinTable): boolean =>
  a.length === b.length && deviceNumbersEqual(a.pool, b.pool) && a.thinId === b.thinId;

export type ThinStatus =
  | { kind: "working"; mapped: Sectors }
  /** The pool has failed. */
  | { kind: "fail" }
  /** The kernel could not tell. */
  | { kind: "error" };

/** Throws DmFormatError. */
export function parseThinStatus(line: DmTargetLine): ThinStatus {
  const params = new Params(line, TYPE);
  const failure = failureStatus(params);
  if (failure !== null) return failure;
  // A lone dash: the kernel has no handle of the thin device in the pool's metadata.
  if (params.peek() === "-" && params.remaining === 1) return { kind: "error" };
  const mapped = params.number("the number of mapped sectors");
  if (params.peek() === "-") params.word("the highest mapped sector");
  else params.number("the highest mapped sector");
  params.end();
  return { kind: "working", mapped: sectors(mapped) };
}
