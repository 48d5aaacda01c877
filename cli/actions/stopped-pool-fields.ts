/** The fields of a stopped pool (parser/fields.ts). */
import type { Json } from "../format/json";
import { hyphenated } from "../format/uuid";
import { Data, type Getters } from "../output/fields";
import type { STOPPED_POOLS } from "../parser/fields";
import { NOT_AVAILABLE } from "./pool-detail";
import type { Feature, StoppedPool } from "./stopped-pools";

/** Pools of metadata version 1 tell their bindings, those of version 2 only which kinds they have. */
export function isEncrypted(pool: StoppedPool): boolean | undefined {
  if (pool.version === 1) return pool.keyDescription !== undefined || pool.clevis !== undefined;
  return pool.features?.has("encryption");
}

const hasBinding = (
  { version, features }: StoppedPool,
  text: string | undefined,
  feature: Feature,
): boolean | undefined =>
  version === 1 ? text !== undefined && text !== NOT_AVAILABLE : features?.has(feature);

const devices = ({ devices }: StoppedPool): Data =>
  new Data(
    devices.map(
      ({ uuid, devnode }): Json =>
        new Map([
          ["uuid", hyphenated(uuid)],
          ["device", devnode],
        ]),
    ),
    devices.map(({ devnode }) => devnode).join(", "),
  );

export const STOPPED_POOL_GETTERS: Getters<(typeof STOPPED_POOLS)["fields"], StoppedPool> = {
  name: ({ name }) => name,
  uuid: ({ uuid }) => uuid,
  metadata_version: ({ version }) => (version === null ? null : BigInt(version)),
  encrypted: isEncrypted,
  key_description: (pool) => hasBinding(pool, pool.keyDescription, "key_description_present"),
  clevis: (pool) => hasBinding(pool, pool.clevis?.full, "clevis_present"),
  devices,
};
