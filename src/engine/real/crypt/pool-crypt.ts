/**
 * The one LUKS2 layer of an encrypted V2 pool: between cache (or its placeholder) and flex devices (encryption.md §1,
 * §8, §12.3, §13, §14).
 */
import type { DeviceNumber } from "../../../dm/device-number";
import * as names from "../../../dm/names";
import { dmPath } from "../../../dm/operations";
import { isNativeError, native, type CryptUnlock, type VolumeKey } from "../../../native";
import { logger } from "../../../log";
import type { PoolUuid } from "../../../uuid";
import type { EncryptionRequest, UnlockMethod } from "../../engine";
import { ChainedError, EngineError, errorText } from "../../errors";
import { CRYPT_META_SECTORS } from "../backstore/layout";
import { hasKey, keyName } from "../keys";
import * as clevis from "./clevis";
import { acceptConfig, type AcceptedConfig } from "./clevis-config";
import { completeReencryption } from "./complete-reencryption";
import { featuresOf, MAX_TOKENS, unlockTokens, type UnlockToken } from "./tokens";

const log = logger("stratisd::engine::crypt");

/** Of one copy of the header, and of the area behind both. */
const METADATA_BYTES = 0x10000;
const KEYSLOTS_BYTES = 0xff8000;
/** A key that authorises Clevis while a header has no other. */
const TEMPORARY_KEY_BYTES = 64;

/** How a start opens the pool. */
export interface Unlock {
  method: UnlockMethod;
  passphrase: Uint8Array | null;
}

/** What is to be bound, judged; nothing has been changed. Throws EngineError. */
export interface AcceptedRequest {
  keys: EncryptionRequest["keys"];
  clevis: { slot: number | null; config: AcceptedConfig }[];
}

export async function acceptRequest(request: EncryptionRequest): Promise<AcceptedRequest> {
  const slots = [...request.keys, ...request.clevis].flatMap(({ slot }) => (slot === null ? [] : [slot]));
  const twin = slots.find((slot, index) => slots.indexOf(slot) !== index);
  if (twin !== undefined) throw new EngineError(`Token slot ${twin} already taken`);
  const count = request.keys.length + request.clevis.length;
  if (count > MAX_TOKENS)
    throw new EngineError(
      `${count} unlock methods were provided, where an encrypted pool has only ${MAX_TOKENS} token slots`,
    );
  for (const { description } of request.keys) await requireKey(description);
  return {
    keys: request.keys,
    clevis: request.clevis.map(({ slot, pin, config }) => ({ slot, config: acceptConfig(pin, config) })),
  };
}

export async function requireKey(description: string): Promise<void> {
  if (!(await hasKey(description)))
    throw new EngineError(`Key with key description ${description} not found in kernel keyring`);
}

const volumeKeyName = (pool: PoolUuid): string => `stratis-1-vk-${pool}`;

export class PoolCrypt {
  #tokens: UnlockToken[] = [];
  #rawTokens = new Map<number, string>();
  #volumeKeyLoaded = false;

  private constructor(
    readonly pool: PoolUuid,
    /** The device that has the header. */
    readonly container: string,
  ) {}

