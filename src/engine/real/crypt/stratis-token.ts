/** The token by which a LUKS2 device says that it belongs to a V1 pool (encryption.md §9.1). */
import { isJsonArray, isJsonObject, parseJson, type JsonObject } from "../../../disk/json";
import * as names from "../../../dm/names";
import { devUuid, poolUuid, type DevUuid, type PoolUuid } from "../../../uuid";
import { EngineError } from "../../errors";

export const STRATIS_SLOT = 0;
/** Beside it V1 has one unlock method of each kind at most, each in a slot of its own. */
export const KEY_SLOT = 1;
export const CLEVIS_SLOT = 2;
const TYPE = "stratis";
const MEMBERS = new Set(["type", "keyslots", "activation_name", "pool_uuid", "device_uuid", "pool_name"]);

export interface StratisToken {
  poolUuid: PoolUuid;
  devUuid: DevUuid;
  /** null: made by a version that did not record it, which the next start makes up for. */
  poolName: string | null;
}

function textOf(object: JsonObject, name: string): string {
  const value = object[name];
  if (typeof value !== "string") throw new EngineError(`its ${name} is not text`);
  return value;
}

/**
 * null for a token of another type. Throws EngineError for one that stratisd would not take either, and for one that
 * names another mapping than that of its device.
 */
export function parseStratisToken(json: string): StratisToken | null {
  const object = parseJson(json);
  if (!isJsonObject(object) || object["type"] !== TYPE) return null;
  const strange = Object.keys(object).find((name) => !MEMBERS.has(name));
  if (strange !== undefined) throw new EngineError(`its member ${strange} is unknown`);
  const { keyslots } = object;
  if (keyslots === undefined || !isJsonArray(keyslots) || keyslots.length > 0)
    throw new EngineError("its list of keyslots is not empty");
  const device = devUuid(textOf(object, "device_uuid"));
  const mapping = textOf(object, "activation_name");
  if (mapping !== names.v1Crypt(device))
    throw new EngineError(`its activation_name is ${mapping} instead of ${names.v1Crypt(device)}`);
  return {
    poolUuid: poolUuid(textOf(object, "pool_uuid")),
    devUuid: device,
    poolName: (object["pool_name"] ?? null) === null ? null : textOf(object, "pool_name"),
  };
}

/** The token among those of a header. null, and throws, as parseStratisToken. */
export function stratisTokenOf(tokens: readonly { slot: number; json: string }[]): StratisToken | null {
  const json = tokens.find(({ slot }) => slot === STRATIS_SLOT)?.json;
  return json === undefined ? null : parseStratisToken(json);
}

export function printStratisToken({ poolUuid: pool, devUuid: device, poolName }: StratisToken): string {
  return JSON.stringify({
    type: TYPE,
    keyslots: [],
    activation_name: names.v1Crypt(device),
    pool_uuid: pool,
    device_uuid: device,
    ...(poolName === null ? {} : { pool_name: poolName }),
  });
}
