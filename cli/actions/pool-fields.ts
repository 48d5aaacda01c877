/** The fields of a started pool (parser/fields.ts). */
import type { Json } from "../format/json";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { Data, type Getters } from "../output/fields";
import { jsonInteger } from "../output/document";
import type { POOLS } from "../parser/fields";
import { asBytes, asFlag, asInteger, asItems, asOptional, asPair, asText } from "../values";
import { freeOf } from "../format/size";
import { ALERT_TEXTS, availability, poolAlerts } from "./alerts";
import { jsonFrom, maybeSize, metadataVersion } from "./shared";

export interface PoolRow {
  readonly pool: ManagedObject;
  /** The pool's. */
  readonly devices: readonly ManagedObject[];
  readonly filesystems: number;
}

/** The objects of a kind that belong to a pool. One that does not tell its pool belongs to none. */
const ownedBy = (
  objects: ManagedObjects,
  kind: "block device" | "filesystem",
  pool: ManagedObject,
): ManagedObject[] => objects.all(kind).filter((object) => object.maybe("Pool", asText) === pool.path);

export const poolRow = (objects: ManagedObjects, pool: ManagedObject): PoolRow => ({
  pool,
  devices: ownedBy(objects, "block device", pool),
  filesystems: ownedBy(objects, "filesystem", pool).length,
});

function alertsOf({ pool, devices }: PoolRow): Data {
  const codes = poolAlerts(pool, devices);
  const json = codes.map(
    (code): Json =>
      new Map([
        ["code", code],
        ["summary", ALERT_TEXTS[code].summary],
      ]),
  );
  return new Data(json, codes.join(", "));
}

interface Binding {
  /** null: per-device encryption, which has no numbered slots. */
  readonly slot: bigint | null;
  readonly method: "keyring" | "clevis";
  readonly facts: readonly [string, Json][];
}

const keyFacts = (description: unknown): [string, Json][] => [["key_description", asText(description)]];

/** (ss) */
function clevisFacts(info: unknown): [string, Json][] {
  const [pin, config] = asPair(info).map(asText);
  return [
    ["pin", pin ?? ""],
    ["config", jsonFrom(config ?? "", "A Clevis configuration")],
  ];
}

/** a(us) or a(u(ss)) */
const version2Bindings = (
  value: unknown,
  method: Binding["method"],
  facts: (value: unknown) => [string, Json][],
): Binding[] =>
  asItems(value).map((item) => {
    const [slot, inner] = asPair(item);
    return { slot: asInteger(slot), method, facts: facts(inner) };
  });

/** (b(bT)): null if the devices of the pool disagree. */
function version1Binding(
  value: unknown,
  method: Binding["method"],
  facts: (value: unknown) => [string, Json][],
): Binding[] | null {
  const [consistent, inner] = asPair(value);
  if (!asFlag(consistent)) return null;
  const found = asOptional(inner, facts);
  return found === null ? [] : [{ slot: null, method, facts: found }];
}

function bindingsOf(pool: ManagedObject): Data | null | undefined {
  const encrypted = pool.maybe("Encrypted", asFlag);
  if (encrypted === undefined) return undefined;
  if (!encrypted) return null;
  const read = metadataVersion(pool) === 1 ? version1Binding : version2Bindings;
  const keys = pool.maybe("KeyDescriptions", (value) => read(value, "keyring", keyFacts));
  const clevis = pool.maybe("ClevisInfos", (value) => read(value, "clevis", clevisFacts));
  // What is not known of one of the two is not known of the whole.
  if (keys === undefined || clevis === undefined || keys === null || clevis === null) return undefined;
  const bindings = [...keys, ...clevis].sort((left, right) => Number((left.slot ?? 0n) - (right.slot ?? 0n)));
  return new Data(
    bindings.map(
      ({ slot, method, facts }): Json =>
        new Map<string, Json>([
          ["token_slot", slot === null ? null : jsonInteger(slot)],
          ["method", method],
          ...facts,
        ]),
    ),
    bindings.map(({ slot, method }) => (slot === null ? method : `${slot}:${method}`)).join(", "),
  );
}

const isEncrypted = (pool: ManagedObject): boolean => pool.maybe("Encrypted", asFlag) === true;

function freeSlots(pool: ManagedObject): bigint | null | undefined {
  if (!isEncrypted(pool)) return null;
  return pool.maybe("FreeTokenSlots", (value) => asOptional(value, asInteger));
}

const total = (pool: ManagedObject): bigint | undefined => pool.maybe("TotalPhysicalSize", asBytes);
const used = (pool: ManagedObject): bigint | undefined => maybeSize(pool, "TotalPhysicalUsed");

function version(pool: ManagedObject): bigint | undefined {
  const number = metadataVersion(pool);
  return number === undefined ? undefined : BigInt(number);
}

export const POOL_GETTERS: Getters<(typeof POOLS)["fields"], PoolRow> = {
  name: ({ pool }) => pool.maybe("Name", asText),
  uuid: ({ pool }) => pool.maybe("Uuid", asText),
  total: ({ pool }) => total(pool),
  used: ({ pool }) => used(pool),
  free: ({ pool }) => freeOf(total(pool), used(pool)),
  allocated: ({ pool }) => pool.maybe("AllocatedSize", asBytes),
  fully_allocated: ({ pool }) => pool.maybe("NoAllocSpace", asFlag),
  metadata_version: ({ pool }) => version(pool),
  cache: ({ pool }) => pool.maybe("HasCache", asFlag),
  encrypted: ({ pool }) => pool.maybe("Encrypted", asFlag),
  overprovisioning: ({ pool }) => pool.maybe("Overprovisioning", asFlag),
  filesystem_limit: ({ pool }) => pool.maybe("FsLimit", asInteger),
  filesystems: ({ filesystems }) => BigInt(filesystems),
  devices: ({ devices }) => BigInt(devices.length),
  available_actions: ({ pool }) => availability(pool),
  alerts: alertsOf,
  bindings: ({ pool }) => bindingsOf(pool),
  free_token_slots: ({ pool }) => freeSlots(pool),
  last_reencrypted: ({ pool }) =>
    pool.maybe("LastReencryptedTimestamp", (value) => asOptional(value, asText)),
};