  /** The encryption that a header on `container` describes; null where there is no header with a way in. */
  static async load(pool: PoolUuid, container: DeviceNumber): Promise<PoolCrypt | null> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    return (await crypt.refresh()) ? crypt : null;
  }

  /** Formats `container` and binds what is asked for. On failure nothing is left of it. */
  static async create(pool: PoolUuid, container: DeviceNumber, request: AcceptedRequest): Promise<PoolCrypt> {
    const crypt = new PoolCrypt(pool, dmPath(container));
    const volumeKey = await native().cryptFormat(crypt.container, {
      metadataSize: METADATA_BYTES,
      keyslotsSize: KEYSLOTS_BYTES,
      dataOffsetSectors: CRYPT_META_SECTORS,
    });
    try {
      await crypt.#bindAll(volumeKey, request);
      if (!(await crypt.refresh())) throw new EngineError("the new header has no unlock method");
      return crypt;
    } catch (error) {
      await crypt.wipe();
      throw new ChainedError("Failed to initialize the encryption of the pool", error);
    } finally {
      volumeKey.wipe();
    }
  }

  /** Explicit slots first, so that what may have any slot takes what is left; keys before Clevis, which they authorise. */
  async #bindAll(volumeKey: VolumeKey, { keys, clevis: bindings }: AcceptedRequest): Promise<void> {
    const fixed = <T extends { slot: number | null }>(list: readonly T[]): T[] =>
      [...list].filter(({ slot }) => slot !== null);
    const free = <T extends { slot: number | null }>(list: readonly T[]): T[] =>
      [...list].filter(({ slot }) => slot === null);
    const temporary = Buffer.from(crypto.getRandomValues(new Uint8Array(TEMPORARY_KEY_BYTES / 2)).buffer);
    // Clevis reads it as a line of text.
    const passphrase = Buffer.from(temporary.toString("hex"), "latin1");
    temporary.fill(0);
    const keyslot =
      bindings.length === 0
        ? null
        : await native().cryptAddKeyslot(this.container, { volumeKey }, { passphrase });
    try {
      for (const { slot, description } of fixed(keys)) await this.#addKey({ volumeKey }, description, slot);
      for (const { slot, config } of fixed(bindings))
        await clevis.bind(this.container, config, { passphrase }, slot);
      for (const { description } of free(keys)) await this.#addKey({ volumeKey }, description, null);
      for (const { config } of free(bindings))
        await clevis.bind(this.container, config, { passphrase }, null);
      if (keyslot !== null) await native().cryptDestroyKeyslot(this.container, keyslot);
    } finally {
      passphrase.fill(0);
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

  /** By slot, ascending. */
  get tokens(): readonly UnlockToken[] {
    return this.#tokens;
  }

  /** Features of the pool's record. */
  get features(): string[] {
    return featuresOf(this.#tokens);
  }

  /** As of the last time that it was loaded or looked for. */
  get volumeKeyLoaded(): boolean {
    return this.#volumeKeyLoaded;
  }

  /** Reads the header again; false when it has no unlock method (any more). */
  async refresh(): Promise<boolean> {
    const header = await native().cryptLoad(this.container);
    const tokens = (header?.tokens ?? []).map(({ token, json }) => ({ slot: token, json }));
    this.#rawTokens = new Map(tokens.map(({ slot, json }) => [slot, json]));
    this.#tokens = unlockTokens(tokens);
    return this.#tokens.length > 0;
  }

  get #name(): string {
    return names.v2Crypt(this.pool);
  }

  async #number(): Promise<DeviceNumber | null> {
    try {
      const { device } = await native().dmCall({ op: "info", name: this.#name });
      return device === undefined ? null : { major: device.major, minor: device.minor };
    } catch (error) {
      if (isNativeError(error) && error.code === "ENXIO") return null;
      throw error;
    }
  }

  /**
   * Opens the pool, or takes over the device of an earlier daemon, for which the volume key is loaded if that is
   * possible without anybody's help.
   */
  async open({ method, passphrase }: Unlock): Promise<DeviceNumber> {
    const live = await this.#number();
    if (live !== null) {
      await this.loadVolumeKey();
      return live;
    }
    if (method === null) throw new EngineError("No unlock mechanism was provided");
    if (await completeReencryption(this.container)) {
      log.warn(`A re-encryption of pool ${this.pool} that was interrupted at its very end is completed`);
      await this.refresh();
    }
    const volumeKeyDescription = volumeKeyName(this.pool);
    await this.#tryAll(method, passphrase, async (unlock) => {
      const opened = await native().cryptActivate(this.container, this.#name, unlock, {
        volumeKeyDescription,
      });
      this.#volumeKeyLoaded = opened.volumeKeyLoaded;
    });
    const device = await this.#number();
    if (device === null) throw new EngineError(`${this.#name} does not exist after it was activated`);
    return device;
  }

  /** Failures are logged: without the key the pool works, and can't grow. */
  async loadVolumeKey(): Promise<boolean> {
    try {
      this.#volumeKeyLoaded = await native().volumeKeyHas(volumeKeyName(this.pool));
      if (this.#volumeKeyLoaded) return true;
      await this.#tryAll("any", null, (unlock) =>
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

  /** Tries what the method stands for, one way after the other. Throws EngineError with what each failed for. */
  async #tryAll(
    method: Exclude<UnlockMethod, null>,
    passphrase: Uint8Array | null,
    work: (unlock: CryptUnlock) => Promise<unknown>,
  ): Promise<void> {
    const wanted = method === "any" ? this.#tokens : this.#tokens.filter(({ slot }) => slot === method);
    if (wanted.length === 0) throw new EngineError(`Token slot ${method} empty`);
    if (passphrase !== null) {
      const keyslot = method === "any" ? null : (wanted[0]?.keyslot ?? null);
      if (method !== "any" && keyslot === null)
        throw new EngineError(`Keyslot for token ${method} not found`);
      try {
        await work({ passphrase, keyslot });
      } catch (error) {
        throw new ChainedError("The passphrase does not open the pool", error);
      }
      return;
    }
    const failures: string[] = [];
    for (const token of wanted)
      try {
        await this.#withSecretOf(token, work);
        return;
      } catch (error) {
        failures.push(`token slot ${token.slot} (${describe(token)}): ${errorText(error)}`);
      }
    throw new EngineError(`Failed to unlock using token; ${failures.join("; ")}`);
  }

  /** The secret of a token, for the time of `work`. */
  async #withSecretOf<T>(token: UnlockToken, work: (unlock: CryptUnlock) => Promise<T>): Promise<T> {
    const { keyslot } = token;
    if (token.kind === "key") {
      if (!(await hasKey(token.description)))
        throw new EngineError(`The key description "${token.description}" is not currently set.`);
      return await work({ keyDescription: keyName(token.description), keyslot });
    }
    const passphrase = await clevis.decrypt(this.#rawTokens.get(token.slot) ?? "");
    try {
      return await work({ passphrase, keyslot });
    } finally {
      passphrase.fill(0);
    }
  }

  /** Something that opens the header now, for the time of `work`. */
  async #withAnySecret<T>(work: (unlock: CryptUnlock, token: UnlockToken) => Promise<T>): Promise<T> {
    const failures: string[] = [];
    for (const token of this.#tokens) {
      const state = { opened: false };
      try {
        return await this.#withSecretOf(token, async (unlock) => {
          await native().cryptTest(this.container, unlock);
          state.opened = true;
          return await work(unlock, token);
        });
      } catch (error) {
        if (state.opened) throw error;
        failures.push(`token slot ${token.slot} (${describe(token)}): ${errorText(error)}`);
      }
    }
    throw new EngineError(`Unable to get passphrase for any available token slots: ${failures.join("; ")}`);
  }

  /** After the device below has grown. */
  async resize(): Promise<void> {
    if (!(await this.loadVolumeKey()))
      throw new EngineError(`Failed to get volume key for pool with UUID ${this.pool}`);
    await native().cryptResize(this.container, this.#name, {
      volumeKeyDescription: volumeKeyName(this.pool),
    });
  }

  async forgetVolumeKey(): Promise<void> {
    this.#volumeKeyLoaded = false;
    await native().volumeKeyUnset(volumeKeyName(this.pool));
  }

  /** Nothing of the header is left; the device that it opened must be gone. */
  async wipe(): Promise<void> {
    await native().cryptWipe(this.container);
  }

  async bindKey(description: string, slot: number | null): Promise<number> {
    const bound = await this.#withAnySecret((unlock) => this.#addKey(unlock, description, slot));
    await this.refresh();
    return bound;
  }

  async bindClevis(config: AcceptedConfig, slot: number | null): Promise<number> {
    const before = new Set(this.#rawTokens.keys());
    await this.#withAnySecret((unlock, token) => {
      if (token.kind === "key") return clevis.bind(this.container, config, { token: token.slot }, slot);
      if (!("passphrase" in unlock)) throw new EngineError("a Clevis token opens by a passphrase only");
      return clevis.bind(this.container, config, { passphrase: unlock.passphrase }, slot);
    });
    await this.refresh();
    const added = this.#tokens.find(({ slot: found }) => !before.has(found));
    if (added === undefined)
      throw new EngineError("Clevis bound the pool, but no new token was found in its header");
    return added.slot;
  }

  async rebindKey(token: UnlockToken & { kind: "key" }, description: string): Promise<void> {
    const keyslot = requireKeyslot(token);
    const [before, after] = [token.description, description].map((name) => ({
      keyDescription: keyName(name),
    }));
    if (before === undefined || after === undefined)
      throw new EngineError("two descriptions make two secrets");
    const changed = await native().cryptChangeKeyslot(this.container, keyslot, before, after);
    await this.#setKeyToken(token.slot, changed, description);
    await this.refresh();
  }

  async rebindClevis(token: UnlockToken & { kind: "clevis" }): Promise<void> {
    await clevis.regenerate(this.container, requireKeyslot(token));
    await this.refresh();
  }

  async unbind(token: UnlockToken): Promise<void> {
    const keyslot = requireKeyslot(token);
    if (token.kind === "clevis") await clevis.unbind(this.container, keyslot);
    else {
      await native().cryptDestroyKeyslot(this.container, keyslot);
      await native().cryptRemoveToken(this.container, token.slot);
    }
    await this.refresh();
  }
}

function requireKeyslot({ slot, keyslot }: UnlockToken): number {
  if (keyslot === null)
    throw new EngineError(`Token slot ${slot} is not associated with exactly one keyslot`);
  return keyslot;
}

export const describe = (token: UnlockToken): string =>
  token.kind === "key" ? `key description "${token.description}"` : `Clevis pin ${token.pin}`;
