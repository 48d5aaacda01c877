/**
 * Making a pool (engine.md §15, devicemapper.md §2.7). The first save of the pool's record is the moment at which the
 * pool exists; a failure before it takes every step back, and what a crash leaves is found by the flag on its devices.
 */
import { newDeviceRecord, newPoolRecord } from "./backstore/allocation";
import { LAYOUTS } from "./backstore/layout";
import type { BackstoreNumbers } from "./backstore/stack";
import { SIGBLOCK_FLAG, type StaticHeader } from "../../disk/static-header";
import type { PoolRecord } from "../../disk/pool-record";
import type { DeviceNumber } from "../../dm/device-number";
import * as names from "../../dm/names";
import { dmPath, removeDmDevice } from "../../dm/operations";
import { sectorsToBytes } from "../../units";
import { newPoolUuid, type DevUuid, type PoolUuid } from "../../uuid";
import { ChainedError } from "../errors";
import { withUndo, type UndoStack } from "../undo";
import type { IntegritySpec } from "../validation";
import { MetadataStore } from "./backstore/metadata-store";
import { segmentsLength } from "./backstore/tables";
import { withBlockFile } from "./block-file";
import type { RealBlockDev } from "./blockdev";
import { makeMetadataVolume } from "./commands";
import { PoolCore } from "./core";
import { PoolCrypt } from "./crypt/pool-crypt";
import type { AcceptedRequest } from "./crypt/request";
import { confirmAdded, initialAreaSize, initializeMember, type Membership } from "./members";
import type { RequestedDevice } from "./discovery/requested";
import { MetadataVolume } from "./thinpool/mdv";
import { initialLowWater, PoolStack, type StackNumbers } from "./thinpool/stack";
import { ThinDevices } from "./thinpool/thin-devices";
import type { LinkNotifier } from "./uevent";

export interface NewPool {
  name: string;
  devices: readonly RequestedDevice[];
  /** null makes a V1 pool, which has none. */
  integrity: IntegritySpec | null;
  links: LinkNotifier;
  /** false for who works beside a running daemon, see Membership. */
  marked: boolean;
  /** Where the metadata volume is mounted; left out: where those of the daemon are. */
  mounts?: string;
  /** null: not encrypted. */
  encryption: AcceptedRequest | null;
}

export async function createPoolOn(wanted: NewPool): Promise<PoolCore> {
  try {
    return await withUndo((undo) => build(newPoolUuid(), wanted, undo));
  } catch (error) {
    throw new ChainedError(`Failed to create pool "${wanted.name}"`, error);
  }
}

async function build(
  uuid: PoolUuid,
  { name, devices: requested, integrity, links, marked, mounts, encryption }: NewPool,
  undo: UndoStack,
): Promise<PoolCore> {
  const version = integrity === null ? 1 : 2;
  const layout = LAYOUTS[version];
  const ofDevices = layout.encrypts === "devices" ? encryption : null;
  const ofPool = layout.encrypts === "pool" ? encryption : null;
  const membership: Membership = {
    pool: uuid,
    version,
    tier: "data",
    mark: marked ? SIGBLOCK_FLAG.creating : 0n,
    mdaSize: initialAreaSize(requested),
    encryption: ofDevices === null ? null : { poolName: name, request: ofDevices, sectorSize: null },
    record: (header, hardwareInfo) => newDeviceRecord(header, integrity, hardwareInfo),
  };
  const members: RealBlockDev[] = [];
  for (const device of requested) members.push(await initializeMember(device, membership, undo));
  const headers = new Map<DevUuid, StaticHeader>(members.map((member) => [member.uuid, member.header]));
  const record = newPoolRecord(
    name,
    members.map((member) => member.record),
    headers,
    integrity,
    ofPool === null ? [] : ["Encryption"],
  );

  // The stack and the pool share it, so that the tables know devices that are added later.
  const known = new Map(members.map((member) => [member.uuid, member]));
  const stack = new PoolStack(uuid, known, layout);
  const { numbers, mdv, crypt } = await buildStack(stack, record, { encryption: ofPool, mounts }, undo);

  const store = new MetadataStore(null);
  const core = new PoolCore({
    uuid,
    record,
    devices: known,
    store,
    stack,
    numbers,
    mdv,
    thin: new ThinDevices(uuid, numbers.thinPool),
    links,
    crypt,
  });
  await core.refreshStatus();
  await core.save(record);
  undo.commit();
  await confirmAdded(name, members);
  return core;
}

async function buildStack(
  stack: PoolStack,
  record: PoolRecord,
  { encryption, mounts }: { encryption: AcceptedRequest | null; mounts: string | undefined },
  undo: UndoStack,
): Promise<{ numbers: StackNumbers; mdv: MetadataVolume; crypt: PoolCrypt | null }> {
  const below = await stack.backstore.ensure(record, undo);
  const { cryptMetaSize } = stack.backstore.layout;
  // A LUKS2 header may be put here one day: whatever was on the disks must not be taken for one.
  if (cryptMetaSize > 0n)
    await withBlockFile(dmPath(below.container), { write: true }, async (file) => {
      await file.zero(0n, sectorsToBytes(cryptMetaSize));
      await file.sync();
    });
  const crypt = encryption === null ? null : await encryptContainer(stack.pool, below, encryption, undo);
  const backstore = crypt === null ? below : { ...below, cap: crypt.device };
  const thinMeta = await stack.ensureThinMeta(record, backstore, undo);
  await stack.clearThinMeta(thinMeta);
  const thinData = await stack.ensureThinData(record, backstore, undo);
  const mdvDevice = await stack.ensureMdv(record, backstore, undo);
  await makeMetadataVolume(dmPath(mdvDevice), stack.pool);
  const mdv = await MetadataVolume.mount(stack.pool, dmPath(mdvDevice), mounts);
  undo.push("unmount the metadata volume", () => mdv.unmount());
  const lowWater = initialLowWater(segmentsLength(record.flexDevices.thinData));
  const thinPool = await stack.ensureThinPool(record, { thinMeta, thinData }, lowWater, undo);
  const numbers = { ...backstore, thinMeta, thinData, mdv: mdvDevice, thinPool };
  return { numbers, mdv, crypt: crypt?.crypt ?? null };
}

async function encryptContainer(
  pool: PoolUuid,
  { container }: BackstoreNumbers,
  encryption: AcceptedRequest,
  undo: UndoStack,
): Promise<{ crypt: PoolCrypt; device: DeviceNumber }> {
  const crypt = await PoolCrypt.create(pool, container, encryption);
  undo.push("wipe the LUKS2 header", () => crypt.wipe());
  const device = await crypt.open({ method: "any", passphrase: null }, container);
  undo.push("close the encrypted device", async () => {
    await removeDmDevice(names.v2Crypt(pool));
    await crypt.forgetVolumeKey();
  });
  return { crypt, device };
}
