/** Unlock methods of a running, encrypted V2 pool: bound, rebound, unbound (encryption.md §16.2). */
import type { CreateAction, DeleteAction, RenameAction } from "../actions";
import type { TokenSlotInput } from "../engine";
import { EngineError } from "../errors";
import { MAX_TOKENS, validateTokenSlot } from "../validation";
import type { PoolCore } from "./core";
import { acceptConfig } from "./crypt/clevis-config";
import { keepingHeaders } from "./crypt/header-backup";
import { describe } from "./crypt/luks-device";
import type { PoolCrypt } from "./crypt/pool-crypt";
import { requireKey } from "./crypt/request";
import type { ClevisMethod, KeyMethod, UnlockToken } from "./crypt/tokens";

/** Operations on the unlock methods of a running pool; what they change and refuse depends on the metadata's version. */
export interface BindingOperations {
  bindKeyring(core: PoolCore, description: string, slot: TokenSlotInput): Promise<CreateAction<number>>;
  bindClevis(
    core: PoolCore,
    pin: string,
    config: string,
    slot: TokenSlotInput,
  ): Promise<CreateAction<number>>;
  rebindKeyring(core: PoolCore, description: string, slot: number | null): Promise<RenameAction<string>>;
  rebindClevis(core: PoolCore, slot: number | null): Promise<void>;
  unbind(core: PoolCore, kind: UnlockToken["kind"], slot: number | null): Promise<DeleteAction<number>>;
}

type Kind = UnlockToken["kind"];
type OfKind<K extends Kind> = K extends "key" ? KeyMethod : ClevisMethod;

const KIND_NAMES: Record<Kind, string> = { key: "a key description", clevis: "a Clevis binding" };

function requireEncrypted(core: PoolCore): PoolCrypt {
  if (core.crypt === null) throw new EngineError("Pool is not encrypted");
  return core.crypt;
}

const isKind = <K extends Kind>(token: UnlockToken, kind: K): token is OfKind<K> => token.kind === kind;

/** Of the bindings of a kind the one in the lowest slot. */
function lowest<K extends Kind>({ tokens }: PoolCrypt, kind: K): OfKind<K> | undefined {
  return tokens.find((token): token is OfKind<K> => isKind(token, kind));
}

const inSlot = ({ tokens }: PoolCrypt, slot: number): UnlockToken | undefined =>
  tokens.find((token) => token.slot === slot);

function requireRoom({ tokens, foreignTokens }: PoolCrypt): void {
  if (tokens.length + foreignTokens.length >= MAX_TOKENS)
    throw new EngineError(`Reached limit of ${MAX_TOKENS} token and keyslots for pool`);
}

/** Changes the header's unlock methods and lets the features of the pool's record follow: both, or neither. */
function changeMethods<T>(core: PoolCore, crypt: PoolCrypt, work: () => Promise<T>): Promise<T> {
  return keepingHeaders([crypt], async () => {
    const result = await work();
    await core.save(core.record);
    return result;
  });
}

/**
 * `same`: whether what is bound is what is wanted. Throws when something else is bound where it should be, or nothing can
 * be there.
 */
function isBound<K extends Kind>(
  crypt: PoolCrypt,
  kind: K,
  slot: TokenSlotInput,
  same: (token: OfKind<K>) => boolean,
  what: string,
): boolean {
  if (slot === null) return false;
  if (slot !== "legacy") validateTokenSlot(slot);
  const held = slot === "legacy" ? lowest(crypt, kind) : inSlot(crypt, slot);
  if (held === undefined) return false;
  if (isKind(held, kind) && same(held)) return true;
  const where = slot === "legacy" ? "Crypt device" : `Token slot ${slot}`;
  throw new EngineError(
    `${where} has already been bound with ${describe(held)}; requested ${what} can't be applied`,
  );
}

async function bindKeyring(
  core: PoolCore,
  description: string,
  slot: TokenSlotInput,
): Promise<CreateAction<number>> {
  const crypt = requireEncrypted(core);
  await requireKey(description);
  const same = (token: KeyMethod): boolean => token.description === description;
  const what = `key description "${description}"`;
  const anywhere = slot === null && crypt.tokens.some((token) => isKind(token, "key") && same(token));
  if (anywhere || isBound(crypt, "key", slot, same, what)) return { action: "identity" };
  requireRoom(crypt);
  const value = await changeMethods(core, crypt, () =>
    crypt.bindKey(description, slot === "legacy" ? null : slot),
  );
  return { action: "created", value };
}

async function bindClevis(
  core: PoolCore,
  pin: string,
  config: string,
  slot: TokenSlotInput,
): Promise<CreateAction<number>> {
  const crypt = requireEncrypted(core);
  // Of an existing binding only the pin is compared: its configuration is not what was given.
  if (isBound(crypt, "clevis", slot, (token) => token.pin === pin, `Clevis pin ${pin}`))
    return { action: "identity" };
  requireRoom(crypt);
  const accepted = acceptConfig(pin, config);
  const value = await changeMethods(core, crypt, () =>
    crypt.bindClevis(accepted, slot === "legacy" ? null : slot),
  );
  return { action: "created", value };
}

/** The binding to change: in the slot, or the lowest of its kind; undefined: there is none of the kind. */
function bindingToChange<K extends Kind>(
  crypt: PoolCrypt,
  kind: K,
  slot: number | null,
): OfKind<K> | undefined {
  if (slot === null) return lowest(crypt, kind);
  const token = inSlot(crypt, slot);
  if (token === undefined)
    throw new EngineError(`Cannot rebind ${KIND_NAMES[kind]}: token slot ${slot} is unbound`);
  if (!isKind(token, kind))
    throw new EngineError(
      `Cannot rebind ${KIND_NAMES[kind]}: token slot ${slot} is bound to ${describe(token)}`,
    );
  return token;
}

async function rebindKeyring(
  core: PoolCore,
  description: string,
  slot: number | null,
): Promise<RenameAction<string>> {
  const crypt = requireEncrypted(core);
  const token = bindingToChange(crypt, "key", slot);
  if (token === undefined) return { action: "noSource" };
  await requireKey(token.description);
  await requireKey(description);
  if (token.description === description) return { action: "identity" };
  await keepingHeaders([crypt], () => crypt.rebindKey(token, description));
  return { action: "renamed", value: description };
}

async function rebindClevis(core: PoolCore, slot: number | null): Promise<void> {
  const crypt = requireEncrypted(core);
  const token = bindingToChange(crypt, "clevis", slot);
  if (token === undefined)
    throw new EngineError("Cannot rebind clevis implementation; no Clevis tokens are present");
  await keepingHeaders([crypt], () => crypt.rebindClevis(token));
}

async function unbind(core: PoolCore, kind: Kind, slot: number | null): Promise<DeleteAction<number>> {
  const crypt = requireEncrypted(core);
  const token = slot === null ? lowest(crypt, kind) : inSlot(crypt, slot);
  if (token === undefined) return { action: "identity" };
  if (token.kind !== kind)
    throw new EngineError(
      `Token slot ${token.slot} could not be unbound from ${KIND_NAMES[kind]}; it is bound to ${describe(token)}`,
    );
  if (crypt.tokens.length < 2)
    throw new EngineError(
      `There is one remaining unlock method; removing ${KIND_NAMES[kind]} would remove the ability to open this ` +
        "device; aborting",
    );
  await changeMethods(core, crypt, () => crypt.unbind(token));
  return { action: "deleted", value: token.slot };
}

export const slotBindings: BindingOperations = {
  bindKeyring,
  bindClevis,
  rebindKeyring,
  rebindClevis,
  unbind,
};
