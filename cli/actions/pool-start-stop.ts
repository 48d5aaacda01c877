/** `pool start` and `pool stop` (cli.md §6.6, §7.2). */
import type { Context } from "../context";
import { noChange, resourceNotFound, UnintendedCommandError } from "../errors";
import { selectorText, type Selector } from "../managed-objects";
import { MANAGER } from "../names";
import { changing } from "../output/change";
import type { Item } from "../output/items";
import { poolSelectorOf } from "../parser/shared";
import { wantsKey, withKey, withoutKey } from "./key-source";
import { cacheLoss } from "./losses";
import { changedBy } from "./changed-by";
import { isEncrypted } from "./stopped-pool-fields";
import { selectedStoppedPool } from "./stopped-pools";
import { asItems, asPair, asText } from "../values";

/** Token slots of the methods by which a pool of metadata version 1 is unlocked. */
const VERSION_1_SLOTS: Readonly<Record<string, number>> = { keyring: 1, clevis: 2 };

const poolText = (selector: Selector): string => `pool with ${selectorText(selector)}`;

/** The token slot of a named unlock method. Throws if the stopped pool is not there, or of version 2. */
async function slotOfMethod(context: Context, selector: Selector, method: string): Promise<number> {
  const stratisd = await context.stratisd();
  const pool = selectedStoppedPool(context, await stratisd.managerProperty("StoppedPools"), selector);
  if (pool === undefined) throw resourceNotFound("start", poolText(selector));
  const slot = VERSION_1_SLOTS[method];
  if (pool.version === 2 || slot === undefined)
    throw new UnintendedCommandError(
      `"--unlock-method=${method}" can not be used with metadata version 2 pools. Use "--unlock-method=any" or ` +
        'specify a token slot using "--token-slot" instead.',
    );
  return slot;
}

/** unlock_method `(b(bu))`. */
async function unlockMethod(context: Context, selector: Selector): Promise<[boolean, [boolean, number]]> {
  const { values } = context;
  const slot = values.maybeInteger("--token-slot");
  if (slot !== undefined) return [true, [true, Number(slot)]];
  const method = values.maybeText("--unlock-method");
  if (method === undefined) return [wantsKey(values), [false, 0]];
  if (method === "any") return [true, [false, 0]];
  return [true, [true, await slotOfMethod(context, selector, method)]];
}

/** What is known of the pool beforehand is how it is named. */
const item = (selector: Selector, state: string): Item => ({
  kind: "pool",
  [selector.by]: selector.value,
  set: { state },
});

/** The D-Bus objects that StartPool answers with: pool, devices, filesystems. */
function startedItem(selector: Selector, objects: unknown): Item {
  const [pool] = asItems(objects);
  return { ...item(selector, "started"), object: asText(pool) };
}

export const start = changing(async (context) => {
  const { values } = context;
  const selector = poolSelectorOf(values);
  const stratisd = await context.stratisd();
  const method = await unlockMethod(context, selector);
  const call = (given: boolean) => (fd: number) =>
    stratisd.request({
      interface: MANAGER,
      member: "StartPool",
      signature: "ss(b(bu))(bh)b",
      body: [selector.value, selector.by, method, [given, fd], values.flag("--remove-cache")],
    });
  return {
    effects: { changed: [item(selector, "started")] },
    examine: async ({ checkKeyfile }) => {
      const pool = selectedStoppedPool(context, await stratisd.managerProperty("StoppedPools"), selector);
      if (pool === undefined) throw resourceNotFound("start", poolText(selector));
      const [unlocks] = method;
      if (isEncrypted(pool) === true && !unlocks)
        throw new UnintendedCommandError(
          `The ${poolText(selector)} is encrypted, and nothing tells how it is to be unlocked`,
        );
      checkKeyfile(values);
    },
    loss: values.flag("--remove-cache") ? () => cacheLoss(poolText(selector)) : undefined,
    perform: async () => {
      const result = wantsKey(values)
        ? await withKey(context, { verify: false }, call(true))
        : await withoutKey(call(false));
      if (!changedBy(result)) throw noChange("start", poolText(selector));
      return { effects: { changed: [startedItem(selector, asPair(result)[1])] } };
    },
  };
});

export const stop = changing(async ({ values, stratisd: connect }) => {
  const selector = poolSelectorOf(values);
  const stratisd = await connect();
  return {
    effects: { changed: [item(selector, "stopped")] },
    examine: async ({ checkNotMounted }) => {
      const objects = await stratisd.managedObjects();
      const { path } = objects.select("pool", selector);
      await checkNotMounted(objects.matching("filesystem", { Pool: path }));
    },
    perform: async () => {
      const result = await stratisd.request({
        interface: MANAGER,
        member: "StopPool",
        signature: "ss",
        body: [selector.value, selector.by],
      });
      if (!changedBy(result)) throw noChange("stop", poolText(selector));
      const uuid = asText(asPair(result)[1]);
      return { effects: { changed: [{ ...item(selector, "stopped"), uuid }] } };
    },
  };
});
