/** A record of the history. */
import type { HistoryRecord } from "../../../src/history/record";

export const RECORD: HistoryRecord = {
  time: "2026-11-28T09:30:15.123Z",
  uid: 0,
  pid: 4711,
  command: "stratis",
  left: false,
  interface: "org.storage.stratis3.Manager.r9",
  operation: "CreatePool",
  object: "pool data, block device /dev/sdb",
  pool: "data",
  poolUuid: "17101e39-e72e-423c-90d8-be5cb37c055b",
  result: "ok",
  error: null,
  durationMs: 153,
};
