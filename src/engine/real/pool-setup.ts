/**
 * Setting up a pool from its devices: after a boot, or over what a previous daemon left running (devicemapper.md
 * §2.8). A failure removes what was made here, and touches nothing that was live before.
 */
import { checkPoolRecord, memberRecords, type PoolRecord } from "../../disk/pool-record";
import type { Timestamp } from "../../disk/mda";
import { SIGBLOCK_FLAG, type StaticHeader } from "../../disk/static-header";
import type { DeviceNumber } from "../../dm/device-number";
import * as names from "../../dm/names";
import { dmPath, listDmDevices, removeDmDevice } from "../../dm/operations";
import { logger } from "../../log";
import type { DevUuid, PoolUuid } from "../../uuid";
import { EngineError, errorText } from "../errors";
import { withUndo, type UndoStack } from "../undo";
import { deviceAllocator, deviceInUse } from "./backstore/allocation";
import { requireAllTaken } from "./backstore/cache";
import { layoutOf, type Layout } from "./backstore/layout";
import type { BackstoreNumbers } from "./backstore/stack";
import { MetadataStore } from "./backstore/metadata-store";
import type { RealBlockDev } from "./blockdev";
import { PoolCore } from "./core";
import { formerPlace, isEncrypted, judgeLayer, needsNoSecret, type FoundLayer } from "./crypt/found-layer";
import { DeviceCrypts } from "./crypt/device-crypts";
import { describeDisagreement } from "./crypt/legacy-info";
import { PoolCrypt } from "./crypt/pool-crypt";
import type { Unlock } from "./crypt/request";
import { finishGrowth } from "./device-operations";
import { recordReencryption, removeLayer } from "./in-place";
import { mendOrigins, setUpFilesystems } from "./filesystem-setup";
import { confirmMembers, tierSectorSizes } from "./members";
import { MetadataVolume } from "./thinpool/mdv";
import { DATA_LOW_WATER, PoolStack, type FoundBackstore } from "./thinpool/stack";
import { inErrorMode, withErrorMode } from "./thinpool/extension";
import { ThinDevices } from "./thinpool/thin-devices";
import type { LinkNotifier } from "./uevent";

const log = logger("stratisd::engine::setup");

export interface FoundPool {
  uuid: PoolUuid;
  record: PoolRecord;
  /** Of the copy that `record` was read from. */
  time: Timestamp;
  /** Exactly the devices that the record names. */
  devices: Map<DevUuid, RealBlockDev>;
  /** How an encrypted pool is opened. */
  unlock: Unlock;
}

/** `formerCache`: devices that the record on disk still names as its cache, and `found.record` does not. */
export async function setUpPool(
  found: FoundPool,
  links: LinkNotifier,
  formerCache: readonly RealBlockDev[] = [],
): Promise<PoolCore> {
  const { record } = found;
  const headers = new Map([...found.devices].map(([uuid, device]) => [uuid, device.header]));
  const layout = layoutOf(headers);
  requireSound(record, headers);
  const core = await withUndo(async (undo) => {
    const assembled = await assemble(found, layout, links, undo);
    if (formerCache.length > 0) await recordWithoutCache(assembled, formerCache);
    return assembled;
  });
  await releaseCache(core, formerCache);
  await completeSetUp(core, found);
  return core;
}

/** Before any device is made by the record's numbers: throws where they can't be those of a pool on these devices. */
export function requireSound(record: PoolRecord, headers: ReadonlyMap<DevUuid, StaticHeader>): void {
  checkPoolRecord(record, layoutOf(headers).version);
  // Throws for segments that overlap or reach beyond their device.
  for (const device of memberRecords(record)) deviceAllocator(record, headers, device);
  if (record.cacheTier !== null) requireAllTaken(record.cacheTier, headers);
}

/**
 * The record that names no cache is the end of it. The devices are marked before, so that those which are not wiped
 * any more are wiped at the next start, instead of being taken for strangers.
 */
async function recordWithoutCache(core: PoolCore, formerCache: readonly RealBlockDev[]): Promise<void> {
  for (const device of formerCache) await device.writeFlags(SIGBLOCK_FLAG.joining);
  await core.save({ ...core.record, started: true });
}

