/**
 * Encryption, re-encryption and decryption in place of a running pool (encryption.md §19): the parts that need the pool
 * for themselves. What takes long is in src/engine/real/in-place-run.ts. A V1 pool can only be re-encrypted.
 *
 * The LUKS2 header says what the data are, sector by sector, at any moment; the pool's record says only where its own
 * devices are cut from, which is moved by the header's size when a header comes or goes. Order of writing:
 *
 * encryption: header (nothing is encrypted by it yet), flex devices, record, data. Until the record is written a start
 *   takes the header away again; from then on it goes on with the data.
 * re-encryption: mark, keyslots, header, data, record, mark. See reencryption-mark.ts.
 * decryption: header, data, flex devices, record, no header. A header that has nothing encrypted any more, which only
 *   libcryptsetup's end of a decryption makes, is one to be taken away at a start.
 */
import * as names from "../../dm/names";
import { dmPath, listDmDevices, removeDmDevice } from "../../dm/operations";
import { native } from "../../native";
import { logger } from "../../log";
import { EngineError, errorText, RollbackError } from "../errors";
import { withUndo } from "../undo";
import { encryptedRecord, plainRecord } from "./backstore/allocation";
import { withBlockFile } from "./block-file";
import type { PoolCore } from "./core";
import { keepingHeaders, withHeaderFile } from "./crypt/header-backup";
import { DeviceCrypts } from "./crypt/device-crypts";
import { describeDisagreement } from "./crypt/legacy-info";
import { PoolCrypt } from "./crypt/pool-crypt";
import { requireKey, type AcceptedRequest } from "./crypt/request";
import { wasTakenBack } from "./taken-back";

const log = logger("stratisd::engine::inplace");

export type InPlaceKind = "encrypt" | "reencrypt" | "decrypt";
/** What has the data of a pool encrypted: one layer, or one for each device in V1. */
export type EncryptedLayer = PoolCrypt | DeviceCrypts;

/** null: the pool is not encrypted. */
export function encryptedLayer(core: PoolCore): EncryptedLayer | null {
  const devices = core.deviceCrypts();
  return core.crypt ?? (devices.length === 0 ? null : new DeviceCrypts(devices));
}

export const KIND_TEXT: Record<InPlaceKind, string> = {
  encrypt: "encryption",
  reencrypt: "re-encryption",
  decrypt: "decryption",
};

/** The crypt device and all that may be below it; nobody uses them any more. */
export async function removeCryptDevices(core: Pick<PoolCore, "uuid">): Promise<void> {
  const crypt = names.v2Crypt(core.uuid);
  const live = await listDmDevices();
  // After a decryption it goes by itself when its last user has left it.
  for (const name of [crypt, ...names.cryptHelpers(crypt)]) if (live.has(name)) await removeDmDevice(name);
}

/** Puts an encrypted layer into a running pool whose data are plain, and will be until they are worked on. */
export async function beginEncryption(core: PoolCore, request: AcceptedRequest): Promise<void> {
  const { container } = core.numbers;
  const { logicalSectorSize } = await withBlockFile(dmPath(container), {}, (file) => file.info());
  const begun = withUndo(async (undo) => {
    const crypt = await withHeaderFile(async (file) => {
      const volumeKey = await PoolCrypt.prepare(core.uuid, file, request, logicalSectorSize);
      undo.push("forget the volume key", () => {
        volumeKey.wipe();
      });
      undo.push("wipe the LUKS2 header", () =>
        native()
          .cryptWipe(dmPath(container))
          .then(() => undefined),
      );
      await native().cryptHeaderRestore(dmPath(container), file);
      const crypt = await PoolCrypt.load(core.uuid, container);
      crypt?.keepVolumeKey(volumeKey);
      return crypt;
    });
    if (crypt === null) throw new EngineError("the header that was just written has no unlock method");
    undo.push("remove the encrypted device", () => removeCryptDevices(core));
    const cap = await crypt.openShared();
    const [from, to] = [core.record, encryptedRecord(core.record)];
    const former = { record: from, cap: container };
    await core.stack.moveFlexDevices(former, { record: to, cap });
    undo.push("put the flex devices back", () => core.stack.moveFlexDevices({ record: to, cap }, former));
    core.crypt = crypt;
    try {
      await core.save(to);
    } catch (error) {
      core.crypt = null;
      throw error;
    }
    core.numbers = { ...core.numbers, cap };
  });
  await orUnchangeable(begun);
}

