/** How a pool is unlocked at boot, as far as stratisd tells it (dbus-api.md §10; encryption.md §11). */
import { jsonFrom } from "../actions/shared";
import { JsonNumber, type Json } from "../format/json";
import type { ManagedObject } from "../managed-objects";
import { asDictionary, asFlag, asInteger, asItems, asOptional, asPair, asText } from "../values";

export interface Unlocking {
  readonly encrypted: boolean;
  /** A passphrase can unlock it, which is asked for when nothing else does. */
  readonly passphrase: boolean;
  /** Of each binding by Clevis: whether it is of no use before the network is there. null: stratisd does not tell. */
  readonly networkNeeds: readonly boolean[] | null;
}

const CONFIGURATION = "A Clevis configuration";
const DEFAULT_THRESHOLD = 1;

/** Whether a pin with its configuration needs the network: of shares, when too few do without. */
function needsNetwork(pin: string, config: Json): boolean {
  if (pin === "tang") return true;
  const pins = config instanceof Map ? config.get("pins") : undefined;
  if (pin !== "sss" || !(config instanceof Map) || !(pins instanceof Map)) return false;
  const threshold = config.get("t");
  const needed = threshold instanceof JsonNumber ? Number(threshold.text) : DEFAULT_THRESHOLD;
  const shares = [...pins].flatMap(([name, configs]) =>
    (Array.isArray(configs) ? configs : [configs]).map((share) => needsNetwork(name, share)),
  );
  return shares.filter((need) => !need).length < needed;
}

/** (ss): pin and configuration. */
function infoNeedsNetwork(value: unknown): boolean {
  const [pin, config] = asPair(value).map(asText);
  return needsNetwork(pin ?? "", jsonFrom(config ?? "", CONFIGURATION));
}

const NOT_ENCRYPTED: Unlocking = { encrypted: false, passphrase: false, networkNeeds: [] };

/** Of version 1, (b(bT)): whether its devices agree, then the value if there is one. undefined: they do not agree. */
function agreed<T>(value: unknown, decode: (value: unknown) => T): T | null | undefined {
  const [consistent, inner] = asPair(value);
  return asFlag(consistent) ? asOptional(inner, decode) : undefined;
}

/** `key` and `clevis` of version 1. */
function unlockingOfVersion1(key: unknown, clevis: unknown): Unlocking {
  const need = agreed(clevis, infoNeedsNetwork);
  return {
    encrypted: true,
    passphrase: agreed(key, asText) !== null,
    networkNeeds: need === undefined ? null : need === null ? [] : [need],
  };
}

/** null: stratisd does not tell. */
export function unlockingOfRunning(pool: ManagedObject): Unlocking | null {
  if (pool.maybe("Encrypted", asFlag) !== true) return NOT_ENCRYPTED;
  const version = pool.maybe("MetadataVersion", asInteger);
  const [keys, infos] = ["KeyDescriptions", "ClevisInfos"].map((name) => pool.properties.get(name));
  if (version === undefined || keys === undefined || infos === undefined) return null;
  if (version === 1n) return unlockingOfVersion1(keys, infos);
  return {
    encrypted: true,
    passphrase: asItems(keys).length > 0,
    networkNeeds: asItems(infos).map((binding) => infoNeedsNetwork(asPair(binding)[1])),
  };
}

/** `facts`: of the property StoppedPools, which of version 2 has only what there is, not how it is configured. */
export function unlockingOfStopped(facts: ReadonlyMap<string, unknown>): Unlocking | null {
  const version = asOptional(facts.get("metadata_version"), asInteger);
  if (version === 1n)
    return facts.has("key_description") && facts.has("clevis_info")
      ? unlockingOfVersion1(facts.get("key_description"), facts.get("clevis_info"))
      : NOT_ENCRYPTED;
  const features = asOptional(facts.get("features"), asDictionary);
  if (version === null || features === null) return null;
  if (!features.has("encryption")) return NOT_ENCRYPTED;
  return {
    encrypted: true,
    passphrase: features.has("key_description_present"),
    networkNeeds: features.has("clevis_present") ? null : [],
  };
}
