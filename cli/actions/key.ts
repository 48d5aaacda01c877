/** `key` (cli.md §7.2, §10, §12.8). */
import type { Context } from "../context";
import { IncoherenceError, nameConflict, noChange, resourceNotFound } from "../errors";
import { byCodePoint } from "../format/order";
import { MANAGER } from "../names";
import { changing, type Plan } from "../output/change";
import { listText } from "../output/list";
import { listing } from "../output/listing";
import { KEYS } from "../parser/fields";
import type { Stratisd } from "../stratisd";
import { asFlag, asItems, asText } from "../values";
import { withKey } from "./key-source";

async function listedKeys(stratisd: Stratisd): Promise<string[]> {
  return asItems(await stratisd.request({ interface: MANAGER, member: "ListKeys" })).map(asText);
}

export const list = listing(async (context) => {
  const keys = (await listedKeys(await context.stratisd())).sort(byCodePoint);
  return listText(context, {
    table: KEYS,
    getters: { description: (key) => key },
    rows: keys,
    standard: () => ({
      columns: [{ title: KEYS.fields.description.title, align: "left" }],
      rows: keys.map((key) => [key]),
    }),
  });
});

/** What SetKey did: "created", "changed", or nothing. */
async function setKey(context: Context, key: string): Promise<"created" | "changed" | "same"> {
  const stratisd = await context.stratisd();
  const result = await withKey(context, { verify: true }, (fd) =>
    stratisd.request({ interface: MANAGER, member: "SetKey", signature: "sh", body: [key, fd] }),
  );
  const [changed, existed] = asItems(result).map(asFlag);
  if (changed === true) return existed === true ? "changed" : "created";
  return "same";
}

/** The checks of a dry run on where the key comes from. */
const examineKey =
  ({ values }: Context): NonNullable<Plan["examine"]> =>
  ({ checkKeyfile }) => {
    checkKeyfile(values);
  };

export const set = changing(async (context) => {
  const key = context.values.text("keydesc");
  if ((await listedKeys(await context.stratisd())).includes(key)) throw nameConflict("key", key);
  return {
    effects: { created: [{ kind: "key", name: key }] },
    examine: examineKey(context),
    perform: async () => {
      const done = await setKey(context, key);
      if (done !== "created")
        throw new IncoherenceError(
          `Key ${key} was reported to not exist but stratisd reports that it ${done === "changed" ? "changed an existing key" : "found the same key"}`,
        );
      return undefined;
    },
  };
});

export const reset = changing(async (context) => {
  const key = context.values.text("keydesc");
  if (!(await listedKeys(await context.stratisd())).includes(key)) throw resourceNotFound("reset", key);
  return {
    effects: { changed: [{ kind: "key", name: key }] },
    examine: examineKey(context),
    perform: async () => {
      const done = await setKey(context, key);
      if (done === "same") throw noChange("reset", key);
      if (done === "created")
        throw new IncoherenceError(
          `Key ${key} was reported to already exist but stratisd reports that it created a new key`,
        );
      return undefined;
    },
  };
});

export const unset = changing(async ({ values, stratisd: connect }) => {
  const key = values.text("keydesc");
  const stratisd = await connect();
  if (!(await listedKeys(stratisd)).includes(key)) throw noChange("remove", key);
  return {
    effects: { removed: [{ kind: "key", name: key }] },
    perform: async () => {
      const call = { interface: MANAGER, member: "UnsetKey", signature: "s", body: [key] };
      if (!asFlag(await stratisd.request(call)))
        throw new IncoherenceError(
          `Key ${key} was reported to exist but stratisd reports that it did not remove any key`,
        );
      return undefined;
    },
  };
});
