/**
 * The mapping of a LUKS2 device whose encryption, re-encryption or decryption in place was interrupted while it was in
 * use: by the death of the process, or by an error in the middle of a piece.
 *
 * While libcryptsetup works it puts devices of its own between the mapping and the container: the mapping is a linear
 * map of an "overlay", and that has dm-crypt's and linear lines for what is done and what is not, and, for the piece
 * that is being worked on, a line over a "hotzone", which is suspended until the piece is done. What is written to the
 * piece waits there, and is encrypted as if the piece was done already. So the piece has to be brought to its end
 * before the hotzone is resumed; then the mapping gets a table of its own, by the header, and the helpers go.
 */
import { bytesDone, dataLayout, type DataLayout } from "../../../disk/luks2-segments";
import { deviceNumbersEqual, formatDeviceNumber, type DeviceNumber } from "../../../dm/device-number";
import { linearTable } from "../../../dm/linear";
import { cryptHelpers } from "../../../dm/names";
import {
  createDmDevice,
  dmPath,
  listDmDevices,
  PRIVATE_DEVICE,
  removeDmDevice,
} from "../../../dm/operations";
import {
  isNativeError,
  native,
  type CryptHeader,
  type CryptUnlock,
  type DmTargetLine,
} from "../../../native";
import { logger } from "../../../log";
import { bytes, bytesToSectors, SECTOR_BYTES, sectors } from "../../../units";
import { EngineError } from "../../errors";
import { withBlockFile } from "../block-file";

const log = logger("stratisd::engine::crypt");

/** What libcryptsetup reads and writes pieces through; named by the process that made it. */
const TEMPORARY = /^temporary-cryptsetup-\d+-\d+$/;

/** A device and how it is to be unlocked: `unlocking` runs the work with a secret that opens the header. */
export interface MappedDevice {
  container: DeviceNumber;
  /** Of the container. */
  path: string;
  mapping: string;
  unlocking: (work: (unlock: CryptUnlock) => Promise<unknown>) => Promise<void>;
}

interface LiveDevice {
  number: DeviceNumber;
  suspended: boolean;
  inactive: boolean;
  table: DmTargetLine[];
}

async function liveDevice(name: string): Promise<LiveDevice | null> {
  try {
    const { device } = await native().dmCall({ op: "info", name });
    if (device === undefined) return null;
    const { targets } = await native().dmCall({ op: "table", name });
    return {
      number: { major: device.major, minor: device.minor },
      suspended: device.suspended,
      inactive: device.inactiveTable,
      table: targets ?? [],
    };
  } catch (error) {
    if (isNativeError(error) && error.code === "ENXIO") return null;
    throw error;
  }
}

const refersTo = ({ params }: DmTargetLine, { number }: LiveDevice): boolean =>
  params.split(" ").includes(formatDeviceNumber(number));

export const tableLength = (table: readonly DmTargetLine[]): bigint =>
  table.reduce((sum, { length }) => sum + length, 0n);

/** Sectors of a live device. */
export async function liveLength(name: string): Promise<bigint> {
  const { targets } = await native().dmCall({ op: "table", name });
  return tableLength(targets ?? []);
}

/**
 * The table of a mapping of `length` sectors, as libcryptsetup would make it of the header. Keys are named as it names
 * them in the keyring of a thread.
 */
export function mappingTable(
  header: Pick<CryptHeader, "uuid" | "volumeKeyBytes" | "dataOffsetSectors">,
  { segments }: DataLayout,
  container: DeviceNumber,
  length: bigint,
): DmTargetLine[] {
  const device = formatDeviceNumber(container);
  return segments.map((segment) => {
    const start = segment.offset / SECTOR_BYTES - header.dataOffsetSectors;
    const end = segment.length === null ? length : start + segment.length / SECTOR_BYTES;
    const line = { start, length: end - start };
    const from = segment.offset / SECTOR_BYTES;
    if (segment.encryption === null) return { ...line, type: "linear", params: `${device} ${from}` };
    const { cipher, ivOffset, sectorSize, digest } = segment.encryption;
    if (digest === null || header.volumeKeyBytes === null)
      throw new EngineError(
        `The LUKS2 header does not say which key is that of its data from sector ${from}`,
      );
    const key = `:${header.volumeKeyBytes}:logon:cryptsetup:${header.uuid}-d${digest}`;
    const options = sectorSize === 512 ? "" : ` 1 sector_size:${sectorSize}`;
    return { ...line, type: "crypt", params: `${cipher} ${key} ${ivOffset} ${device} ${from}${options}` };
  });
}

async function headerOf(path: string): Promise<{ header: CryptHeader; layout: DataLayout }> {
  const header = await native().cryptLoad(path);
  if (header === null) throw new EngineError(`${path} has no LUKS2 header`);
  return { header, layout: dataLayout(header.json) };
}

