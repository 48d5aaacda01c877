/** Pool methods that bind, rebind, unbind, encrypt, reencrypt and decrypt (dbus-api.md §7.4, §11.2). */
import type { CreateAction, DeleteAction } from "../../engine/actions";
import { EngineError } from "../../engine/errors";
import type { EncryptionRequest, Pool, TokenSlotInput } from "../../engine/engine";
import { canonicalJson } from "../json";
import type { MethodCall } from "../table/rows";
import { keyDescription } from "./arguments";
import { syncOperation } from "../reconcile";
import { entryOf, named } from "./pool";

type Call = MethodCall<"pool">;
type BindingKind = "key" | "clevis";

/** Revisions before r8 know one binding of each kind and no token slots. */
const FIRST_WITH_SLOTS = 8;

const ROWS: Record<BindingKind, { single: string; all: string }> = {
  key: { single: "KeyDescription", all: "KeyDescriptions" },
  clevis: { single: "ClevisInfo", all: "ClevisInfos" },
};

/** What an operation did: in which token slot (null: the lowest of its kind), and whether it took or freed one. */
interface BindingChange {
  readonly slot: number | null;
  readonly slotsChanged: boolean;
}

function lowestSlot({ encryptionInfo: info }: Pool, kind: BindingKind): number {
  if (info === null || !("keys" in info)) return Infinity;
  const bindings = kind === "key" ? info.keys : info.clevis;
  return Math.min(...bindings.map(({ slot }) => slot));
}

/**
 * Runs an operation on bindings of one kind and announces what it changed. The single binding that r0 to r7 show is
 * announced when the operation was about the lowest slot, and always for calls through those revisions and for V1
 * pools, which have no other. What was there before is no measure: other operations may have come in between.
 */
async function changingBindings(
  call: Call,
  kind: BindingKind,
  method: string,
  work: (pool: Pool) => Promise<BindingChange | null>,
): Promise<boolean> {
  const { pool } = call.target;
  const change = await work(pool);
  call.service.log.info(`${method}: ${named(call)}: ${change !== null ? "done" : "nothing to do"}`);
  if (change === null) return false;
  const single =
    call.revision < FIRST_WITH_SLOTS ||
    pool.metadataVersion === 1 ||
    change.slot === null ||
    change.slot <= lowestSlot(pool, kind);
  const { single: singleName, all } = ROWS[kind];
  const names = single ? [singleName, all] : [all];
  if (change.slotsChanged && pool.metadataVersion !== 1) names.push("FreeTokenSlots");
  call.service.announcer.propertiesChanged(entryOf(call), names);
  return true;
}

const bound = (result: CreateAction<number>): BindingChange | null =>
  result.action === "created" ? { slot: result.value, slotsChanged: true } : null;
const unbound = (result: DeleteAction<number>): BindingChange | null =>
  result.action === "deleted" ? { slot: result.value, slotsChanged: true } : null;

export const bindKeyring = (call: Call, description: string, slot: TokenSlotInput): Promise<boolean> =>
  changingBindings(call, "key", "BindKeyring", async (pool) =>
    bound(await pool.bindKeyring(keyDescription(description), slot)),
  );

export const bindClevis = (call: Call, pin: string, json: string, slot: TokenSlotInput): Promise<boolean> =>
  changingBindings(call, "clevis", "BindClevis", async (pool) =>
    bound(await pool.bindClevis(pin, canonicalJson(json), slot)),
  );

export const rebindKeyring = (call: Call, description: string, slot: number | null): Promise<boolean> =>
  changingBindings(call, "key", "RebindKeyring", async (pool) => {
    const { action } = await pool.rebindKeyring(keyDescription(description), slot);
    if (action === "noSource")
      throw new EngineError(`pool with UUID ${pool.uuid} is not currently bound to a keyring passphrase`);
    return action === "renamed" ? { slot, slotsChanged: false } : null;
  });

/** Never idempotent: the binding is made anew from its own configuration. */
export const rebindClevis = (call: Call, slot: number | null): Promise<boolean> =>
  changingBindings(call, "clevis", "RebindClevis", async (pool) => {
    await pool.rebindClevis(slot);
    return { slot, slotsChanged: false };
  });

export const unbindKeyring = (call: Call, slot: number | null): Promise<boolean> =>
  changingBindings(call, "key", "UnbindKeyring", async (pool) => unbound(await pool.unbindKeyring(slot)));

export const unbindClevis = (call: Call, slot: number | null): Promise<boolean> =>
  changingBindings(call, "clevis", "UnbindClevis", async (pool) => unbound(await pool.unbindClevis(slot)));

/** The object of the operation appears when the pool is looked at next, and goes with its end. */
async function longOperation<T>(call: Call, work: (pool: Pool) => Promise<T>): Promise<T> {
  const { pool } = call.target;
  try {
    return await work(pool);
  } finally {
    syncOperation(call.service, pool.uuid);
  }
}

export async function encryptPool(call: Call, request: EncryptionRequest): Promise<boolean> {
  if (request.keys.length === 0 && request.clevis.length === 0)
    throw new EngineError("No unlock methods provided");
  const { action } = await longOperation(call, (pool) => pool.encrypt(request));
  call.service.log.info(`EncryptPool: ${named(call)}: ${action}`);
  if (action === "identity") return false;
  call.service.announcer.poolChanged(entryOf(call), ["encryption"]);
  return true;
}

export async function reencryptPool(call: Call): Promise<boolean> {
  await longOperation(call, (pool) => pool.reencrypt());
  call.service.log.info(`ReencryptPool: ${named(call)}: done`);
  call.service.announcer.poolChanged(entryOf(call), ["lastReencrypted"]);
  return true;
}

export async function decryptPool(call: Call): Promise<boolean> {
  const { action } = await longOperation(call, (pool) => pool.decrypt());
  call.service.log.info(`DecryptPool: ${named(call)}: ${action}`);
  if (action === "identity") return false;
  call.service.announcer.poolChanged(entryOf(call), ["encryption", "lastReencrypted"]);
  return true;
}