async function releaseCache(core: PoolCore, formerCache: readonly RealBlockDev[]): Promise<void> {
  for (const device of formerCache)
    try {
      await device.wipe();
    } catch (error) {
      log.warn(
        `${device.physicalPath} is not a cache device of pool "${core.name}" any more, but could not be wiped: ` +
          errorText(error),
      );
    }
}

async function assemble(
  found: FoundPool,
  layout: Layout,
  links: LinkNotifier,
  undo: UndoStack,
): Promise<PoolCore> {
  const { uuid, devices } = found;
  const store = new MetadataStore(found.time);
  const stack = new PoolStack(uuid, devices, layout);
  await requireOpenable(found, layout);
  const below = await stack.backstore.ensure(found.record, undo);
  const { layer, backstore } = await openLayer(found, layout, below, undo);
  const mdvDevice = await stack.ensureMdv(layer.record, backstore, undo);
  const mdv = await MetadataVolume.mount(uuid, dmPath(mdvDevice));
  undo.push("unmount the metadata volume", () => mdv.unmount());
  const records = await mdv.readAll();
  const { record, thinMeta } = await stack.checkedThinMeta(layer.record, backstore, undo, async (swapped) => {
    await store.save(
      swapped.dataTier.devices.flatMap((device) => devices.get(device.uuid) ?? []),
      swapped,
    );
  });
  const thinData = await stack.ensureThinData(record, backstore, undo);
  const thinPool = await stack.ensureThinPool(record, { thinMeta, thinData }, DATA_LOW_WATER, undo);
  const core = new PoolCore({
    uuid,
    record,
    devices,
    store,
    stack,
    numbers: { ...below, cap: backstore.cap, thinMeta, thinData, mdv: mdvDevice, thinPool },
    mdv,
    thin: new ThinDevices(uuid, thinPool),
    links,
    crypt: layer.crypt,
  });
  await settleLayer(core, layer, found.record);
  if (![core.dataDevices(), core.cacheDevices()].every((tier) => sectorSizesAgree(core, tier)))
    core.restriction = "no_pool_changes";
  const disagreement = describeDisagreement(core.deviceCrypts());
  if (disagreement !== null) log.warn(`Pool "${core.name}": ${disagreement}`);
  await core.refreshStatus();
  await setUpFilesystems(core, records);
  return core;
}

/** Before any device is made: a pool that nobody unlocks now waits as it is. */
async function requireOpenable({ uuid, record, unlock, devices }: FoundPool, layout: Layout): Promise<void> {
  if (layout.encrypts === "devices") return;
  if (!isEncrypted(record)) {
    if (unlock.passphrase !== null)
      throw new EngineError(
        `Pool with UUID ${uuid} is not encrypted but an unlock method or passphrase was provided`,
      );
    return;
  }
  if (unlock.method === null && unlock.passphrase !== null)
    throw new EngineError("Metadata reported that encryption enabled but no unlock method was provided");
  if (unlock.method !== null || (await listDmDevices()).has(names.v2Crypt(uuid))) return;
  if (!(await needsNoSecret(record, devices))) throw new EngineError("No unlock mechanism was provided");
}

/** The encrypted layer of a V2 pool, opened, or that it has none; and what the flex devices are cut from. */
async function openLayer(
  { uuid, record, unlock }: FoundPool,
  layout: Layout,
  below: BackstoreNumbers,
  undo: UndoStack,
): Promise<{ layer: FoundLayer; backstore: FoundBackstore }> {
  if (layout.encrypts === "devices")
    return { layer: { crypt: null, leftover: null, record }, backstore: below };
  const { container } = below;
  await PoolCrypt.recover(uuid, container);
  const header = await PoolCrypt.load(uuid, container);
  await header?.complete();
  const layer = judgeLayer(record, header);
  const { crypt, leftover } = layer;
  const live = (await header?.mappingNumber()) ?? null;
  if (crypt === null) {
    const former = formerPlace(layer, container, leftover === null ? null : live);
    return { layer, backstore: former === undefined ? below : { ...below, former } };
  }
  let cap: DeviceNumber;
  try {
    cap = await crypt.open(unlock, container);
  } catch (error) {
    // Recovering the last piece of a decryption is the end of it, and then there is nothing to open.
    if (live === null && (await crypt.refresh()) && crypt.stage === "decrypted")
      return { layer: judgeLayer(record, crypt), backstore: below };
    throw error;
  }
  if (live === null)
    undo.push("close the encrypted device", async () => {
      await removeDmDevice(names.v2Crypt(uuid));
      await crypt.forgetVolumeKey();
    });
  const former = formerPlace(layer, container, cap);
  return { layer, backstore: { ...below, cap, ...(former === undefined ? {} : { former }) } };
}

