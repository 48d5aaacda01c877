/**
 * Unlock methods of a running, encrypted V1 pool, each of whose devices has a header of its own: one of each kind at
 * most, the same on all (encryption.md §16.1).
 *
 * A change that is interrupted is taken back at the next start (header-backup.ts). When the machine lost its power
 * meanwhile there is nothing to take it back with, and devices may differ in what opens them. Then the pool works, and
 * what can't tell what to do for all devices is refused; a rebind or unbind makes them the same.
 */
import type { CreateAction, DeleteAction, RenameAction } from "../actions";
import type { TokenSlotInput } from "../engine";
import { ChainedError, EngineError } from "../errors";
import type { PoolCore } from "./core";
import type { BindingOperations } from "./crypt-operations";
import { acceptConfig } from "./crypt/clevis-config";
import type { DeviceCrypt } from "./crypt/device-crypt";
import { keepingHeaders } from "./crypt/header-backup";
import { describeDisagreement, legacyInfo } from "./crypt/legacy-info";
import { requireKey } from "./crypt/request";
import { CLEVIS_SLOT, KEY_SLOT } from "./crypt/stratis-token";
import type { ClevisMethod, KeyMethod, UnlockToken } from "./crypt/tokens";

interface Bound {
  /** In the order of the pool's record; at least one. */
  devices: DeviceCrypt[];
  first: DeviceCrypt;
  key: string | null;
  clevis: { pin: string; config: string } | null;
}

function requireEncrypted(core: PoolCore): { devices: DeviceCrypt[]; first: DeviceCrypt } {
  const devices = core.deviceCrypts();
  const [first] = devices;
  if (first === undefined) throw new EngineError("Requested pool does not appear to be encrypted");
  return { devices, first };
}

/** Throws EngineError unless the devices agree on how they are unlocked. */
function requireBound(core: PoolCore): Bound {
  const { devices, first } = requireEncrypted(core);
  const { keyDescription, clevis } = legacyInfo(devices);
  if (!keyDescription.consistent || !clevis.consistent)
    throw new EngineError(describeDisagreement(devices) ?? "The devices differ");
  return { devices, first, key: keyDescription.value, clevis: clevis.value };
}

function refuseSlot(slot: TokenSlotInput, what: "binding" | "rebinding"): void {
  if (typeof slot === "number")
    throw new EngineError(
      `Specifying the token slot for ${what} is not supported in V1 pools; please migrate to V2 pools to use this feature`,
    );
}

type OfKind<K extends UnlockToken["kind"]> = K extends "key" ? KeyMethod : ClevisMethod;

const findToken = <K extends UnlockToken["kind"]>({ tokens }: DeviceCrypt, kind: K): OfKind<K> | undefined =>
  tokens.find((token): token is OfKind<K> => token.kind === kind);

function tokenOf<K extends UnlockToken["kind"]>(device: DeviceCrypt, kind: K): OfKind<K> {
  const token = findToken(device, kind);
  if (token === undefined) throw new EngineError(`${device.container} has no such unlock method`);
  return token;
}

/** The same change on every device, or on none. */
function onAll(
  devices: readonly DeviceCrypt[],
  work: (device: DeviceCrypt) => Promise<unknown>,
): Promise<void> {
  return keepingHeaders(devices, async () => {
    for (const device of devices)
      try {
        await work(device);
      } catch (error) {
        throw new ChainedError(`Failed to change the unlock methods of ${device.container}`, error);
      }
  });
}

/** What is bound already is nothing to do if it works. */
async function requireWorks(device: DeviceCrypt, kind: UnlockToken["kind"], what: string): Promise<void> {
  try {
    await device.requireOpens(tokenOf(device, kind));
  } catch (error) {
    throw new ChainedError(
      `${what} is registered in the metadata but can't unlock ${device.container}`,
      error,
    );
  }
}

