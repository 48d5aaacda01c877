/** Golden pools as the space planning sees them: their records, and the headers of their devices. */
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { isJsonObject, parseJson, printJson } from "../../../../src/disk/json";
import { parsePoolRecord, type PoolRecord } from "../../../../src/disk/pool-record";
import type { StaticHeader } from "../../../../src/disk/static-header";
import { sectors } from "../../../../src/units";
import { devUuid, poolUuid, type DevUuid } from "../../../../src/uuid";
import { FIXTURES } from "../../disk/vectors";

interface DumpedHeader {
  version: 1 | 2;
  deviceSize: number;
  poolUuid: string;
  devUuid: string;
  mdaSize: number;
  reservedSize: number;
}

function headerOf(text: string): StaticHeader {
  const { header } = JSON.parse(text) as { header: DumpedHeader };
  return {
    deviceSize: sectors(BigInt(header.deviceSize)),
    version: header.version,
    poolUuid: poolUuid(header.poolUuid),
    devUuid: devUuid(header.devUuid),
    mdaSize: sectors(BigInt(header.mdaSize)),
    reservedSize: sectors(BigInt(header.reservedSize)),
    flags: 0n,
    initializationTime: 0n,
  };
}

export interface GoldenPool {
  record: PoolRecord;
  headers: Map<DevUuid, StaticHeader>;
}

/** The record on the first of the disks, with the headers of all. */
export function goldenPool(...disks: string[]): GoldenPool {
  const texts = disks.map((disk) => readFileSync(path.join(FIXTURES, "bda", `${disk}.json`), "utf8"));
  const headers = texts.map(headerOf);
  const dump = parseJson(texts[0] ?? "");
  if (!isJsonObject(dump) || dump["metadata"] === undefined) throw new Error(`${disks.join()}: no metadata`);
  return {
    record: parsePoolRecord(printJson(dump["metadata"])),
    headers: new Map(headers.map((header) => [header.devUuid, header])),
  };
}

/** A header of a device that is in no pool yet. */
export function newHeader(size: bigint, uuid: string): StaticHeader {
  return {
    deviceSize: sectors(size),
    version: 2,
    poolUuid: poolUuid("0b5c1a2e-9d3f-4c61-8a7b-2f4e6d8c0a13"),
    devUuid: devUuid(uuid),
    mdaSize: sectors(2032n),
    reservedSize: sectors(6144n),
    flags: 0n,
    initializationTime: 0n,
  };
}
