/** Setting the user info of a block device: a method up to r2, a property from r3 on (dbus-api.md §9). */
import { EngineError } from "../../engine/errors";
import { simpleUuid } from "../../uuid";
import type { MethodCall, Targets } from "../table/rows";
import { ZERO_UUID } from "../values";
import { optional } from "./arguments";

/** Resolves to whether it changed. */
export async function setUserInfo(
  { pool, device }: Targets["blockdev"],
  info: [boolean, string],
): Promise<boolean> {
  const result = await pool.setBlockDevUserInfo(device.uuid, optional(info));
  if (result.action === "noSource")
    throw new EngineError(`pool doesn't know about block device ${device.uuid}`);
  return result.action === "renamed";
}

/** Announces nothing, as upstream: the revisions that have this method promise no signal. */
export async function setUserInfoMethod(
  { service, target }: MethodCall<"blockdev">,
  info: [boolean, string],
): Promise<[boolean, string]> {
  const changed = await setUserInfo(target, info);
  service.log.info(
    `SetUserInfo: block device ${target.device.uuid}: ${changed ? "changed" : "nothing to do"}`,
  );
  return changed ? [true, simpleUuid(target.device.uuid)] : [false, ZERO_UUID];
}