async function bindKeyring(
  core: PoolCore,
  description: string,
  slot: TokenSlotInput,
): Promise<CreateAction<number>> {
  refuseSlot(slot, "binding");
  await requireKey(description);
  const { devices, first, key } = requireBound(core);
  if (key === description) {
    await requireWorks(first, "key", `Key description "${description}"`);
    return { action: "identity" };
  }
  if (key !== null)
    throw new EngineError(
      `Block devices have already been bound with key description ${key}; requested key description ${description} ` +
        "can't be applied",
    );
  await onAll(devices, (device) => device.bindKey(description, KEY_SLOT));
  return { action: "created", value: KEY_SLOT };
}

async function bindClevis(
  core: PoolCore,
  pin: string,
  config: string,
  slot: TokenSlotInput,
): Promise<CreateAction<number>> {
  refuseSlot(slot, "binding");
  const { devices, first, clevis } = requireBound(core);
  // Of an existing binding only the pin is compared: its configuration is not what was given.
  if (clevis?.pin === pin) {
    await requireWorks(first, "clevis", `Clevis pin ${pin}`);
    return { action: "identity" };
  }
  if (clevis !== null)
    throw new EngineError(
      `Block devices have already been bound with pin ${clevis.pin} and config ${clevis.config}; requested pin ` +
        `${pin} and config ${config} can't be applied`,
    );
  const accepted = acceptConfig(pin, config);
  await onAll(devices, (device) => device.bindClevis(accepted, CLEVIS_SLOT));
  return { action: "created", value: CLEVIS_SLOT };
}

async function rebindKeyring(
  core: PoolCore,
  description: string,
  slot: number | null,
): Promise<RenameAction<string>> {
  refuseSlot(slot, "rebinding");
  const { devices } = requireEncrypted(core);
  const bound = new Set(devices.flatMap((device) => findToken(device, "key")?.description ?? []));
  if (bound.size === 0) return { action: "noSource" };
  for (const key of bound) await requireKey(key);
  await requireKey(description);
  const { keyDescription } = legacyInfo(devices);
  if (keyDescription.consistent && keyDescription.value === description) return { action: "identity" };
  await onAll(devices, async (device) => {
    const token = findToken(device, "key");
    if (token === undefined) await device.bindKey(description, KEY_SLOT);
    else if (token.description !== description) await device.rebindKey(token, description);
  });
  return { action: "renamed", value: description };
}

async function rebindClevis(core: PoolCore, slot: number | null): Promise<void> {
  refuseSlot(slot, "rebinding");
  const { devices, clevis } = requireBound(core);
  if (clevis === null) throw new EngineError("Requested pool is not already bound to Clevis");
  await onAll(devices, (device) => device.rebindClevis(tokenOf(device, "clevis")));
}

const ONLY_METHOD: Record<UnlockToken["kind"], string> = {
  key: "No Clevis binding was found; removing the keyring binding",
  clevis: "No kernel keyring binding found; removing the Clevis binding",
};

async function unbind(
  core: PoolCore,
  kind: UnlockToken["kind"],
  slot: number | null,
): Promise<DeleteAction<number>> {
  if (slot !== null) throw new EngineError("Token slot can only be provided for V2 pools");
  const { devices } = requireEncrypted(core);
  const bound = devices.filter((device) => findToken(device, kind) !== undefined);
  if (bound.length === 0) return { action: "identity" };
  const other = kind === "key" ? "clevis" : "key";
  if (bound.some((device) => findToken(device, other) === undefined))
    throw new EngineError(`${ONLY_METHOD[kind]} would remove the ability to open this device; aborting`);
  await onAll(bound, (device) => device.unbind(tokenOf(device, kind)));
  return { action: "deleted", value: kind === "key" ? KEY_SLOT : CLEVIS_SLOT };
}

export const legacyBindings: BindingOperations = {
  bindKeyring,
  bindClevis,
  rebindKeyring,
  rebindClevis,
  unbind,
};
