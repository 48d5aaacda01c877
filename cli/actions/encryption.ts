/** Commands on the encryption of a pool, in both spellings (cli.md §3.3, §3.4, §7.2, §8.4). */
import { MESSAGE_BUS } from "../bus";
import type { Action, Context } from "../context";
import { IncoherenceError, inPlaceMissing, noChange } from "../errors";
import { hyphenated } from "../format/uuid";
import { selectorText, type ManagedObject, type Selector } from "../managed-objects";
import { ERROR } from "../names";
import { poolSelectorOf } from "../parser/shared";
import { CallError } from "../stratisd";
import type { Values } from "../parser/values";
import { asFlag } from "../values";
import { ANY_SLOT, encryptionArguments, tangConfig, tpm2Config } from "./clevis-config";

/** How long to wait for an operation that takes hours, before leaving it to the daemon. */
const LONG_OPERATION_TIMEOUT_MS = 10_000;

interface PoolMethod {
  readonly member: string;
  readonly signature?: string;
  readonly body?: unknown[];
}

/** Calls a method of the pool that answers whether it changed anything. */
async function change(context: Context, selector: Selector, method: PoolMethod): Promise<boolean> {
  const stratisd = await context.stratisd();
  const pool = (await stratisd.managedObjects()).select("pool", selector);
  return asFlag(await stratisd.request({ ...pool.target, ...method }));
}

const bindingAction =
  (name: "bind" | "rebind" | "unbind", methodOf: (values: Values) => PoolMethod): Action =>
  async (context) => {
    const selector = poolSelectorOf(context.values);
    if (await change(context, selector, methodOf(context.values))) return;
    throw noChange(name, selector.by === "name" ? selector.value : hyphenated(selector.value));
  };

/** (bu) from --token-slot. */
function slotOf(values: Values): readonly [boolean, number] {
  const slot = values.maybeInteger("--token-slot");
  return slot === undefined ? ANY_SLOT : [true, Number(slot)];
}

export const bindTang = bindingAction("bind", (values) => {
  const { pin, json } = tangConfig(values.text("url"), values.maybeText("--thumbprint"));
  return { member: "BindClevis", signature: "ss(bu)", body: [pin, json, ANY_SLOT] };
});

export const bindTpm2 = bindingAction("bind", () => ({
  member: "BindClevis",
  signature: "ss(bu)",
  body: [tpm2Config.pin, tpm2Config.json, ANY_SLOT],
}));

export const bindKeyring = bindingAction("bind", (values) => ({
  member: "BindKeyring",
  signature: "s(bu)",
  body: [values.text("keydesc"), ANY_SLOT],
}));

export const rebindClevis = bindingAction("rebind", (values) => ({
  member: "RebindClevis",
  signature: "(bu)",
  body: [slotOf(values)],
}));

export const rebindKeyring = bindingAction("rebind", (values) => ({
  member: "RebindKeyring",
  signature: "s(bu)",
  body: [values.text("keydesc"), slotOf(values)],
}));

export const unbind = bindingAction("unbind", (values) => ({
  member: values.text("method") === "clevis" ? "UnbindClevis" : "UnbindKeyring",
  signature: "(bu)",
  body: [slotOf(values)],
}));

/**
 * Whether the daemon is still at it: the time for the reply to this very call is over. When it is the bus that reports
 * that there will be no reply, the daemon has gone away.
 */
function isUnderWay(error: unknown, member: string): boolean {
  if (!(error instanceof CallError) || error.call.member !== member) return false;
  const { errorName, sender } = error.dbusError;
  return errorName === ERROR.noReply && sender !== MESSAGE_BUS;
}

const longOperation =
  (
    command: string,
    methodOf: (values: Values) => PoolMethod,
    isNeeded: (pool: ManagedObject) => boolean = () => true,
  ): Action =>
  async (context) => {
    const { values, io } = context;
    if (!values.flag("--in-place")) throw inPlaceMissing();
    const selector = poolSelectorOf(values);
    const stratisd = await context.stratisd();
    const pool = (await stratisd.managedObjects()).select("pool", selector);
    if (!isNeeded(pool)) throw noChange(command, `pool with ${selectorText(selector)}`);
    const method = methodOf(values);
    try {
      const timeoutMs = LONG_OPERATION_TIMEOUT_MS;
      if (asFlag(await stratisd.request({ ...pool.target, ...method, timeoutMs }))) return;
    } catch (error) {
      if (!isUnderWay(error, method.member)) throw error;
      io.stderr.write("Operation initiated\n");
      return;
    }
    throw new IncoherenceError(
      `Expected "${command}" to change the pool with ${selectorText(selector)} but stratisd reports that it did not`,
    );
  };

const isEncrypted = (pool: ManagedObject): boolean => pool.get("Encrypted", asFlag);

export const encrypt = longOperation(
  "encryption on",
  (values) => ({
    member: "EncryptPool",
    signature: "a((bu)s)a((bu)ss)",
    body: encryptionArguments(values),
  }),
  (pool) => !isEncrypted(pool),
);

export const decrypt = longOperation("encryption off", () => ({ member: "DecryptPool" }), isEncrypted);

export const reencrypt = longOperation("encryption reencrypt", () => ({ member: "ReencryptPool" }));