/** Gives a mapping the table of `length` sectors that the header stands for. */
export async function reloadMapping(
  { container, path, mapping, unlocking }: MappedDevice,
  length: bigint,
): Promise<void> {
  const { header, layout } = await headerOf(path);
  const request = {
    op: "load" as const,
    name: mapping,
    targets: mappingTable(header, layout, container, length),
  };
  if (layout.segments.every(({ encryption }) => encryption === null)) await native().dmCall(request);
  else await unlocking((unlock) => native().cryptLoadTable(path, unlock, request));
  // udev has to know this device as it knew it when libcryptsetup made it.
  await native().dmCall({ op: "resume", name: mapping });
}

/**
 * Brings the piece that was being worked on to its end. libcryptsetup recovers a device only that nobody else has, so
 * it gets another one, with the same content. Exactly that piece: what is behind it is in use as it is. `begun`: by the
 * header; then it is recovered, otherwise done.
 */
async function finishPiece(
  device: MappedDevice,
  piece: { start: bigint; length: bigint },
  begun: boolean,
): Promise<void> {
  const { container, path, mapping, unlocking } = device;
  const [, , name] = cryptHelpers(mapping);
  const { size } = await withBlockFile(path, {}, (file) => file.info());
  const length = bytesToSectors(bytes(size));
  await removeDmDevice(name);
  const alias = await createDmDevice({
    name,
    table: linearTable([{ device: container, start: sectors(0n), length }]),
    udevFlags: PRIVATE_DEVICE,
  });
  try {
    const options = { mostHotzoneSectors: piece.length, mostPieces: begun ? 0 : 1 };
    await unlocking(
      (unlock) => native().cryptReencryptRun(dmPath(alias), { unlock, ...options }, () => undefined).ended,
    );
  } finally {
    await removeTemporaries(alias);
    await removeDmDevice(name);
  }
}

/** Whether all of the piece is done, by the header: nothing of it is, otherwise. */
function isDone(
  { reencryption: { state } }: CryptHeader,
  layout: DataLayout,
  piece: { start: bigint; length: bigint },
): boolean {
  const [from, to] = [piece.start * SECTOR_BYTES, (piece.start + piece.length) * SECTOR_BYTES];
  const done = bytesDone(layout);
  if (state === "crash") return false;
  if (done === null || done === to) return true;
  if (done === from) return false;
  throw new EngineError(
    `The operation on the LUKS2 device has done ${done} bytes by its header, where the devices that it left work on ` +
      `bytes ${from} to ${to}`,
  );
}

/** Until now what is above the overlay waits; from here on it is served again. */
async function settleOverlay(device: MappedDevice, overlay: LiveDevice, hotzone: LiveDevice): Promise<void> {
  const piece = overlay.table.find((line) => refersTo(line, hotzone));
  if (piece !== undefined) {
    const before = await headerOf(device.path);
    if (!isDone(before.header, before.layout, piece)) {
      await finishPiece(device, piece, before.header.reencryption.state === "crash");
      const after = await headerOf(device.path);
      if (!isDone(after.header, after.layout, piece))
        throw new EngineError(
          `The piece at sector ${piece.start} of ${device.mapping} could not be brought to its end`,
        );
    }
  }
  const [name, hotzoneName] = cryptHelpers(device.mapping);
  if (hotzone.suspended)
    await native().dmCall({ op: "resume", name: hotzoneName, udevFlags: PRIVATE_DEVICE });
  if (overlay.inactive) await native().dmCall({ op: "clear", name });
  if (overlay.suspended) await native().dmCall({ op: "resume", name, udevFlags: PRIVATE_DEVICE });
}

/** What an earlier process read and wrote pieces through. */
async function removeTemporaries(container: DeviceNumber): Promise<void> {
  for (const name of (await listDmDevices()).keys()) {
    if (!TEMPORARY.test(name)) continue;
    const { dependencies } = await native().dmCall({ op: "deps", name });
    if (dependencies?.some((number) => deviceNumbersEqual(number, container)) === true)
      await removeDmDevice(name);
  }
}

/**
 * Makes a live mapping work by itself again after whatever worked on its container has ended, and removes what that has
 * left. Nobody may be working on it. Does nothing, and needs no secret, when there is nothing of the kind.
 */
export async function mendMapping(device: MappedDevice): Promise<void> {
  const { container, mapping } = device;
  const live = await liveDevice(mapping);
  if (live === null) return;
  await removeTemporaries(container);
  const [overlayName, hotzoneName] = cryptHelpers(mapping);
  const [overlay, hotzone] = await Promise.all([liveDevice(overlayName), liveDevice(hotzoneName)]);
  if (overlay !== null && live.table.some((line) => refersTo(line, overlay))) {
    log.info(`Bringing a piece of ${mapping} to its end, whose processing was interrupted`);
    if (hotzone === null) throw new EngineError(`${overlayName} is there without ${hotzoneName}`);
    await settleOverlay(device, overlay, hotzone);
    await reloadMapping(device, tableLength(live.table));
  } else {
    if (live.inactive) await native().dmCall({ op: "clear", name: mapping });
    if (live.suspended) await native().dmCall({ op: "resume", name: mapping });
  }
  const names = await listDmDevices();
  for (const name of cryptHelpers(mapping)) if (names.has(name)) await removeDmDevice(name);
}
