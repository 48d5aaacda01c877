/**
 * Background checks, on device-mapper events and every ten seconds: growth of thin pools and of mounted filesystems
 * (engine.md §23.4).
 */
import * as names from "../../dm/names";
import { formatDeviceNumber } from "../../dm/device-number";
import { PUBLIC_DEVICE, reloadSteps, runDmSteps } from "../../dm/operations";
import { printThinTable } from "../../dm/thin";
import type { FilesystemRecord } from "../../disk/filesystem-record";
import { native } from "../../native";
import { logger } from "../../log";
import { minSectors, sectors, type Sectors } from "../../units";
import type { EngineChange, FilesystemProperty } from "../engine";
import { errorText, RollbackError, UndoFailedError } from "../errors";
import { growFilesystem } from "./commands";
import type { PoolCore } from "./core";
import type { RealFilesystem } from "./filesystem";
import { growthRoom } from "./filesystem-operations";
import { mountPoints } from "./mounts";
import { measuringGrowth, type Growth } from "../../metrics";
import { wasTakenBack } from "./taken-back";
import { inErrorMode, planDataExtension, planMetaExtension, type Plan } from "./thinpool/extension";

const log = logger("stratisd::engine::check");

type Grow = Extract<Plan, { kind: "grow" }>;

const grow = (core: PoolCore, { record, what }: Grow, counted: Growth): Promise<void> =>
  measuringGrowth(counted, () => core.reshape(record, `extended ${what}`));

async function carryOut(core: PoolCore, plan: Plan, counted: Growth): Promise<void> {
  if (plan.kind === "nothing") return;
  if (plan.kind === "grow") {
    await grow(core, plan, counted);
    return;
  }
  log.warn(`Pool "${core.name}" is out of space and cannot be extended: ${plan.why}`);
  if (inErrorMode(plan.record) !== inErrorMode(core.record))
    await core.reshape(plan.record, "switched to fail, not to wait, when it is full");
}

function planMetadata(core: PoolCore): Plan {
  if (core.outOfMetadataSpace) return { kind: "nothing" };
  return planMetaExtension(core.record, core.headers, core.status, core.logicalSizes());
}

/**
 * Runs `work`, which plans and extends something of the thin pool, if the pool takes changes: a failure before may have
 * been one that could not be taken back. Returns what `work` returns, and undefined where it did not or failed.
 */
async function attempted<T>(core: PoolCore, what: string, work: () => Promise<T>): Promise<T | undefined> {
  if (core.availability !== "fully_operational") return undefined;
  try {
    return await work();
  } catch (error) {
    log.warn(`Extending the thin-pool ${what} of pool "${core.name}" failed: ${errorText(error)}`);
    return undefined;
  }
}

/**
 * Both in one change, because a pool that is short of data is held up by each that comes before. False: it is not both
 * that are due, and nothing was done.
 */
async function extendBoth(core: PoolCore): Promise<boolean> {
  const metadata = planMetadata(core);
  if (metadata.kind !== "grow") return false;
  const data = planDataExtension(metadata.record, core.headers, core.status);
  if (data.kind !== "grow") return false;
  const both: Grow = { ...data, what: `${metadata.what}, and ${data.what}` };
  await measuringGrowth("metadata", () => grow(core, both, "data"));
  return true;
}

/**
 * Grows the thin pool as far as it needs and can, if it takes changes. Failures are logged; the next check tries again.
 */
export async function extendThinPool(core: PoolCore): Promise<void> {
  if ((await attempted(core, "metadata and data", () => extendBoth(core))) === true) return;
  await attempted(core, "metadata", async () => {
    const plan = planMetadata(core);
    if (plan.kind === "noSpace") core.outOfMetadataSpace = true;
    await carryOut(core, plan, "metadata");
  });
  await attempted(core, "data", () =>
    carryOut(core, planDataExtension(core.record, core.headers, core.status), "data"),
  );
}

/** A pool whose record no device took is one that can be changed again when a device takes it. */
async function tryToRecord(core: PoolCore): Promise<void> {
  try {
    await core.save(core.record);
    log.info(`The metadata of pool "${core.name}" can be saved again`);
  } catch (error) {
    log.warn(`The metadata of pool "${core.name}" still can't be saved: ${errorText(error)}`);
  }
}

/** Learns the thin pool's state, and grows it as far as it needs and can. */
export async function checkPool(core: PoolCore): Promise<void> {
  if (core.unrecordable) await tryToRecord(core);
  await core.refreshStatus({ atOnce: true });
  const { record } = core;
  await extendThinPool(core);
  // A pool that got another table has just written its metadata, and its writers have waited for that once.
  await core.refreshStatus({ atOnce: core.record !== record });
}

