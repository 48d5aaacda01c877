/** Opening the devices of an encrypted V1 pool, before its metadata can be read (encryption.md §15.1, engine.md §10.2). */
import { formatDeviceNumber, type DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import { dmPath, listDmDevices } from "../../../dm/operations";
import { memberRecords } from "../../../disk/pool-record";
import { logger } from "../../../log";
import { ChainedError, EngineError, errorText } from "../../errors";
import type { UndoStack } from "../../undo";
import type { DeviceCrypt } from "../crypt/device-crypt";
import { legacyInfo } from "../crypt/legacy-info";
import type { Unlock } from "../crypt/request";
import { readFound } from "./found";
import { newestRecord } from "./newest-record";
import { describePool, isMixture, lockedDevices, type LiminalPool } from "./liminal";
import { isUncommitted, warnOfUncommitted } from "./uncommitted";

const log = logger("stratisd::engine::discovery");

/**
 * Makes sure that all devices of the pool are open; `undo` closes those that were opened here. `start`: on request, for
 * which alone a device is unlocked. Throws EngineError with the reason why that can't be.
 */
export async function unlockDevices(
  pool: LiminalPool,
  { start, unlock }: { start: boolean; unlock: Unlock },
  undo: UndoStack,
): Promise<void> {
  if (isMixture(pool))
    throw new EngineError(
      "All devices in a pool must be either encrypted or unencrypted; found a mixture of both",
    );
  if (pool.luks.size === 0) {
    await requireUnencrypted(pool, unlock);
    return;
  }
  if (start && unlock.method === null)
    throw new EngineError(`Pool with UUID ${pool.uuid} is encrypted but no unlock method was provided`);
  await dropStrangers(pool);
  const locked = lockedDevices(pool);
  if (locked.length > 0 && !start) {
    describeLocked(pool);
    throw new EngineError(`waiting to be unlocked: ${locked.map(({ container }) => container).join(", ")}`);
  }
  const failed: { device: DeviceCrypt; error: unknown }[] = [];
  const nothingHelps = (): boolean => failed.length === locked.length && agree(pool);
  for (const device of locked)
    try {
      await openDevice(pool, device, unlock, undo);
    } catch (error) {
      failed.push({ device, error });
      // A passphrase may be that of later devices.
      if (device === locked[0] && agree(pool) && unlock.passphrase === null) throw error;
    }
  for (const { device, error } of failed) {
    if (nothingHelps()) throw error;
    await openByItsOwn(pool, device, error, undo);
  }
}

/** The mapping that an earlier daemon has left of a device, when it can't be made readable now. */
export async function unreadableMapping(device: DeviceCrypt): Promise<DeviceNumber | null> {
  try {
    await device.mendIfOpen();
    return null;
  } catch (error) {
    log.warn(
      `The re-encryption of ${device.container} was interrupted in the middle of a piece, which can't be brought to its ` +
        `end before the pool is started with what opens it: ${errorText(error)}`,
    );
    return await device.mappingNumber();
  }
}

function agree({ luks }: LiminalPool): boolean {
  const { keyDescription, clevis } = legacyInfo([...luks.values()]);
  return keyDescription.consistent && clevis.consistent;
}

/**
 * A change of unlock methods that was interrupted by a power cut leaves devices that differ in them: who has what opens
 * one of them opens the others by what they are bound to.
 */
async function openByItsOwn(
  pool: LiminalPool,
  device: DeviceCrypt,
  error: unknown,
  undo: UndoStack,
): Promise<void> {
  try {
    await openDevice(pool, device, { method: "any", passphrase: null }, undo);
    log.warn(
      `${device.container} was not opened as asked for, but by what it is bound to: ${errorText(error)}`,
    );
  } catch (own) {
    throw new EngineError(`${errorText(error)}; nor by what it is bound to: ${errorText(own)}`);
  }
}

/**
 * Locked devices of which a pool, all of whose devices are open, knows nothing: they were being added when that was
 * interrupted. Those that can be looked into, and have nothing of the pool inside, are free again.
 */
async function dropStrangers(pool: LiminalPool): Promise<void> {
  const locked = lockedDevices(pool);
  if (locked.length === 0 || pool.devices.size === 0) return;
  const newest = await newestRecord([...pool.devices.values()]);
  if (newest === null || memberRecords(newest.record).some(({ uuid }) => !pool.devices.has(uuid))) return;
  for (const device of locked) {
    pool.luks.delete(device.devUuid);
    if (!(await freed(device, newest.record.name)))
      log.warn(
        `${device.container} says that it belongs to ${describePool(pool)}, whose metadata does not name it`,
      );
  }
}

async function freed(device: DeviceCrypt, poolName: string): Promise<boolean> {
  try {
    const wasOpen = (await device.mappingNumber()) !== null;
    const number = await device.open({ method: "any", passphrase: null });
    const found = await readFound(dmPath(number), number);
    if (found !== null && !isUncommitted(found)) {
      if (!wasOpen) await device.close();
      return false;
    }
    await device.wipe();
    warnOfUncommitted(device.container, poolName);
    return true;
  } catch (error) {
    log.warn(`${device.container} can't be looked into, or not be freed: ${errorText(error)}`);
    return false;
  }
}

/** Name of a pool, as far as its locked devices agree on one. */
function describeLocked(pool: LiminalPool): void {
  const found = new Set([...pool.luks.values()].map(({ poolName }) => poolName));
  pool.name = found.size === 1 ? ([...found][0] ?? null) : null;
  pool.features = null;
}

async function requireUnencrypted(pool: LiminalPool, unlock: Unlock): Promise<void> {
  const legacy = [...pool.devices].filter(([, { header }]) => header.version === 1);
  if (legacy.length === 0) return;
  if (unlock.method !== null || unlock.passphrase !== null)
    throw new EngineError(
      `Pool with UUID ${pool.uuid} is not encrypted but an unlock method or passphrase was provided`,
    );
  const live = await listDmDevices();
  for (const [uuid, { path, number }] of legacy) {
    const mapping = live.get(names.v1Crypt(uuid));
    if (mapping !== undefined && formatDeviceNumber(mapping) === formatDeviceNumber(number))
      throw new EngineError(`waiting for the encrypted device that ${path} is on`);
  }
}

async function openDevice(
  pool: LiminalPool,
  device: DeviceCrypt,
  unlock: Unlock,
  undo: UndoStack,
): Promise<void> {
  const { container, devUuid } = device;
  try {
    const wasOpen = (await device.mappingNumber()) !== null;
    const number = await device.open(unlock);
    if (!wasOpen)
      undo.push(`close ${container}`, async () => {
        await device.close();
        pool.devices.delete(devUuid);
      });
    const found = await readFound(dmPath(number), number);
    if (found === null) {
      // Its initialization was interrupted: whether the pool needs it is for the pool's record to say.
      log.warn(`${container} of ${describePool(pool)} has no Stratis header inside; it is left out`);
      if (!wasOpen) await device.close();
      pool.luks.delete(devUuid);
      return;
    }
    if (found.header.poolUuid !== device.poolUuid || found.header.devUuid !== devUuid)
      throw new EngineError(
        `inside it is device ${found.header.devUuid} of pool ${found.header.poolUuid}, where its token says device ` +
          `${devUuid} of pool ${device.poolUuid}`,
      );
    pool.devices.set(devUuid, found);
  } catch (error) {
    throw new ChainedError(`Failed to unlock ${container}`, error);
  }
}

/** Forgets mappings that are not there any more: their devices are locked. */
export async function forgetClosed(pool: LiminalPool): Promise<void> {
  const live = await listDmDevices();
  for (const [uuid, { mapping }] of pool.luks) if (!live.has(mapping)) pool.devices.delete(uuid);
}