/** Where the pool's devices are not what its record says, and can't be made so, nothing more may be changed. */
async function orUnchangeable(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (wasTakenBack(error)) throw error;
    throw new RollbackError(error, "its devices are not what they were before", "no_pool_changes");
  }
}

/** All key descriptions have to be in the keyring; Clevis is asked when its turn comes. */
export async function beginReencryption(core: PoolCore, layer: EncryptedLayer): Promise<void> {
  const disagreement = describeDisagreement(core.deviceCrypts());
  if (disagreement !== null) throw new EngineError(disagreement);
  for (const token of layer.tokens) if (token.kind === "key") await requireKey(token.description);
  if (layer instanceof PoolCrypt)
    layer.keepVolumeKey(await keepingHeaders([layer], () => layer.beginReencryption()));
  else await layer.beginReencryption();
}

/** What the pool's record has to say of a re-encryption that is done. */
export const recordReencryption = (core: PoolCore): Promise<void> =>
  core.save({ ...core.record, lastReencrypt: BigInt(Math.floor(Date.now() / 1000)) });

export async function finishReencryption(core: PoolCore, layer: EncryptedLayer): Promise<void> {
  const recorded = (): Promise<void> => recordReencryption(core);
  // One that another program began has no mark.
  if (!(await layer.settleMark(recorded))) await recorded();
  if (layer instanceof PoolCrypt) await layer.renewVolumeKey();
}

export async function finishEncryption(core: PoolCore, crypt: PoolCrypt): Promise<void> {
  // Its features are those of the header.
  await core.save(core.record);
  await crypt.renewVolumeKey();
}

/** Takes the encrypted layer out of a running pool whose data are all plain. */
export async function removeEncryption(core: PoolCore, crypt: PoolCrypt): Promise<void> {
  const { container, cap } = core.numbers;
  const [from, to] = [core.record, plainRecord(core.record)];
  await orUnchangeable(core.stack.moveFlexDevices({ record: from, cap }, { record: to, cap: container }));
  core.numbers = { ...core.numbers, cap: container };
  core.crypt = null;
  await removeLayer(core, crypt, () => core.save(to));
}

/** What comes after nobody uses the encrypted device any more. `save`: of the record that knows of no encryption. */
export async function removeLayer(
  core: Pick<PoolCore, "uuid" | "name">,
  crypt: PoolCrypt,
  save: () => Promise<void>,
): Promise<void> {
  await removeCryptDevices(core);
  await crypt.forgetVolumeKey();
  await save();
  try {
    await crypt.wipe();
  } catch (error) {
    log.warn(
      `The LUKS2 header of pool "${core.name}" is of no use any more, but could not be wiped, which the next start ` +
        `will do: ${errorText(error)}`,
    );
  }
}

/**
 * After the long part has failed: the pool's devices work without helpers again, and an encryption that has encrypted
 * nothing is taken back. Otherwise the operation stays pending, and goes on when it is asked for again, or at the next
 * start.
 */
export async function recoverFromFailure(
  core: PoolCore,
  layer: EncryptedLayer,
  cause: unknown,
): Promise<void> {
  try {
    await layer.mend(core.numbers.container);
    if (layer instanceof PoolCrypt && layer.stage === "untouched") await removeEncryption(core, layer);
  } catch (error) {
    core.restriction = "no_pool_changes";
    throw new RollbackError(cause, error, core.restriction);
  }
}
