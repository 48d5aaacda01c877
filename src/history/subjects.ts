/** Pools in the words of the history. */
import type { Engine } from "../engine/engine";
import type { Subject } from "./record";

export type KnownPools = Pick<Engine, "pools" | "stoppedPools">;

/** The first so many are named: one call may destroy thousands of filesystems. */
export const MOST_NAMED = 8;

export const listed = (names: readonly string[]): string =>
  names.length > MOST_NAMED
    ? `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more`
    : names.join(", ");

/** Of a pool that runs, one that does not, or one that there is not. A UUID has hyphens. */
export function poolSubject(
  engine: KnownPools,
  wanted: { readonly name: string } | { readonly uuid: string },
): Subject {
  const found = [...engine.pools(), ...engine.stoppedPools()].find((pool) =>
    "name" in wanted ? pool.name === wanted.name : pool.uuid === wanted.uuid,
  );
  const known = { name: null, uuid: null, ...wanted };
  const [pool, poolUuid] = [found?.name ?? known.name, found?.uuid ?? known.uuid];
  return { object: `pool ${pool ?? poolUuid ?? ""}`, pool, poolUuid };
}

/** After the call: a pool that was made has a UUID, one that was started or renamed a name. */
export function subjectNow(engine: Pick<Engine, "pools">, subject: Subject): Subject {
  const found = engine
    .pools()
    .find(({ uuid, name }) =>
      subject.poolUuid === null ? name === subject.pool : uuid === subject.poolUuid,
    );
  return found === undefined ? subject : { ...subject, pool: found.name, poolUuid: found.uuid };
}
