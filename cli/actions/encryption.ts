/** Commands that bind a pool to unlock methods, in both spellings (cli.md §3.3, §3.4, §7.2). */
import type { Action } from "../context";
import { noChange } from "../errors";
import { hyphenated } from "../format/uuid";
import { changing } from "../output/change";
import { poolItem, type Item } from "../output/items";
import { poolSelectorOf } from "../parser/shared";
import type { Values } from "../parser/values";
import { asFlag } from "../values";
import { ANY_SLOT, tangConfig, tpm2Config } from "./clevis-config";

/** A method of the pool that answers whether it changed anything. */
interface PoolMethod {
  readonly member: string;
  readonly signature?: string;
  readonly body?: unknown[];
}

interface Binding {
  readonly method: (values: Values) => PoolMethod;
  /** What the pool's bindings become, for those who ask. */
  readonly set: (values: Values) => Item["set"];
}

const bindingAction = (name: "bind" | "rebind" | "unbind", { method, set }: Binding): Action =>
  changing(async (context) => {
    const { values } = context;
    const selector = poolSelectorOf(values);
    const stratisd = await context.stratisd();
    const pool = (await stratisd.managedObjects()).select("pool", selector);
    const call = method(values);
    return {
      effects: { changed: [poolItem(pool, set(values))] },
      examine: async ({ checkAvailable, checkEncrypted, checkKeySet }) => {
        checkEncrypted(pool);
        checkAvailable(pool, "content");
        await checkKeySet(stratisd, values.maybeText("keydesc"));
      },
      perform: async () => {
        if (asFlag(await stratisd.request({ ...pool.target, ...call }))) return undefined;
        throw noChange(name, selector.by === "name" ? selector.value : hyphenated(selector.value));
      },
    };
  });

/** (bu) from --token-slot. */
function slotOf(values: Values): readonly [boolean, number] {
  const slot = values.maybeInteger("--token-slot");
  return slot === undefined ? ANY_SLOT : [true, Number(slot)];
}

const keyBinding = (change: string) => (values: Values) => ({
  [change]: new Map([
    ["method", "keyring"],
    ["key_description", values.text("keydesc")],
  ]),
});

const clevisBinding = (pin: string) => () => ({
  bound: new Map([
    ["method", "clevis"],
    ["pin", pin],
  ]),
});

export const bindTang = bindingAction("bind", {
  method: (values) => {
    const { pin, json } = tangConfig(values.text("url"), values.maybeText("--thumbprint"));
    return { member: "BindClevis", signature: "ss(bu)", body: [pin, json, ANY_SLOT] };
  },
  set: clevisBinding("tang"),
});

export const bindTpm2 = bindingAction("bind", {
  method: () => ({
    member: "BindClevis",
    signature: "ss(bu)",
    body: [tpm2Config.pin, tpm2Config.json, ANY_SLOT],
  }),
  set: clevisBinding(tpm2Config.pin),
});

export const bindKeyring = bindingAction("bind", {
  method: (values) => ({
    member: "BindKeyring",
    signature: "s(bu)",
    body: [values.text("keydesc"), ANY_SLOT],
  }),
  set: keyBinding("bound"),
});

export const rebindClevis = bindingAction("rebind", {
  method: (values) => ({ member: "RebindClevis", signature: "(bu)", body: [slotOf(values)] }),
  set: () => ({ rebound: new Map([["method", "clevis"]]) }),
});

export const rebindKeyring = bindingAction("rebind", {
  method: (values) => ({
    member: "RebindKeyring",
    signature: "s(bu)",
    body: [values.text("keydesc"), slotOf(values)],
  }),
  set: keyBinding("rebound"),
});

export const unbind = bindingAction("unbind", {
  method: (values) => ({
    member: values.text("method") === "clevis" ? "UnbindClevis" : "UnbindKeyring",
    signature: "(bu)",
    body: [slotOf(values)],
  }),
  set: (values) => ({ unbound: new Map([["method", values.text("method")]]) }),
});
