/** Filesystem methods (dbus-api.md §8). */
import { EngineError } from "../../engine/errors";
import { simpleUuid } from "../../uuid";
import type { MethodCall } from "../table/rows";
import { ZERO_UUID } from "../values";

export async function renameFilesystem(
  { service, target }: MethodCall<"filesystem">,
  name: string,
): Promise<[boolean, string]> {
  const { pool, filesystem } = target;
  const before = filesystem.name;
  const result = await pool.renameFilesystem(filesystem.uuid, name);
  switch (result.action) {
    case "noSource":
      throw new EngineError(`pool doesn't know about filesystem ${filesystem.uuid}`);
    case "identity":
      service.log.info(`SetName: filesystem ${before} (${filesystem.uuid}) has this name already`);
      return [false, ZERO_UUID];
    case "renamed": {
      const entry = service.tree.pool(pool.uuid)?.filesystems.get(filesystem.uuid);
      if (entry !== undefined) service.announcer.filesystemChanged(entry, ["name"]);
      service.log.info(`SetName: renamed filesystem ${before} (${filesystem.uuid}) to ${name}`);
      return [true, simpleUuid(result.value)];
    }
  }
}
