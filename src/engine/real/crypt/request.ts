/** What a client wants of a pool's encryption: judged before anything is changed. */
import type { Secret } from "../../../native";
import type { EncryptionRequest, UnlockMethod } from "../../engine";
import { EngineError } from "../../errors";
import { validateEncryption } from "../../validation";
import { hasKey } from "../keys";
import { acceptConfig, type AcceptedConfig } from "./clevis-config";

/** How a start opens the pool. */
export interface Unlock {
  method: UnlockMethod;
  passphrase: Secret | null;
}

/** What is to be bound, judged; nothing has been changed. */
export interface AcceptedRequest {
  keys: EncryptionRequest["keys"];
  clevis: { slot: number | null; config: AcceptedConfig }[];
}

/** Throws EngineError for what can't be bound. */
export async function acceptRequest(request: EncryptionRequest): Promise<AcceptedRequest> {
  const { keys, clevis } = validateEncryption(request);
  for (const { description } of keys) await requireKey(description);
  return {
    keys,
    clevis: clevis.map(({ slot, pin, config }) => ({ slot, config: acceptConfig(pin, config) })),
  };
}

export async function requireKey(description: string): Promise<void> {
  if (!(await hasKey(description)))
    throw new EngineError(`Key with key description ${description} not found in kernel keyring`);
}
