/** Paths of objects as property values. */
import type { Pool } from "../../engine/engine";
import { failed } from "../errors";
import type { ServiceContext } from "../context";

/** Throws DbusError when the pool has no object. */
export function poolPath({ tree }: ServiceContext, pool: Pool): string {
  const entry = tree.pool(pool.uuid);
  if (entry === undefined) throw failed(`No object path associated with pool UUID ${pool.uuid}`);
  return entry.path;
}
