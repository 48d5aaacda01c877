/** EncryptPool, ReencryptPool and DecryptPool, and what goes on by itself after an interruption. */
import { logger } from "../../log";
import type { Secret } from "../../native";
import type { EncryptionRequest, EngineChange, PoolProperty } from "../engine";
import { EngineError, errorText } from "../errors";
import type { PoolCore } from "./core";
import type { PoolCrypt } from "./crypt/pool-crypt";
import { acceptRequest } from "./crypt/request";
import {
  beginEncryption,
  beginReencryption,
  encryptedLayer,
  finishEncryption,
  finishReencryption,
  KIND_TEXT,
  recoverFromFailure,
  removeEncryption,
  type EncryptedLayer,
  type InPlaceKind,
} from "./in-place";
import { InPlaceRun } from "./in-place-run";

const log = logger("stratisd::engine::inplace");

/** What clients see change at the end of each. */
const CHANGED: Record<InPlaceKind, PoolProperty[]> = {
  encrypt: ["encryption"],
  reencrypt: ["lastReencrypted"],
  decrypt: ["encryption", "lastReencrypted"],
};

/** How an operation gets the pool for itself. */
export interface PoolAccess {
  /** When no other operation has it. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  /** The same, refused when the pool permits no changes. */
  change<T>(work: () => Promise<T>): Promise<T>;
}

export class InPlaceOperations {
  #running: { kind: InPlaceKind; end: Promise<void> } | null = null;
  /** What nobody was told who had asked for it. */
  #changes: EngineChange[] = [];

  constructor(
    private readonly core: PoolCore,
    private readonly access: PoolAccess,
  ) {}

  /** Changes since the last time that were not the answer to a call. */
  takeChanges(): EngineChange[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Resolves to false when the pool was encrypted already. */
  async encrypt(request: EncryptionRequest): Promise<boolean> {
    const { core } = this;
    const end = await this.access.change(async () => {
      if (core.version === 1)
        throw new EngineError("Encrypting an unencrypted device is only supported in V2 of the metadata");
      const accepted = await acceptRequest(request);
      const pending = this.#pendingOrIdle("encrypt");
      if (pending !== null) return pending;
      if (core.crypt !== null) return null;
      await beginEncryption(core, accepted);
      return this.#launch("encrypt", this.#requireCrypt(), null);
    });
    await end?.done;
    return end !== null;
  }

  async reencrypt(): Promise<void> {
    const end = await this.access.change(async () => {
      const pending = this.#pendingOrIdle("reencrypt");
      if (pending !== null) return pending;
      const layer = encryptedLayer(this.core);
      if (layer === null) throw new EngineError("Cannot reencrypt an unencrypted pool");
      await beginReencryption(this.core, layer);
      return this.#launch("reencrypt", layer, null);
    });
    await end.done;
  }

  /** Resolves to false when the pool was not encrypted. */
  async decrypt(): Promise<boolean> {
    const end = await this.access.change(async () => {
      if (this.core.version === 1)
        throw new EngineError("Decrypting an encrypted device is only supported in V2 of the metadata");
      const pending = this.#pendingOrIdle("decrypt");
      if (pending !== null) return pending;
      if (this.core.crypt === null) return null;
      await this.core.crypt.beginDecryption();
      return this.#launch("decrypt", this.core.crypt, null);
    });
    await end?.done;
    return end !== null;
  }

  #requireCrypt(): PoolCrypt {
    if (this.core.crypt === null) throw new EngineError("Pool is not encrypted");
    return this.core.crypt;
  }

  /** The end of the same operation when one is running, or pending; null when there is none. Throws when it is another. */
  #pendingOrIdle(wanted: InPlaceKind): { done: Promise<void> } | null {
    const layer = encryptedLayer(this.core);
    const under = this.#running?.kind ?? layer?.pending ?? null;
    if (under === null || layer === null) return null;
    if (under !== wanted)
      throw new EngineError(
        `The ${KIND_TEXT[under]} of pool "${this.core.name}" has begun and is not finished; until then there can be no ` +
          KIND_TEXT[wanted],
      );
    return this.#running === null ? this.#launch(wanted, layer, null) : { done: this.#running.end };
  }

  /**
   * Goes on with what was interrupted, by itself, with a share of the passphrase; does nothing when there is nothing of
   * the kind, or it runs.
   */
  resume(passphrase: Secret | null): void {
    const layer = encryptedLayer(this.core);
    // A decryption may have been brought to its end when the pool was set up.
    const kind = layer?.pending ?? (this.core.crypt?.stage === "decrypted" ? "decrypt" : null);
    if (layer === null || kind === null || this.#running !== null) return;
    log.info(`Going on with the ${KIND_TEXT[kind]} of pool "${this.core.name}"`);
    this.#launch(kind, layer, passphrase?.share() ?? null).done.then(
      () => {
        this.#changed(CHANGED[kind]);
      },
      (error: unknown) => {
        log.warn(
          `The ${KIND_TEXT[kind]} of pool "${this.core.name}" does not go on for now: ${errorText(error)}`,
        );
      },
    );
  }

  #changed(properties: PoolProperty[]): void {
    this.#changes.push({ change: "pool", uuid: this.core.uuid, properties });
  }

  /** Wipes the passphrase. In an object, since a promise that is returned from the lock would be waited for in it. */
  #launch(kind: InPlaceKind, layer: EncryptedLayer, passphrase: Secret | null): { done: Promise<void> } {
    const run = new InPlaceRun(kind, layer, passphrase);
    this.core.inPlace = run;
    const { availability } = this.core;
    const failed = (error: unknown): never => {
      this.core.restrict(error);
      if (this.core.availability !== availability) this.#changed(["availableActions"]);
      throw error;
    };
    const end = this.#carryOut(kind, layer, run)
      .catch(failed)
      .finally(() => {
        passphrase?.wipe();
        if (this.core.inPlace === run) this.core.inPlace = null;
        this.#running = null;
        this.#changed(["inPlace"]);
      });
    this.#running = { kind, end };
    // Those who wait for it hear of its failure.
    end.catch(() => undefined);
    return { done: end };
  }

  async #carryOut(kind: InPlaceKind, layer: EncryptedLayer, run: InPlaceRun): Promise<void> {
    const { core } = this;
    const started = performance.now();
    try {
      if (layer.pending !== null) await run.work();
    } catch (error) {
      try {
        await this.access.exclusive(() => recoverFromFailure(core, layer, error));
      } finally {
        // What it left half done is encrypted, in a pool that needs its key from now on.
        this.#changed(CHANGED[kind]);
      }
      throw error;
    }
    await this.access.exclusive(async () => {
      await layer.refresh();
      if (kind === "encrypt") await finishEncryption(core, this.#requireCrypt());
      else if (kind === "reencrypt") await finishReencryption(core, layer);
      else await removeEncryption(core, this.#requireCrypt());
    });
    const seconds = Math.round((performance.now() - started) / 1000);
    log.info(`The ${KIND_TEXT[kind]} of pool "${core.name}" is finished, after ${seconds} s`);
  }

  /** Throws while there is an operation that the header, or the layers below the thin pool, must stay as they are for. */
  requireIdle(what: string): void {
    const kind = this.#running?.kind ?? encryptedLayer(this.core)?.pending ?? null;
    if (kind !== null)
      throw new EngineError(`${what} is not possible before the ${KIND_TEXT[kind]} of the pool is finished`);
  }
}
