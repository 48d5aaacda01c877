/** Pools as files that stand for disks: headers and records, and holes for the rest. */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { TestContext } from "node:test";
import { initializeDevice, saveMetadata } from "../../../../src/disk/bda";
import { encodePoolRecord, type PoolRecord } from "../../../../src/disk/pool-record";
import {
  DEFAULT_BDA_EXTENDED_SIZE as BDA_SECTORS,
  type StaticHeader,
} from "../../../../src/disk/static-header";
import { newDeviceRecord, newPoolRecord } from "../../../../src/engine/real/backstore/allocation";
import { newCacheTier } from "../../../../src/engine/real/backstore/cache";
import { validateIntegrity } from "../../../../src/engine/validation";
import type { UdevDevice } from "../../../../src/native";
import { newDevUuid, newPoolUuid, type DevUuid, type PoolUuid } from "../../../../src/uuid";
import { RegularBlockFile } from "../../support/block-file";
import { newHeader } from "./pools";

const SECTORS = 3n * 2n * 1024n * 1024n;
/** No device has it, so that a kernel that has device-mapper makes nothing of such devices. */
const MAJOR = 511;
let minors = 1_000_000;

export interface ImageDevice {
  path: string;
  header: StaticHeader;
  number: { major: number; minor: number };
}
export interface ImagePool {
  uuid: PoolUuid;
  record: PoolRecord;
  /** Those of the data tier first. */
  devices: ImageDevice[];
}

export function imageFolder(context: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "stratis-images-"));
  context.after(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

const nextNumber = (): ImageDevice["number"] => ({ major: MAJOR, minor: (minors += 1) });

export async function onImage<T>(at: string, work: (file: RegularBlockFile) => Promise<T>): Promise<T> {
  const file = await RegularBlockFile.open(at);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function newImage(at: string, pool: PoolUuid, version: 1 | 2): Promise<ImageDevice> {
  writeFileSync(at, "");
  truncateSync(at, Number(SECTORS * 512n));
  const header = { ...newHeader(SECTORS, newDevUuid()), poolUuid: pool, version };
  await onImage(at, (file) => initializeDevice(file, header));
  return { path: at, header, number: nextNumber() };
}

/** Saves a record on devices, as of so many seconds. */
export async function saveOn(devices: ImageDevice[], record: PoolRecord, seconds: bigint): Promise<void> {
  for (const { path: at, header } of devices)
    await onImage(at, (file) =>
      saveMetadata(file, header, { seconds, nanoseconds: 0 }, encodePoolRecord(record)),
    );
}

interface Wanted {
  /** Numbers of devices. */
  data?: number;
  cache?: number;
  started?: boolean;
  version?: 1 | 2;
}

/** A pool that was stopped, unless it is said to be started, with its record saved at second 1. */
export async function makePool(
  folder: string,
  name: string,
  { data = 1, cache = 0, started = false, version = 2 }: Wanted = {},
): Promise<ImagePool> {
  const uuid = newPoolUuid();
  const make = (count: number, what: string): Promise<ImageDevice[]> =>
    Promise.all(
      Array.from({ length: count }, (_, index) =>
        newImage(path.join(folder, `${name}-${what}${index}`), uuid, version),
      ),
    );
  const [dataDevices, cacheDevices] = [await make(data, "data"), await make(cache, "cache")];
  const headers = new Map<DevUuid, StaticHeader>(
    [...dataDevices, ...cacheDevices].map(({ header }) => [header.devUuid, header]),
  );
  const integrity = version === 1 ? null : validateIntegrity({});
  const dataHeaders = new Map([...headers].slice(0, data));
  const plain = newPoolRecord(
    name,
    dataDevices.map(({ header }) => newDeviceRecord(header, integrity, null)),
    dataHeaders,
    integrity,
  );
  const members = cacheDevices.map(({ header }) => ({
    uuid: header.devUuid,
    integrityMetaAllocations: [],
    userInfo: null,
    hardwareInfo: null,
  }));
  const record = {
    ...plain,
    cacheTier: cache === 0 ? null : newCacheTier(members, headers),
    started,
  };
  await saveOn(dataDevices, record, 1n);
  return { uuid, record, devices: [...dataDevices, ...cacheDevices] };
}

/** Headers and records of one onto another; the rest is holes. */
export function copyContent(from: string, to: string): void {
  const content = Buffer.alloc(Number(BDA_SECTORS * 512n));
  const file = openSync(from, "r");
  readSync(file, content, 0, content.length, 0);
  closeSync(file);
  writeFileSync(to, content);
  truncateSync(to, Number(SECTORS * 512n));
}

/** A raw copy of a device, as another disk. */
export function copyOf({ path: at, header }: ImageDevice): ImageDevice {
  const copy = `${at}-copy`;
  copyContent(at, copy);
  return { path: copy, header, number: nextNumber() };
}

/** What udev tells of it. */
export function eventOf(
  action: "add" | "change" | "remove",
  { path: devnode, number }: Pick<ImageDevice, "path" | "number">,
  properties: Record<string, string> = { ID_FS_TYPE: "stratis" },
): UdevDevice {
  return { action, devnode, ...number, initialized: true, properties } as UdevDevice;
}
