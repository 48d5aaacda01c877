/**
 * Thin devices and the filesystems on them: creation, snapshots, removal, and finding what an interrupted operation
 * left in the thin pool (devicemapper.md §2.13).
 *
 * The record on the metadata volume is what makes a filesystem exist. It is written last on creation and removed
 * before the thin device is deleted on destruction; so a thin id that no record names is left over, and is deleted.
 */
import { mkdtemp, rmdir } from "node:fs/promises";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { FilesystemRecord } from "../../../disk/filesystem-record";
import { changeXfsUuid } from "../../../disk/xfs-uuid";
import type { DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import {
  createSteps,
  dmPath,
  dmStatusLine,
  ensureDmDevice,
  lastDevice,
  listDmDevices,
  PUBLIC_DEVICE,
  removeDmDevice,
  runDmSteps,
  sendDmMessage,
  type DmDeviceSpec,
} from "../../../dm/operations";
import { parseThinStatus, parseThinTable, printThinTable } from "../../../dm/thin";
import { native, type DmReply, type DmStep } from "../../../native";
import { logger } from "../../../log";
import type { Sectors } from "../../../units";
import type { FilesystemUuid, PoolUuid } from "../../../uuid";
import { ChainedError, EngineError, errorText } from "../../errors";
import type { UndoStack } from "../../undo";
import { withBlockFile } from "../block-file";
import { makeFilesystem, setXfsUuidByXfsDb } from "../commands";
import { NAMESPACE_MOUNTS, unmountWithRetries } from "../namespace";

const log = logger("stratisd::engine::filesystem");

/** Thin ids have 24 bits. */
const MAX_THIN_ID = 2 ** 24 - 1;
/** As many looks, as far apart, as the removal of a device takes attempts. */
const USE_ATTEMPTS = 5;
const USE_ATTEMPT_MS = 200;

/** The lowest id that no filesystem uses: ids are used again, so that they never run out. */
export function freeThinId(records: readonly FilesystemRecord[]): number {
  const used = new Set(records.map((record) => record.thinId));
  for (let id = 0; id <= MAX_THIN_ID; id += 1) if (!used.has(id)) return id;
  throw new EngineError(`All ${MAX_THIN_ID + 1} thin device ids of the pool are in use`);
}

/** The thin devices of one pool. */
export class ThinDevices {
  readonly #poolName: string;

  constructor(
    readonly pool: PoolUuid,
    readonly poolDevice: DeviceNumber,
  ) {
    this.#poolName = names.thinPool(pool);
  }

  #spec(record: FilesystemRecord): DmDeviceSpec {
    return {
      name: names.thinFilesystem(this.pool, record.uuid),
      table: [printThinTable({ length: record.size, pool: this.poolDevice, thinId: record.thinId })],
      udevFlags: PUBLIC_DEVICE,
    };
  }

  /** A device with the record's table: made, which `undo` takes back, or taken over from an earlier daemon. */
  async ensure(record: FilesystemRecord, undo?: UndoStack): Promise<DeviceNumber> {
    const spec = this.#spec(record);
    const { created, ...device } = await ensureDmDevice(spec, (live) => {
      const [line, ...others] = live;
      if (line?.type !== "thin" || others.length > 0) return "different";
      const table = parseThinTable(line);
      if (table.thinId !== record.thinId || table.pool.minor !== this.poolDevice.minor) return "different";
      // Shorter: the growth of the filesystem was interrupted after its record was saved.
      if (table.length > record.size) return "different";
      return table.length === record.size ? "same" : "reload";
    });
    if (created)
      undo?.push(`remove ${spec.name}`, async () => {
        await removeDmDevice(spec.name);
      });
    return device;
  }

  /** Adds an id to the pool, first removing what an earlier, failed operation may have left under it. */
  async #createId(message: string, id: number, undo: UndoStack): Promise<void> {
    if (!(await sendDmMessage(this.#poolName, message, ["EEXIST"]))) {
      log.warn(`Thin device ${id} of pool ${this.pool} belongs to no filesystem; deleting it`);
      await sendDmMessage(this.#poolName, `delete ${id}`);
      await sendDmMessage(this.#poolName, message);
    }
    undo.push(`delete thin device ${id}`, async () => {
      await this.deleteId(id);
    });
  }

  /** Resolves when the pool does not have the id (any more). */
  async deleteId(id: number): Promise<void> {
    await sendDmMessage(this.#poolName, `delete ${id}`, ["ENODATA"]);
  }

  /** A new thin device with an empty XFS whose UUID is the filesystem's. */
  async create(record: FilesystemRecord, undo: UndoStack): Promise<DeviceNumber> {
    await this.#createId(`create_thin ${record.thinId}`, record.thinId, undo);
    const device = lastDevice(await this.#activate(record, undo));
    await makeFilesystem(dmPath(device), record.uuid, record.size);
    return device;
  }

  /** `before`: what is done in the same go, so that udev is waited for once. Returns the kernel's replies. */
  async #activate(
    record: FilesystemRecord,
    undo: UndoStack,
    before: readonly DmStep[] = [],
  ): Promise<(DmReply | null)[]> {
    const spec = this.#spec(record);
    const replies = await runDmSteps([...before, ...createSteps(spec)]);
    undo.push(`remove ${spec.name}`, async () => {
      await removeDmDevice(spec.name);
    });
    return replies;
  }

  /**
   * A thin snapshot of `origin`, with the UUID of `record`. The origin is suspended (with flush and freeze) and resumed
   * in one go: whatever happens, its users don't hang.
   */
  async snapshot(origin: FilesystemRecord, record: FilesystemRecord, undo: UndoStack): Promise<DeviceNumber> {
    const { thinId, uuid } = record;
    // An id that a failed operation left would fail the message below, with the origin suspended.
    await this.deleteId(thinId);
    // Also when what fails comes after it was made.
    undo.push(`delete thin device ${thinId}`, async () => {
      await this.deleteId(thinId);
    });
    const name = names.thinFilesystem(this.pool, origin.uuid);
    const resume = { op: "resume", name, udevFlags: PUBLIC_DEVICE } as const;
    const message = `create_snap ${thinId} ${origin.thinId}`;
    const replies = await this.#activate(record, undo, [
      { request: { op: "suspend", name }, undo: [resume] },
      { request: { op: "message", name: this.#poolName, message } },
      { request: resume },
    ]);
    const device = lastDevice(replies);
    const maybeMounted = replies[0]?.device?.openCount !== 0;
    await giveUuid(dmPath(device), uuid, maybeMounted ? "replay" : "try");
    return device;
  }

  /** Gives the XFS on a thin device that nobody uses another UUID; nothing happens when it has that already. */
  giveUuid(device: DeviceNumber, uuid: FilesystemUuid): Promise<void> {
    return giveUuid(dmPath(device), uuid, "try");
  }

  /** Whether somebody holds the device open, and for longer than udev does when it looks at it. */
  async isInUse(uuid: FilesystemUuid): Promise<boolean> {
    const name = names.thinFilesystem(this.pool, uuid);
    for (let attempt = 1; ; attempt += 1) {
      const { device } = await native().dmCall({ op: "info", name });
      if (device === undefined || device.openCount === 0) return false;
      if (attempt === USE_ATTEMPTS) return true;
      await sleep(USE_ATTEMPT_MS);
    }
  }

  /** Removes the device of a filesystem; EBUSY, usually because it is mounted, leaves everything as it was. */
  async deactivate(uuid: FilesystemUuid): Promise<void> {
    await removeDmDevice(names.thinFilesystem(this.pool, uuid));
  }

  /** Mapped sectors; null when the device is failed or its status can't be read. */
  async mapped(uuid: FilesystemUuid): Promise<Sectors | null> {
    const name = names.thinFilesystem(this.pool, uuid);
    try {
      const status = parseThinStatus(await dmStatusLine(name));
      if (status.kind === "working") return status.mapped;
      log.warn(`Thin device ${name} has status ${status.kind}`);
    } catch (error) {
      log.warn(`Could not read the status of thin device ${name}: ${errorText(error)}`);
    }
    return null;
  }

  /**
   * Deletes thin devices that no record names: the ids below the greatest one in use, the next, and those of live
   * devices. An interrupted operation left them.
   */
  async sweep(records: readonly FilesystemRecord[]): Promise<void> {
    const known = new Set<string>(records.map((record) => record.uuid));
    const usedIds = new Set(records.map((record) => record.thinId));
    const candidates = new Set<number>();
    const greatest = records.reduce((max, record) => Math.max(max, record.thinId), -1);
    for (let id = 0; id <= greatest + 1; id += 1) if (!usedIds.has(id)) candidates.add(id);

    for (const name of (await listDmDevices()).keys()) {
      const parsed = names.parseThinFilesystemName(name);
      if (parsed?.pool !== this.pool || known.has(parsed.fs)) continue;
      const line = (await native().dmCall({ op: "table", name })).targets?.[0];
      const id = line?.type === "thin" ? parseThinTable(line).thinId : null;
      try {
        await removeDmDevice(name);
        log.warn(`Removed device ${name}, which an interrupted operation left: it belongs to no filesystem`);
        if (id !== null) candidates.add(id);
      } catch (error) {
        log.warn(`Device ${name} belongs to no filesystem, but can't be removed: ${errorText(error)}`);
        if (id !== null) candidates.delete(id);
      }
    }
    for (const id of candidates) if (!usedIds.has(id)) await this.#sweepId(id);
  }

  /** A thin pool that can't write now keeps what is left over, which is in nobody's way. */
  async #sweepId(id: number): Promise<void> {
    try {
      if (await sendDmMessage(this.#poolName, `delete ${id}`, ["ENODATA"]))
        log.warn(`Deleted thin device ${id} of pool ${this.pool}, which belonged to no filesystem`);
    } catch (error) {
      log.warn(`Could not see to it that pool ${this.pool} has no thin device ${id}: ${errorText(error)}`);
    }
  }
}

/**
 * Gives the XFS on `device`, a snapshot that nobody else uses yet, a UUID of its own.
 *
 * The quick way changes only what must change. It declines a log that is not clean, as that of a mounted origin is:
 * a mount under no UUID check replays it, then the quick way is tried once more. What it still declines is left to
 * xfs_db, which rewrites the log. `first`: "replay" where the log is hardly clean, because to try takes longer than to
 * replay nothing: udev looks anew at a device that was open for writing.
 */
async function giveUuid(device: string, uuid: FilesystemUuid, first: "try" | "replay"): Promise<void> {
  const change = (): Promise<"changed" | { fallback: string }> =>
    withBlockFile(device, { write: true, exclusive: true }, (file) => changeXfsUuid(file, uuid));
  if (first === "try") {
    const tried = await change();
    if (tried === "changed") return;
    log.debug(`Replaying the log of ${device}, because: ${tried.fallback}`);
  }
  await replayLog(device);
  const outcome = await change();
  if (outcome === "changed") return;
  log.info(`Setting the UUID of ${device} by xfs_db, because: ${outcome.fallback}`);
  await setXfsUuidByXfsDb(device, uuid);
}

async function replayLog(device: string): Promise<void> {
  const mountPoint = await mkdtemp(path.join(NAMESPACE_MOUNTS, "stratis_mp_"));
  try {
    await native().mount({ source: device, target: mountPoint, type: "xfs", data: "nouuid" });
    await unmountWithRetries(mountPoint);
  } catch (error) {
    throw new ChainedError(`Failed to replay the log of ${device}`, error);
  } finally {
    await rmdir(mountPoint).catch((error: unknown) => {
      log.warn(`Could not remove the mount point ${mountPoint}: ${errorText(error)}`);
    });
  }
}