/** How much a mounted filesystem should grow: at half full it doubles, within its limit and the pool's room. */
async function growth(
  filesystem: RealFilesystem,
  mountPoint: string,
  room: Sectors | null,
): Promise<Sectors> {
  const { blocks, blocksFree } = await native().statFs(mountPoint);
  if (2n * (blocks - blocksFree) <= blocks) return sectors(0n);
  const { size, sizeLimit } = filesystem.record;
  let extension = size;
  if (sizeLimit !== null) extension = minSectors(extension, sectors(sizeLimit - size));
  if (room !== null) extension = minSectors(extension, room);
  return sectors(extension < 0n ? 0n : extension);
}

/** Throws UndoFailedError when it can't be told, because XFS that has grown would lose its end with a smaller device. */
async function hasGrown(mountPoint: string, oldBlocks: bigint, failed: unknown): Promise<boolean> {
  try {
    const { blocks } = await native().statFs(mountPoint);
    return blocks > oldBlocks;
  } catch (error) {
    throw new UndoFailedError(`Whether ${mountPoint} has grown is unknown`, [failed, error]);
  }
}

/**
 * Record first, then thin device, then XFS: a crash in between leaves a device that is larger than its XFS, never the
 * other way round, and the next growth covers both. So does a device that can't be made smaller again, of which the
 * record goes on to tell.
 */
async function growMounted(
  core: PoolCore,
  filesystem: RealFilesystem,
  mountPoint: string,
  by: Sectors,
): Promise<void> {
  const old = filesystem.record;
  const grown: FilesystemRecord = { ...old, size: sectors(old.size + by) };
  await core.saveFilesystem(filesystem, grown);
  try {
    const table = ({ size, thinId }: FilesystemRecord): [ReturnType<typeof printThinTable>] => [
      printThinTable({ length: size, pool: core.thin.poolDevice, thinId }),
    ];
    const name = names.thinFilesystem(core.uuid, filesystem.uuid);
    const resize = (from: FilesystemRecord, to: FilesystemRecord): Promise<unknown> =>
      runDmSteps(reloadSteps({ name, table: table(to), udevFlags: PUBLIC_DEVICE }, table(from)));
    const { blocks } = await native().statFs(mountPoint);
    await resize(old, grown);
    try {
      await growFilesystem(mountPoint);
    } catch (error) {
      if (!(await hasGrown(mountPoint, blocks, error))) {
        await resize(grown, old).catch((undo: unknown) => {
          throw new UndoFailedError("The device of the filesystem can't be made smaller again", [
            error,
            undo,
          ]);
        });
        throw error;
      }
      log.warn(`${mountPoint} has grown although the command for it failed: ${errorText(error)}`);
    }
  } catch (error) {
    if (!wasTakenBack(error)) throw new RollbackError(error, "its device stays larger", "no_pool_changes");
    await core.saveFilesystem(filesystem, old);
    throw error;
  }
  log.info(
    `Filesystem "${filesystem.name}" of pool "${core.name}" grew from ${old.size} to ${grown.size} sectors`,
  );
}

async function checkFilesystem(
  core: PoolCore,
  filesystem: RealFilesystem,
  mountPoint: string | undefined,
  room: Sectors | null,
): Promise<{ properties: FilesystemProperty[]; taken: Sectors }> {
  const before = { size: filesystem.record.size, used: filesystem.mapped };
  // A freeze for the swap of tables would wait for ever in a pool that can't write. In one whose last growth could not
  // be taken back, each further try would double the record's size.
  const writable = core.status?.kind === "working" && core.status.mode === "rw";
  const growable = writable && core.availability === "fully_operational";
  let taken = sectors(0n);
  try {
    if (mountPoint !== undefined && growable && filesystem.growthPause.isOver) {
      const by = await growth(filesystem, mountPoint, room);
      if (by > 0n) {
        await measuringGrowth("filesystem", () => growMounted(core, filesystem, mountPoint, by));
        filesystem.growthPause.forget();
        taken = by;
      }
    }
  } catch (error) {
    core.restrict(error);
    const seconds = filesystem.growthPause.begin() / 1000;
    log.warn(
      `Growing filesystem "${filesystem.name}" of pool "${core.name}" failed, and is not tried again for ${seconds} s: ` +
        errorText(error),
    );
  }
  filesystem.mapped = await core.thin.mapped(filesystem.uuid);
  const properties: FilesystemProperty[] = [];
  if (filesystem.record.size !== before.size) properties.push("size");
  if (filesystem.mapped !== before.used) properties.push("used");
  return { properties, taken };
}

/** Grows mounted filesystems that need it. Returns what clients see changed of them. */
export async function checkFilesystems(core: PoolCore): Promise<EngineChange[]> {
  const changes: EngineChange[] = [];
  if (core.filesystems.size === 0) return changes;
  const mounts = await mountPoints();
  let room = growthRoom(core);
  for (const filesystem of [...core.filesystems.values()]) {
    const mountPoint = mounts.get(formatDeviceNumber(filesystem.device));
    const { properties, taken } = await checkFilesystem(core, filesystem, mountPoint, room);
    if (room !== null) room = sectors(room - taken);
    if (properties.length > 0)
      changes.push({ change: "filesystem", pool: core.uuid, uuid: filesystem.uuid, properties });
  }
  return changes;
}
