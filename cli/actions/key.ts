/** `key` (cli.md §7.2, §10, §12.8). */
import type { Action } from "../context";
import { IncoherenceError, nameConflict, noChange, resourceNotFound } from "../errors";
import { byCodePoint } from "../format/order";
import { tableText } from "../format/table";
import { MANAGER } from "../names";
import type { Stratisd } from "../stratisd";
import { asFlag, asItems, asText } from "../values";
import { refuseKey } from "./key-source";

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

export const set: Action = async ({ values, stratisd: connect }) => {
  const key = values.text("keydesc");
  if ((await listedKeys(await connect())).includes(key)) throw nameConflict("key", key);
  await refuseKey(values);
};

export const reset: Action = async ({ values, stratisd: connect }) => {
  const key = values.text("keydesc");
  if (!(await listedKeys(await connect())).includes(key)) throw resourceNotFound("reset", key);
  await refuseKey(values);
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
