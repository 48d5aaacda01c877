/** `key` (cli.md §7.2, §10, §12.8). */
import type { Action, Context } from "../context";
import { IncoherenceError, nameConflict, noChange, resourceNotFound } from "../errors";
import { byCodePoint } from "../format/order";
import { tableText } from "../format/table";
import { MANAGER } from "../names";
import type { Stratisd } from "../stratisd";
import { asFlag, asItems, asText } from "../values";
import { withKey } from "./key-source";

async function listedKeys(stratisd: Stratisd): Promise<string[]> {
  return asItems(await stratisd.request({ interface: MANAGER, member: "ListKeys" })).map(asText);
}

export const list: Action = async ({ stratisd: connect, print }) => {
  const keys = (await listedKeys(await connect())).sort(byCodePoint);
  print(
    await tableText(
      [{ title: "Key Description", align: "left" }],
      keys.map((key) => [key]),
    ),
  );
};

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

export const set: Action = async (context) => {
  const key = context.values.text("keydesc");
  if ((await listedKeys(await context.stratisd())).includes(key)) throw nameConflict("key", key);
  const done = await setKey(context, key);
  if (done !== "created")
    throw new IncoherenceError(
      `Key ${key} was reported to not exist but stratisd reports that it ${done === "changed" ? "changed an existing key" : "found the same key"}`,
    );
};

export const reset: Action = async (context) => {
  const key = context.values.text("keydesc");
  if (!(await listedKeys(await context.stratisd())).includes(key)) throw resourceNotFound("reset", key);
  const done = await setKey(context, key);
  if (done === "same") throw noChange("reset", key);
  if (done === "created")
    throw new IncoherenceError(
      `Key ${key} was reported to already exist but stratisd reports that it created a new key`,
    );
};

export const unset: Action = async ({ values, stratisd: connect }) => {
  const key = values.text("keydesc");
  const stratisd = await connect();
  if (!(await listedKeys(stratisd)).includes(key)) throw noChange("remove", key);
  const removed = await stratisd.request({
    interface: MANAGER,
    member: "UnsetKey",
    signature: "s",
    body: [key],
  });
  if (!asFlag(removed))
    throw new IncoherenceError(
      `Key ${key} was reported to exist but stratisd reports that it did not remove any key`,
    );
};
