/**
 * A LUKS2 device whose data are encrypted, re-encrypted or decrypted in place while it is in use (encryption.md §19): what
 * is common to the one of a V2 pool and to those of a V1 pool's block devices.
 */
import { isJsonObject, parseJson, printJson } from "../../../disk/json";
import type { DeviceNumber } from "../../../dm/device-number";
import {
  native,
  type CryptHeader,
  type CryptReencryption,
  type CryptUnlock,
  type Secret,
  type VolumeKey,
} from "../../../native";
import { logger } from "../../../log";
import { EngineError, errorText } from "../../errors";
import { completeReencryption } from "./complete-reencryption";
import { isRefusedSecret, LuksDevice, noneOpens, requireKeyslot, wipedOnFailure } from "./luks-device";
import { mendMapping, type MappedDevice } from "./mapping";
import { findReencryptionMark, outcomeOf, reencryptionMark } from "./reencryption-mark";
import type { Unlock } from "./request";
import type { UnlockToken } from "./tokens";
import { runInWorker, whenNoWorker } from "./worker";

const log = logger("stratisd::engine::crypt");

export abstract class InPlaceDevice extends LuksDevice {
  /** Of the token that marks a re-encryption; null: the lowest free one. */
  protected get markSlot(): number | null {
    return null;
  }

  /**
   * Makes up for what an operation in place that was interrupted at its very end has left undone in the header. True:
   * there was something.
   */
  async complete(): Promise<boolean> {
    if (this.pending === null) return false;
    await whenNoWorker(this.mapping);
    await this.refresh();
    if (!(await completeReencryption(this.container))) return false;
    log.warn(`An operation in place on ${this.container} that was interrupted at its very end is completed`);
    await this.refresh();
    return true;
  }

  protected mapped(container: DeviceNumber, { method, passphrase }: Unlock): MappedDevice {
    const unlocking = (work: (unlock: CryptUnlock) => Promise<unknown>): Promise<void> =>
      this.tryAll(method ?? "any", passphrase, work);
    return { container, path: this.container, mapping: this.mapping, unlocking };
  }

  /** After an operation in place that did not come to an orderly end: see mendMapping(). */
  async mend(container: DeviceNumber, unlock: Unlock = { method: "any", passphrase: null }): Promise<void> {
    await whenNoWorker(this.mapping);
    await mendMapping(this.mapped(container, unlock));
    await this.refresh();
  }

  /**
   * Writes into the header that all data are to get a new volume key, to which each unlock method gets a keyslot. On
   * failure the header is as it was (keepingHeaders), and an interruption is taken back by settleMark(). Returns that
   * key, for the caller to wipe.
   */
  async beginReencryption(): Promise<VolumeKey> {
    const { header } = this;
    if (header === null) throw new EngineError(`${this.container} has no LUKS2 header`);
    this.#requireNothingLost(header);
    const methods = this.tokens.map((token) => ({ token, old: requireKeyslot(token) }));
    await native().cryptSetToken(this.container, this.markSlot, reencryptionMark(header));
    const volumeKey = await native().cryptGenerateVolumeKey(header.volumeKeyBytes ?? undefined);
    return await wipedOnFailure(volumeKey, async () => {
      let begin: { token: UnlockToken; old: number; added: number } | undefined;
      for (const { token, old } of methods) {
        const added = await this.withSecretOf(token, (unlock) => this.#addUnbound(volumeKey, unlock));
        await this.#setKeyslots(token, [old, added]);
        begin ??= { token, old, added };
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
    });
  }

  /** Of tokens that can't be read, and of keyslots without a token, nobody knows the secret for the new key. */
  #requireNothingLost(header: CryptHeader): void {
    const refuse = (what: string): never => {
      throw new EngineError(`${this.container} can't be re-encrypted while ${what}`);
    };
    const lost = this.foreignTokens.find(({ keyslots }) => keyslots.length > 0);
    if (lost !== undefined)
      refuse(`token slot ${lost.slot} has an unlock method that would be lost by it: ${lost.reason}`);
    const ours = this.tokens.map(({ keyslot }) => keyslot);
    const others = header.keyslots.filter(({ keyslot, unbound }) => !unbound && !ours.includes(keyslot));
    if (others.length > 0)
      refuse(
        `keyslot ${others.map(({ keyslot }) => keyslot).join(", ")} is none of its unlock methods, and would be lost by ` +
          "it; cryptsetup luksKillSlot removes it",
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

  /** What became of a re-encryption that is not pending any more; null: there is no mark of one, or it is pending. */
  get outcome(): ReturnType<typeof outcomeOf> | null {
    const mark = findReencryptionMark(this.rawTokens);
    return mark === null || this.header === null || this.pending !== null
      ? null
      : outcomeOf(mark, this.header);
  }

  /**
   * After a re-encryption that is not pending any more, or that did not come to be: the mark of it is removed, and what
   * was prepared for it. True: it was done. `recorded` is run before the mark of one that was done is removed.
   */
  async settleMark(recorded: () => Promise<void>): Promise<boolean> {
    const { outcome } = this;
    const mark = findReencryptionMark(this.rawTokens);
    if (mark === null || outcome === null) return false;
    if (outcome.done) await recorded();
    else for (const keyslot of outcome.added) await native().cryptDestroyKeyslot(this.container, keyslot);
    await native().cryptRemoveToken(this.container, mark.slot);
    await this.refresh();
    return outcome.done;
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
    if ((await this.complete()) || this.pending === null) return "finished";
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
    throw noneOpens(failures);
  }
}