/** Makes header and record what the pool's devices are by now, after an operation in place that was interrupted. */
async function settleLayer(
  core: PoolCore,
  { crypt, leftover, record }: FoundLayer,
  found: PoolRecord,
): Promise<void> {
  if (leftover !== null) {
    log.info(`Pool "${core.name}" is not encrypted (any more): taking its LUKS2 header away`);
    await removeLayer(core, leftover, async () => {
      if (isEncrypted(found)) await core.save({ ...core.record, started: true });
    });
    return;
  }
  if (crypt === null) {
    const devices = core.deviceCrypts();
    if (devices.length > 0) await new DeviceCrypts(devices).settleMark(() => recordReencryption(core));
    return;
  }
  // Also where the record was written, and the header put back after that.
  const features = new Set(found.features);
  const differ =
    crypt.features.length !== features.size || crypt.features.some((name) => !features.has(name));
  if (record !== found || (differ && crypt.pending === null))
    await core.save({ ...core.record, started: true });
  await crypt.settleMark(() => recordReencryption(core));
}

/** Unused devices with larger sectors than the used ones would make the pool unusable once they were used. */
function sectorSizesAgree(core: PoolCore, members: readonly RealBlockDev[]): boolean {
  if (members.length === 0) return true;
  const unused = members.filter((device) => !deviceInUse(core.record, device.uuid));
  const { logical, physical } = tierSectorSizes(
    core,
    unused.length < members.length ? members : members.slice(0, 1),
  );
  const agree = unused.every(
    ({ sectorSizes }) => sectorSizes.logical <= logical && sectorSizes.physical <= physical,
  );
  if (!agree)
    log.warn(`Pool "${core.name}" has devices of larger sector sizes than those in use; it can't be changed`);
  return agree;
}

/** What comes after the pool runs: failures here are logged, and made up for at the next set-up. */
async function completeSetUp(core: PoolCore, found: FoundPool): Promise<void> {
  try {
    await mendOrigins(core);
    await modernizeRecord(core, found.record);
    for (const device of core.dataDevices())
      if ((device.header.flags & SIGBLOCK_FLAG.growing) !== 0n) await finishGrowth(core, device);
    await confirmMembers([...core.devices.values()].filter((device) => device.header.flags !== 0n));
    for (const device of core.deviceCrypts())
      if (device.poolName !== core.name && device.pending === null) await device.setPoolName(core.name);
  } catch (error) {
    log.warn(
      `Pool "${core.name}" runs, but its metadata could not be brought up to date: ${errorText(error)}`,
    );
  }
  await core.announceLinks();
}

/** Older versions did not record all of it; a pool that runs is recorded as started. */
async function modernizeRecord(core: PoolCore, found: PoolRecord): Promise<void> {
  const { thinPool } = found;
  const complete = thinPool.fsLimit !== null && thinPool.featureArgs !== null && found.started === true;
  if (complete || core.restriction === "no_pool_changes") return;
  let record: PoolRecord = { ...core.record, started: true };
  if (thinPool.fsLimit === null) {
    const count = BigInt(core.allRecords().length);
    record = { ...record, thinPool: { ...record.thinPool, fsLimit: count > 100n ? count : 100n } };
  }
  if (thinPool.featureArgs === null && inErrorMode(record)) {
    await core.reshape(withErrorMode(record, false), "waits for space when it is full");
    return;
  }
  await core.save(record);
}
