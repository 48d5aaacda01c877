/** Pool methods that bind, rebind, unbind, encrypt, reencrypt and decrypt (dbus-api.md §7.4, §11.2). */
import { EngineError } from "../../engine/errors";
import type { EncryptionRequest, Pool, TokenSlotInput } from "../../engine/engine";
import { canonicalJson } from "../json";
import type { MethodCall } from "../table/rows";
import { freeTokenSlots, singleClevisInfo, singleKeyDescription } from "../values";
import { keyDescription } from "./arguments";
import { entryOf, named } from "./pool";

type Call = MethodCall<"pool">;
type BindingKind = "key" | "clevis";

/** Revisions before r8 know one binding of each kind and no token slots. */
const FIRST_WITH_SLOTS = 8;

const ROWS: Record<BindingKind, { single: string; all: string; value: (pool: Pool) => unknown }> = {
  key: { single: "KeyDescription", all: "KeyDescriptions", value: singleKeyDescription },
  clevis: { single: "ClevisInfo", all: "ClevisInfos", value: singleClevisInfo },
};

/**
 * Runs an operation on bindings of one kind and announces what it changed. The single binding that r0 to r7 show is
 * announced when it changed, and always for calls through those revisions and for V1 pools, which have no other.
 */
async function changingBindings<T>(
  call: Call,
  kind: BindingKind,
  method: string,
  work: (pool: Pool) => Promise<T>,
  hasChanged: (result: T) => boolean,
): Promise<boolean> {
  const { pool } = call.target;
  const row = ROWS[kind];
  const singleBefore = JSON.stringify(row.value(pool));
  const [, freeBefore] = freeTokenSlots(pool);
  const result = await work(pool);
  const changed = hasChanged(result);
  call.service.log.info(`${method}: ${named(call)}: ${changed ? "done" : "nothing to do"}`);
  if (!changed) return false;
  const single =
    call.revision < FIRST_WITH_SLOTS ||
    pool.metadataVersion === 1 ||
    JSON.stringify(row.value(pool)) !== singleBefore;
  const names = single ? [row.single, row.all] : [row.all];
  const [, freeAfter] = freeTokenSlots(pool);
  if (freeAfter !== freeBefore) names.push("FreeTokenSlots");
  call.service.announcer.propertiesChanged(entryOf(call), names);
  return true;
}

const created = ({ action }: { action: "created" | "identity" }): boolean => action === "created";
const deleted = ({ action }: { action: "deleted" | "identity" }): boolean => action === "deleted";

export const bindKeyring = (call: Call, description: string, slot: TokenSlotInput): Promise<boolean> =>
  changingBindings(
    call,
    "key",
    "BindKeyring",
    (pool) => pool.bindKeyring(keyDescription(description), slot),
    created,
  );

export const bindClevis = (call: Call, pin: string, json: string, slot: TokenSlotInput): Promise<boolean> =>
  changingBindings(
    call,
    "clevis",
    "BindClevis",
    (pool) => pool.bindClevis(pin, canonicalJson(json), slot),
    created,
  );

export const rebindKeyring = (call: Call, description: string, slot: number | null): Promise<boolean> =>
  changingBindings(
    call,
    "key",
    "RebindKeyring",
    async (pool) => {
      const result = await pool.rebindKeyring(keyDescription(description), slot);
      if (result.action === "noSource")
        throw new EngineError(`pool with UUID ${pool.uuid} is not currently bound to a keyring passphrase`);
      return result;
    },
    ({ action }) => action === "renamed",
  );

/** Never idempotent: the binding is made anew from its own configuration. */
export const rebindClevis = (call: Call, slot: number | null): Promise<boolean> =>
  changingBindings(
    call,
    "clevis",
    "RebindClevis",
    (pool) => pool.rebindClevis(slot),
    () => true,
  );

export const unbindKeyring = (call: Call, slot: number | null): Promise<boolean> =>
  changingBindings(call, "key", "UnbindKeyring", (pool) => pool.unbindKeyring(slot), deleted);

export const unbindClevis = (call: Call, slot: number | null): Promise<boolean> =>
  changingBindings(call, "clevis", "UnbindClevis", (pool) => pool.unbindClevis(slot), deleted);

export async function encryptPool(call: Call, request: EncryptionRequest): Promise<boolean> {
  if (request.keys.length === 0 && request.clevis.length === 0)
    throw new EngineError("No unlock methods provided");
  const { action } = await call.target.pool.encrypt(request);
  call.service.log.info(`EncryptPool: ${named(call)}: ${action}`);
  if (action === "identity") return false;
  call.service.announcer.poolChanged(entryOf(call), ["encryption"]);
  return true;
}

export async function reencryptPool(call: Call): Promise<boolean> {
  await call.target.pool.reencrypt();
  call.service.log.info(`ReencryptPool: ${named(call)}: done`);
  call.service.announcer.poolChanged(entryOf(call), ["lastReencrypted"]);
  return true;
}

export async function decryptPool(call: Call): Promise<boolean> {
  const { action } = await call.target.pool.decrypt();
  call.service.log.info(`DecryptPool: ${named(call)}: ${action}`);
  if (action === "identity") return false;
  call.service.announcer.poolChanged(entryOf(call), ["encryption", "lastReencrypted"]);
  return true;
}
