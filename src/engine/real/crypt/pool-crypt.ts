/**
 * The one LUKS2 layer of an encrypted V2 pool: between cache (or its placeholder) and flex devices (encryption.md §1,
 * §8, §12.3, §13, §14). What is done to it in place is in in-place.ts.
 */
import { isJsonObject, parseJson, printJson } from "../../../disk/json";
import { dataLayout } from "../../../disk/luks2-segments";
import type { DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import { dmPath } from "../../../dm/operations";
import {
  isNativeError,
  native,
  type CryptReencryption,
  type CryptUnlock,
  type Secret,
  type VolumeKey,
} from "../../../native";
import { logger } from "../../../log";
import type { PoolUuid } from "../../../uuid";
import { EngineError, errorText } from "../../errors";
import { CRYPT_META_SECTORS } from "../backstore/layout";
import { completeReencryption } from "./complete-reencryption";
import { recoverHeaders } from "./header-backup";
import { LuksDevice, requireKeyslot, type HeaderFormat } from "./luks-device";
import { liveLength, mendMapping, reloadMapping, type MappedDevice } from "./mapping";
import { findReencryptionMark, outcomeOf, reencryptionMark } from "./reencryption-mark";
import type { AcceptedRequest, Unlock } from "./request";
import { featuresOf, type UnlockToken } from "./tokens";
import { runInWorker, whenNoWorker } from "./worker";

const log = logger("stratisd::engine::crypt");

const FORMAT: HeaderFormat = {
  metadataSize: 0x10000,
  keyslotsSize: 0xff8000,
  dataOffsetSectors: CRYPT_META_SECTORS,
};

/** Where libcryptsetup is given the passphrase. */
const INIT = "crypt_reencrypt_init_by_passphrase";

const volumeKeyName = (pool: PoolUuid): string => `stratis-1-vk-${pool}`;

/**
 * What the header says of the data. untouched: they are to be encrypted, and none is yet; underway: an operation in
 * place has begun; decrypted: all are plain again, and nothing can be unlocked any more.
 */
export type DataStage = "encrypted" | "untouched" | "underway" | "decrypted";

export class PoolCrypt extends LuksDevice {
  #volumeKeyLoaded = false;

  private constructor(
    readonly pool: PoolUuid,
    container: string,
  ) {
    super(container, names.v2Crypt(pool));
  }

  /** Takes back a change of the header that was interrupted. To be called before load(). */
  static async recover(pool: PoolUuid, container: DeviceNumber): Promise<void> {
    await recoverHeaders([new PoolCrypt(pool, dmPath(container))]);
  }

  /** The encryption that a header on `container` describes; null where there is no header with a way in. */
  static async load(pool: PoolUuid, container: DeviceNumber): Promise<PoolCrypt | null> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    return (await crypt.refresh()) ? crypt : null;
  }

  /**
   * Makes up for what an operation in place that was interrupted at its very end has left undone in the header. True:
   * there was something.
   */
  async complete(): Promise<boolean> {
    if (this.pending === null || !(await completeReencryption(this.container))) return false;
    log.warn(`An operation in place on pool ${this.pool} that was interrupted at its very end is completed`);
    await this.refresh();
    return true;
  }

  /** Formats `container` and binds what is asked for. On failure nothing is left of it. */
  static async create(pool: PoolUuid, container: DeviceNumber, request: AcceptedRequest): Promise<PoolCrypt> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    await crypt.format(FORMAT, request);
    return crypt;
  }

  /** A header in a file, for data that are there already and are to be encrypted. `sectorSize` in bytes. */
  static async prepare(
    pool: PoolUuid,
    file: string,
    request: AcceptedRequest,
    sectorSize: number,
  ): Promise<PoolCrypt> {
    const crypt = new PoolCrypt(pool, file);
    await crypt.format({ ...FORMAT, sectorSize }, request);
    await crypt.withAnySecret(async (unlock, { slot, keyslot }) => {
      if (keyslot === null) throw new EngineError(`token slot ${slot} of the new header has no keyslot`);
      await native().cryptReencryptBegin(file, {
        mode: "encrypt",
        unlock,
        newKeyslot: keyslot,
        sectorSize,
        initializeOnly: true,
      });
    });
    return crypt;
  }

  /** Features of the pool's record. */
  get features(): string[] {
    return featuresOf(this.tokens);
  }

  /** As of the last time that it was loaded or looked for. */
  get volumeKeyLoaded(): boolean {
    return this.#volumeKeyLoaded;
  }

  /** As of the last time that the header was read. */
  get stage(): DataStage {
    if (this.header === null) throw new EngineError(`${this.container} has no LUKS2 header`);
    const { segments } = dataLayout(this.header.json);
    const plain = segments.every(({ encryption, inWork }) => encryption === null && !inWork);
    if (this.pending === null) return plain ? "decrypted" : "encrypted";
    return this.pending === "encrypt" && plain ? "untouched" : "underway";
  }

  /** Bytes of the encryption's sectors. */
  get sectorSize(): number {
    return this.header?.sectorSize ?? 512;
  }

  /**
   * Opens the pool, or takes over the device of an earlier daemon, for which the volume key is loaded if that is
   * possible without anybody's help.
   */
  async open({ method, passphrase }: Unlock, container: DeviceNumber): Promise<DeviceNumber> {
    const live = await this.mappingNumber();
    if (live !== null) {
      await this.mend(container, { method: method ?? "any", passphrase });
      if (this.pending === null) await this.loadVolumeKey();
      return live;
    }
    if (method === null) throw new EngineError("No unlock mechanism was provided");
    const volumeKeyDescription = volumeKeyName(this.pool);
    await this.tryAll(method, passphrase, async (unlock) => {
      const opened = await native().cryptActivate(this.container, this.mapping, unlock, {
        volumeKeyDescription,
      });
      this.#volumeKeyLoaded = opened.volumeKeyLoaded;
    });
    // What was interrupted in the middle of a piece was recovered by that.
    await this.refresh();
    return await this.requireMapping();
  }

  /** The mapping of a header that was just written onto a device that others use as it is. */
  async openShared(): Promise<DeviceNumber> {
    await this.tryAll("any", null, (unlock) =>
      native().cryptActivate(this.container, this.mapping, unlock, { shared: true }),
    );
    return await this.requireMapping();
  }

  #mapped(container: DeviceNumber, { method, passphrase }: Unlock): MappedDevice {
    const unlocking = (work: (unlock: CryptUnlock) => Promise<unknown>): Promise<void> =>
      this.tryAll(method ?? "any", passphrase, work);
    return { container, mapping: this.mapping, unlocking };
  }

  /** After an operation in place that did not come to an orderly end: see mendMapping(). */
  async mend(container: DeviceNumber, unlock: Unlock = { method: "any", passphrase: null }): Promise<void> {
    await whenNoWorker(this.mapping);
    await mendMapping(this.#mapped(container, unlock));
    await this.refresh();
  }

  /** Failures are logged: without the key the pool works, and can't grow. */
  async loadVolumeKey(): Promise<boolean> {
    try {
      this.#volumeKeyLoaded = await native().volumeKeyHas(volumeKeyName(this.pool));
      if (this.#volumeKeyLoaded) return true;
      await this.tryAll("any", null, (unlock) =>
        native().cryptLoadVolumeKey(this.container, unlock, volumeKeyName(this.pool)),
      );
      this.#volumeKeyLoaded = true;
    } catch (error) {
      log.warn(
        `The volume key of pool ${this.pool} is not loaded, so that it can't grow: ${errorText(error)}`,
      );
    }
    return this.#volumeKeyLoaded;
  }

  /**
   * Writes into the header that all data are to get a new volume key, to which each unlock method gets a keyslot. On
   * failure the header is as it was (keepingHeaders), and an interruption is taken back by settleMark().
   */
  async beginReencryption(): Promise<void> {
    const { header } = this;
    if (header === null) throw new EngineError(`${this.container} has no LUKS2 header`);
    this.#requireNothingLost();
    const methods = this.tokens.map((token) => ({ token, old: requireKeyslot(token) }));
    await native().cryptSetToken(this.container, null, reencryptionMark(header));
    const volumeKey = await native().cryptGenerateVolumeKey(header.volumeKeyBytes ?? undefined);
    let begin: { token: UnlockToken; old: number; added: number } | undefined;
    try {
      for (const { token, old } of methods) {
        const added = await this.withSecretOf(token, (unlock) => this.#addUnbound(volumeKey, unlock));
        await this.#setKeyslots(token, [old, added]);
        begin ??= { token, old, added };
      }
    } finally {
      volumeKey.wipe();
    }
    if (begin === undefined) throw new EngineError(`${this.container} has no unlock method`);
    const { token, old, added } = begin;
    await this.withSecretOf({ ...token, keyslot: null }, (unlock) =>
      native().cryptReencryptBegin(this.container, {
        ...{ mode: "reencrypt", activeName: this.mapping, unlock, oldKeyslot: old, newKeyslot: added },
        ...{ cipher: header.cipher, cipherMode: header.cipherMode, sectorSize: header.sectorSize },
      }),
    );
    await this.refresh();
  }

  /** Of tokens that can't be read nobody knows the secret for a keyslot of the new key. */
  #requireNothingLost(): void {
    const lost = this.foreignTokens.find(({ keyslots }) => keyslots.length > 0);
    if (lost !== undefined)
      throw new EngineError(
        `${this.container} can't be re-encrypted while token slot ${lost.slot} has an unlock method that would be lost by ` +
          `it: ${lost.reason}`,
      );
  }

  async #addUnbound(volumeKey: VolumeKey, unlock: CryptUnlock): Promise<number> {
    if ("token" in unlock) throw new EngineError("a secret is needed to make a keyslot for it");
    return await native().cryptAddKeyslot(this.container, { volumeKey }, unlock, { unbound: true });
  }

  /** The token as it is, with other keyslots. */
  async #setKeyslots({ slot }: UnlockToken, keyslots: number[]): Promise<void> {
    const raw = this.rawTokens.find((token) => token.slot === slot);
    const token = raw === undefined ? null : parseJson(raw.json);
    if (token === null || !isJsonObject(token)) throw new EngineError(`Token slot ${slot} is empty`);
    await native().cryptSetToken(
      this.container,
      slot,
      printJson({ ...token, keyslots: keyslots.map(String) }),
    );
  }

  /**
   * After a re-encryption that is not pending any more, or that did not come to be: the mark of it is removed, and what
   * was prepared for it. True: it was done. `recorded` is run before the mark of one that was done is removed.
   */
  async settleMark(recorded: () => Promise<void>): Promise<boolean> {
    const mark = findReencryptionMark(this.rawTokens);
    if (mark === null || this.header === null || this.pending !== null) return false;
    const outcome = outcomeOf(mark, this.header);
    if (outcome.done) await recorded();
    else for (const keyslot of outcome.added) await native().cryptDestroyKeyslot(this.container, keyslot);
    await native().cryptRemoveToken(this.container, mark.slot);
    await this.refresh();
    return outcome.done;
  }

  /** Writes into the header that all data are to be decrypted. */
  async beginDecryption(): Promise<void> {
    await this.withAnySecret((unlock, token) =>
      native().cryptReencryptBegin(this.container, {
        ...{ mode: "decrypt", activeName: this.mapping, unlock, oldKeyslot: requireKeyslot(token) },
      }),
    );
    await this.refresh();
  }

  /**
   * Goes on with the operation that was begun, with a secret that opens the header. Resolves when it is finished, or
   * was stopped; `started` gets each attempt.
   */
  async runPending(
    passphrase: Secret | null,
    onProgress: (done: bigint, total: bigint) => void,
    started: (run: CryptReencryption) => void,
  ): Promise<"finished" | "stopped"> {
    if (await this.complete()) return "finished";
    const state = { launched: false };
    const start = async (unlock: CryptUnlock): Promise<CryptReencryption> => {
      state.launched = true;
      const options = { activeName: this.mapping, unlock };
      const run = await runInWorker(this.container, options, onProgress);
      started(run);
      return run;
    };
    const failures: string[] = [];
    const given = passphrase === null ? [] : [() => start({ secret: passphrase })];
    const byToken = this.tokens.map(
      (token) => () =>
        // The secret is copied when the run is started, and wiped long before it ends.
        this.withSecretOf({ ...token, keyslot: null }, start),
    );
    for (const attempt of [...given, ...byToken])
      try {
        return await (
          await attempt()
        ).ended;
      } catch (error) {
        // With another secret nothing is tried that may be in the middle of a piece.
        if (state.launched && !isRefusedSecret(error)) throw error;
        state.launched = false;
        failures.push(errorText(error));
      }
    throw new EngineError(`Unable to get passphrase for any available token slots: ${failures.join("; ")}`);
  }

  /** Throws EngineError when resize() would. */
  async requireResizable(): Promise<void> {
    if (this.pending === null && !(await this.loadVolumeKey()))
      throw new EngineError(`Failed to get volume key for pool with UUID ${this.pool}`);
  }

  /** After the device below has grown, or is as small as before again. */
  async resize(container: DeviceNumber): Promise<void> {
    if (this.pending !== null) {
      // libcryptsetup does not resize then.
      const below = await liveLength(names.physicalCache(this.pool));
      const { dataOffsetSectors } = this.header ?? FORMAT;
      const unlock: Unlock = { method: "any", passphrase: null };
      await reloadMapping(this.#mapped(container, unlock), below - dataOffsetSectors);
      return;
    }
    await this.requireResizable();
    await native().cryptResize(this.container, this.mapping, {
      volumeKeyDescription: volumeKeyName(this.pool),
    });
  }

  async forgetVolumeKey(): Promise<void> {
    this.#volumeKeyLoaded = false;
    await native().volumeKeyUnset(volumeKeyName(this.pool));
  }
}

/** Nothing was begun: the next unlock method may open what this one could not. */
const isRefusedSecret = (error: unknown): boolean =>
  isNativeError(error) && error.syscall === INIT && ["EPERM", "ENOENT", "ENOKEY"].includes(error.code);
