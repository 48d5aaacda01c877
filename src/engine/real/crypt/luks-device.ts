/**
 * A device that has a LUKS2 header with unlock methods of ours, and the mapping that it is opened as: what is common to
 * the one of a V2 pool and to those of a V1 pool's block devices (encryption.md §8, §9, §12, §13, §16).
 */
import {
  isNativeError,
  native,
  type CryptHeader,
  type CryptUnlock,
  type Secret,
  type VolumeKey,
  type VolumeKeyUnlock,
} from "../../../native";
import type { DeviceNumber } from "../../../dm/device-number";
import type { UnlockMethod } from "../../engine";
import { ChainedError, EngineError, errorText } from "../../errors";
import { logger } from "../../../log";
import { hasKey, keyName } from "../keys";
import * as clevis from "./clevis";
import type { AcceptedConfig } from "./clevis-config";
import { forgetHeaders } from "./header-backup";
import type { AcceptedRequest } from "./request";
import { isUnbound, readTokens, type ForeignToken, type RawToken, type UnlockToken } from "./tokens";

const log = logger("stratisd::engine::crypt");

/** A key that authorises Clevis while a header has no other. */
const TEMPORARY_KEY_BYTES = 64;

/** What a header is made with, beside what LUKS2 has by itself. */
export interface HeaderFormat {
  /** Of one copy of the header, bytes. */
  metadataSize: number;
  /** Of the area behind both copies, bytes. */
  keyslotsSize: number;
  dataOffsetSectors: bigint;
  /** Encryption sectors, bytes; without, chosen from the device. */
  sectorSize?: number;
}

export const rawTokensOf = ({ tokens }: CryptHeader): RawToken[] =>
  tokens.map(({ token, json }) => ({ slot: token, json }));

export abstract class LuksDevice {
  #tokens: UnlockToken[] = [];
  #foreign: ForeignToken[] = [];
  #rawTokens: RawToken[] = [];
  #header: CryptHeader | null = null;
  #volumeKey: VolumeKey | null = null;

  protected constructor(
    /** Path of the device that has the header. */
    readonly container: string,
    /** Name of the mapping that it is opened as. */
    readonly mapping: string,
  ) {}

  /**
   * Makes the header and binds what is asked for. Returns the volume key, for the caller to wipe. On failure nothing is
   * left of the header.
   */
  protected async format(format: HeaderFormat, request: AcceptedRequest): Promise<VolumeKey> {
    const volumeKey = await native().cryptFormat(this.container, format);
    try {
      return await wipedOnFailure(volumeKey, async () => {
        await this.#bindAll(volumeKey, request);
        if (!(await this.refresh())) throw new EngineError("the new header has no unlock method");
      });
    } catch (error) {
      await this.wipe();
      throw new ChainedError(`Failed to initialize the encryption of ${this.container}`, error);
    }
  }

  /**
   * The volume key that the data have, or will have when what was begun is done: whoever has it need not derive it from
   * a passphrase, which takes seconds. It is wiped when it has been of use. Null: it is to be forgotten.
   */
  keepVolumeKey(volumeKey: VolumeKey | null): void {
    this.#volumeKey?.wipe();
    this.#volumeKey = volumeKey;
  }

  /**
   * For the opening of a header that was just made. One that Clevis is to open is opened by what Clevis answers, so that
   * a server that can't answer does not go unnoticed until there are data.
   */
  protected keepNewVolumeKey(volumeKey: VolumeKey, { clevis: bindings }: AcceptedRequest): void {
    if (bindings.length === 0) this.keepVolumeKey(volumeKey);
    else volumeKey.wipe();
  }

  /** Opens the header with the volume key, if it is kept and still is the header's; else as tryAll() does. */
  protected async openBy(
    method: Exclude<UnlockMethod, null>,
    passphrase: Secret | null,
    work: (unlock: CryptUnlock | VolumeKeyUnlock) => Promise<unknown>,
  ): Promise<void> {
    const volumeKey = this.#volumeKey;
    if (volumeKey !== null)
      try {
        await work({ volumeKey });
        return;
      } catch (error) {
        if (!isNativeError(error) || error.code !== "EPERM") throw error;
      } finally {
        this.keepVolumeKey(null);
      }
    await this.tryAll(method, passphrase, work);
  }

  /** Explicit slots first, so that what may have any slot takes what is left; keys before Clevis, which they authorise. */
  async #bindAll(volumeKey: VolumeKey, { keys, clevis: bindings }: AcceptedRequest): Promise<void> {
    const fixed = <T extends { slot: number | null }>(list: readonly T[]): T[] =>
      [...list].filter(({ slot }) => slot !== null);
    const free = <T extends { slot: number | null }>(list: readonly T[]): T[] =>
      [...list].filter(({ slot }) => slot === null);
    const secret = native().randomPassphrase(TEMPORARY_KEY_BYTES);
    const keyslot =
      bindings.length === 0
        ? null
        : await native().cryptAddKeyslot(this.container, { volumeKey }, { secret });
    try {
      for (const { slot, description } of fixed(keys)) await this.#addKey({ volumeKey }, description, slot);
      for (const { slot, config } of fixed(bindings))
        await clevis.bind(this.container, config, { secret }, slot);
      for (const { description } of free(keys)) await this.#addKey({ volumeKey }, description, null);
      for (const { config } of free(bindings)) await clevis.bind(this.container, config, { secret }, null);
      if (keyslot !== null) await native().cryptDestroyKeyslot(this.container, keyslot);
    } finally {
      secret.wipe();
    }
  }

  /** Returns the slot of the new token. */
  async #addKey(
    authorisation: CryptUnlock | { volumeKey: VolumeKey },
    description: string,
    slot: number | null,
  ): Promise<number> {
    const keyDescription = keyName(description);
    const keyslot = await native().cryptAddKeyslot(this.container, authorisation, { keyDescription });
    return await this.#setKeyToken(slot, keyslot, description);
  }

  #setKeyToken(slot: number | null, keyslot: number, description: string): Promise<number> {
    const json = {
      type: "luks2-keyring",
      keyslots: [String(keyslot)],
      key_description: keyName(description),
    };
    return native().cryptSetToken(this.container, slot, JSON.stringify(json));
  }

  /** Unlock methods, by slot, ascending. */
  get tokens(): readonly UnlockToken[] {
    return this.#tokens;
  }

  /** What can't be read as an unlock method, by slot. */
  get foreignTokens(): readonly ForeignToken[] {
    return this.#foreign;
  }

  /** All tokens, by slot, ascending, as of the last time that the header was read. */
  protected get rawTokens(): readonly RawToken[] {
    return this.#rawTokens;
  }

  /** As of the last time that it was read; null: there is none. */
  protected get header(): CryptHeader | null {
    return this.#header;
  }

  /** The operation in place that was begun and is not finished; null: there is none. */
  get pending(): "encrypt" | "reencrypt" | "decrypt" | null {
    return this.#header?.reencryption.mode ?? null;
  }

  /**
   * Reads the header again; false when it has no unlock method (any more). Throws EngineError where there are tokens
   * that could be one, and none can be read.
   */
  async refresh(): Promise<boolean> {
    const header = await native().cryptLoad(this.container);
    if (header?.reencryption.state === "invalid")
      throw new EngineError(
        `The LUKS2 header of ${this.container} contradicts itself about an operation in place that is under way`,
      );
    this.#header = header;
    this.#rawTokens = header === null ? [] : rawTokensOf(header);
    const { methods, foreign } = readTokens(this.#rawTokens);
    this.#warnOf(foreign);
    this.#tokens = methods;
    this.#foreign = foreign;
    if (methods.length === 0 && foreign.length > 0)
      throw new EngineError(
        `None of the unlock methods of ${this.container} can be understood: ${foreign.map(foreignText).join("; ")}`,
      );
    return methods.length > 0;
  }

  /** Of those that it was not said of before. */
  #warnOf(foreign: readonly ForeignToken[]): void {
    const known = new Set(this.#foreign.map(foreignText));
    for (const text of foreign.map(foreignText))
      if (!known.has(text))
        log.warn(`${this.container}: ${text}; it is left alone, and does not open the pool`);
  }

  /** Of the mapping; null: it is not there. */
  async mappingNumber(): Promise<DeviceNumber | null> {
    try {
      const { device } = await native().dmCall({ op: "info", name: this.mapping });
      return device === undefined ? null : { major: device.major, minor: device.minor };
    } catch (error) {
      if (isNativeError(error) && error.code === "ENXIO") return null;
      throw error;
    }
  }

  /** The mapping that was just made. */
  async requireMapping(): Promise<DeviceNumber> {
    const device = await this.mappingNumber();
    if (device === null) throw new EngineError(`${this.mapping} does not exist after it was activated`);
    return device;
  }

  /** Tries what the method stands for, one way after the other. Throws EngineError with what each failed for. */
  protected async tryAll(
    method: Exclude<UnlockMethod, null>,
    passphrase: Secret | null,
    work: (unlock: CryptUnlock) => Promise<unknown>,
  ): Promise<void> {
    const wanted = method === "any" ? this.#tokens : this.#tokens.filter(({ slot }) => slot === method);
    if (wanted.length === 0) throw new EngineError(`Token slot ${method} empty`);
    if (passphrase !== null) {
      const keyslot = method === "any" ? null : (wanted[0]?.keyslot ?? null);
      // While a re-encryption is pending a token has a keyslot of either key, and both are needed.
      if (method !== "any" && keyslot === null && this.pending === null)
        throw new EngineError(`Keyslot for token ${method} not found`);
      try {
        await work({ secret: passphrase, keyslot });
      } catch (error) {
        throw new ChainedError("The passphrase does not open the pool", error);
      }
      return;
    }
    const failures: string[] = [];
    for (const token of wanted)
      try {
        await this.withSecretOf(token, work);
        return;
      } catch (error) {
        failures.push(failureOf(token, error));
      }
    throw new EngineError(`Failed to unlock using token; ${failures.join("; ")}`);
  }

  /** The secret of a token, for the time of `work`. */
  protected async withSecretOf<T>(token: UnlockToken, work: (unlock: CryptUnlock) => Promise<T>): Promise<T> {
    const { keyslot } = token;
    if (token.kind === "key") {
      if (!(await hasKey(token.description)))
        throw new EngineError(`The key description "${token.description}" is not currently set.`);
      return await work({ keyDescription: keyName(token.description), keyslot });
    }
    const { json } = this.#rawTokens.find(({ slot }) => slot === token.slot) ?? { json: "" };
    const secret = await clevis.decrypt(json);
    try {
      return await work({ secret, keyslot });
    } finally {
      secret.wipe();
    }
  }

  /** Throws EngineError with the reason when the token does not open its header now. */
  async requireOpens(token: UnlockToken): Promise<void> {
    try {
      await this.withSecretOf(token, (unlock) => native().cryptTest(this.container, unlock));
    } catch (error) {
      throw new EngineError(failureOf(token, error));
    }
  }

  /**
   * Runs `work` with the secret of one unlock method after the other. `refused` tells of a failure of `work` that it was
   * the secret's, so that the next one is tried; any other is the end of it.
   */
  async #withEach<T>(
    work: (unlock: CryptUnlock, token: UnlockToken) => Promise<T>,
    refused: (error: unknown) => boolean,
  ): Promise<T> {
    const failures: string[] = [];
    for (const token of this.#tokens) {
      const state = { tried: false };
      try {
        return await this.withSecretOf(token, (unlock) => {
          state.tried = true;
          return work(unlock, token);
        });
      } catch (error) {
        if (state.tried && !refused(error)) throw error;
        failures.push(failureOf(token, error));
      }
    }
    throw noneOpens(failures);
  }

  /**
   * Runs `work` with the first unlock method whose secret libcryptsetup accepts. The first thing that `work` does is to
   * open the header, so that nothing is done where it is refused.
   */
  protected openingByAny<T>(work: (unlock: CryptUnlock, token: UnlockToken) => Promise<T>): Promise<T> {
    return this.#withEach(work, isRefusedSecret);
  }

  /** Something that opens the header now, for the time of `work`, which can't tell by itself whether it does. */
  protected withAnySecret<T>(work: (unlock: CryptUnlock, token: UnlockToken) => Promise<T>): Promise<T> {
    const state = { opened: false };
    return this.#withEach(
      async (unlock, token) => {
        await native().cryptTest(this.container, unlock);
        state.opened = true;
        return await work(unlock, token);
      },
      () => !state.opened,
    );
  }

  /** Nothing of the header is left; the mapping must be gone. */
  async wipe(): Promise<void> {
    this.keepVolumeKey(null);
    await forgetHeaders(this.mapping);
    await native().cryptWipe(this.container);
  }

  /** What somebody else has put into a slot stays there. */
  #requireFree(slot: number | null): void {
    if (slot !== null && this.#rawTokens.some((token) => token.slot === slot))
      throw new EngineError(`Token slot ${slot} of ${this.container} is already occupied`);
  }

  /** Returns the slot of the token. What fails may leave a half of the change: see keepingHeaders(). */
  async bindKey(description: string, slot: number | null): Promise<number> {
    this.#requireFree(slot);
    const bound = await this.openingByAny((unlock) => this.#addKey(unlock, description, slot));
    await this.refresh();
    return bound;
  }

  /** Returns the slot of the token. */
  async bindClevis(config: AcceptedConfig, slot: number | null): Promise<number> {
    this.#requireFree(slot);
    const before = new Set(this.#rawTokens.map(({ slot: taken }) => taken));
    await this.withAnySecret((unlock, token) => {
      if (token.kind === "key") return clevis.bind(this.container, config, { token: token.slot }, slot);
      if (!("secret" in unlock)) throw new EngineError("a Clevis token opens by a passphrase only");
      return clevis.bind(this.container, config, { secret: unlock.secret }, slot);
    });
    await this.refresh();
    const added = this.#tokens.find(({ slot: found }) => !before.has(found));
    if (added === undefined)
      throw new EngineError("Clevis bound the pool, but no new token was found in its header");
    return added.slot;
  }

  async rebindKey(token: UnlockToken & { kind: "key" }, description: string): Promise<void> {
    const secret = (of: string): { keyDescription: string } => ({ keyDescription: keyName(of) });
    const [before, after] = [secret(token.description), secret(description)];
    const keyslot = requireKeyslot(token);
    // It may have been interrupted right before its token was written.
    const changed = (await this.#opens({ ...after, keyslot }))
      ? keyslot
      : await native().cryptChangeKeyslot(this.container, keyslot, before, after);
    await this.#setKeyToken(token.slot, changed, description);
    await this.refresh();
  }

  async #opens(unlock: CryptUnlock): Promise<boolean> {
    try {
      await native().cryptTest(this.container, unlock);
      return true;
    } catch (error) {
      if (isNativeError(error) && error.code === "EPERM") return false;
      throw error;
    }
  }

  async rebindClevis(token: UnlockToken & { kind: "clevis" }): Promise<void> {
    await clevis.regenerate(this.container, requireKeyslot(token), token);
    await this.refresh();
  }

  async unbind(token: UnlockToken): Promise<void> {
    // One that was interrupted may have left the token alone.
    if (isUnbound(this.#rawTokens.find(({ slot }) => slot === token.slot)))
      await native().cryptRemoveToken(this.container, token.slot);
    else if (token.kind === "clevis") await clevis.unbind(this.container, requireKeyslot(token));
    else {
      await native().cryptDestroyKeyslot(this.container, requireKeyslot(token));
      await native().cryptRemoveToken(this.container, token.slot);
    }
    await this.refresh();
  }
}

/** Returns the volume key when `work` is done, for the caller to wipe. */
export async function wipedOnFailure(volumeKey: VolumeKey, work: () => Promise<void>): Promise<VolumeKey> {
  try {
    await work();
    return volumeKey;
  } catch (error) {
    volumeKey.wipe();
    throw error;
  }
}

export function requireKeyslot({ slot, keyslot }: UnlockToken): number {
  if (keyslot === null)
    throw new EngineError(`Token slot ${slot} is not associated with exactly one keyslot`);
  return keyslot;
}

/** Calls of libcryptsetup that open a header before anything is done. */
const OPENING = ["crypt_volume_key_get", "crypt_reencrypt_init_by_passphrase"];

/** Nothing was done: the next unlock method may open what this one could not. */
export const isRefusedSecret = (error: unknown): boolean =>
  isNativeError(error) &&
  OPENING.includes(error.syscall) &&
  ["EPERM", "ENOENT", "ENOKEY"].includes(error.code);

const foreignText = ({ slot, reason }: ForeignToken): string =>
  `token slot ${slot} has something that is no unlock method of Stratis: ${reason}`;

export const describe = (token: UnlockToken): string =>
  token.kind === "key" ? `key description "${token.description}"` : `Clevis pin ${token.pin}`;

export const noneOpens = (failures: readonly string[]): EngineError =>
  new EngineError(`Unable to get passphrase for any available token slots: ${failures.join("; ")}`);

const failureOf = (token: UnlockToken, error: unknown): string =>
  `token slot ${token.slot} (${describe(token)}): ${errorText(error)}`;
