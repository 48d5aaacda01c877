/** Values of the engine as the bus has them (dbus-api.md §3, §7.3, §10). */
import { Variant } from "dbus-next/lib/variant";
import type {
  BlockDev,
  LegacyEncryptionInfo,
  PerDevice,
  Pool,
  StoppedPool,
  TokenBindings,
} from "../engine/engine";
import { simpleUuid, type AnyUuid } from "../uuid";
import { presentableJson } from "./json";
import type { AnyVariant } from "./wire";

export const ZERO_UUID = "0".repeat(32);

/** (bs) of something that may be absent. */
export const optionalText = (text: string | null): [boolean, string] =>
  text === null ? [false, ""] : [true, text];
export const optionalBytes = (size: bigint | null): [boolean, string] =>
  optionalText(size === null ? null : size.toString());
/** Of a pool; unknown is "0" here, not empty (dbus-api.md §21, trap 9). */
export const usedBytes = (used: bigint | null): [boolean, string] =>
  used === null ? [false, "0"] : [true, used.toString()];
/** An absent uuid is 32 zeros here, not empty (dbus-api.md §8). */
export const optionalUuid = (uuid: AnyUuid | null): [boolean, string] =>
  uuid === null ? [false, ZERO_UUID] : [true, simpleUuid(uuid)];

/** RFC 3339, whole seconds, UTC. Throws RangeError for an invalid date. */
export const timestamp = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, "Z");
/** Seconds since the epoch. Throws RangeError for an invalid date. */
export const epochSeconds = (date: Date): bigint => BigInt(Math.floor(date.getTime() / 1000));

export const tierNumber = (tier: BlockDev["tier"]): number => (tier === "data" ? 0 : 1);

type OptionalKey = [boolean, string];
type OptionalClevis = [boolean, [string, string]];

const clevisPair = (info: { pin: string; config: string } | null): OptionalClevis =>
  info === null ? [false, ["", ""]] : [true, [info.pin, presentableJson(info.config)]];

const isTokens = (info: LegacyEncryptionInfo | TokenBindings): info is TokenBindings => "keys" in info;

function perDevice<T, W>(info: PerDevice<T | null>, wire: (value: T | null) => W): [boolean, W] {
  return info.consistent ? [true, wire(info.value)] : [false, wire(null)];
}

const lowest = <T extends { slot: number }>(bindings: readonly T[]): T | null =>
  bindings.reduce<T | null>((best, next) => (best === null || next.slot < best.slot ? next : best), null);

/** KeyDescription of r0 to r7: one binding, of a V2 pool the one in the lowest slot. */
export function singleKeyDescription({ encryptionInfo: info }: Pool): [boolean, OptionalKey] {
  if (info === null) return [true, optionalText(null)];
  if (isTokens(info)) return [true, optionalText(lowest(info.keys)?.description ?? null)];
  return perDevice(info.keyDescription, optionalText);
}

/** ClevisInfo of r0 to r7. */
export function singleClevisInfo({ encryptionInfo: info }: Pool): [boolean, OptionalClevis] {
  if (info === null) return [true, clevisPair(null)];
  if (isTokens(info)) return [true, clevisPair(lowest(info.clevis))];
  return perDevice(info.clevis, clevisPair);
}

const UNENCRYPTED: AnyVariant = new Variant<unknown>("s", "Unencrypted");

/** KeyDescriptions of r8 and later: three possible types within the variant. */
export function keyDescriptions(pool: Pool): AnyVariant {
  const info = pool.encryptionInfo;
  if (info === null) return UNENCRYPTED;
  if (isTokens(info))
    return new Variant<unknown>(
      "a(us)",
      info.keys.map(({ slot, description }) => [slot, description]),
    );
  return new Variant<unknown>("(b(bs))", singleKeyDescription(pool));
}

/** ClevisInfos of r8 and later. */
export function clevisInfos(pool: Pool): AnyVariant {
  const info = pool.encryptionInfo;
  if (info === null) return UNENCRYPTED;
  if (isTokens(info))
    return new Variant<unknown>(
      "a(u(ss))",
      info.clevis.map(({ slot, pin, config }) => [slot, [pin, presentableJson(config)]]),
    );
  return new Variant<unknown>("(b(b(ss)))", singleClevisInfo(pool));
}

export function freeTokenSlots({ encryptionInfo: info }: Pool): [boolean, number] {
  return info !== null && isTokens(info) ? [true, info.freeSlots] : [false, 0];
}

export const volumeKeyLoaded = ({ volumeKeyLoaded: loaded }: Pool): AnyVariant =>
  typeof loaded === "boolean" ? new Variant<unknown>("b", loaded) : new Variant<unknown>("s", loaded.message);

/** (bv): the value, or why the devices do not agree on one. */
const agreed = <T>(info: PerDevice<T>, value: (value: T) => AnyVariant, disagreement: string): AnyVariant =>
  new Variant<unknown>(
    "(bv)",
    info.consistent ? [true, value(info.value)] : [false, new Variant<unknown>("s", disagreement)],
  );

function encryptionMembers(info: LegacyEncryptionInfo): Record<string, AnyVariant> {
  return {
    key_description: agreed(
      info.keyDescription,
      (value) => new Variant<unknown>("(bs)", optionalText(value)),
      "Key description is inconsistent across devices",
    ),
    clevis_info: agreed(
      info.clevis,
      (value) => new Variant<unknown>("(b(ss))", clevisPair(value)),
      "Clevis information is inconsistent across devices",
    ),
  };
}

function commonMembers(pool: StoppedPool): Record<string, AnyVariant> {
  const members: Record<string, AnyVariant> = {
    devs: new Variant<unknown>(
      "aa{ss}",
      pool.devices.map(({ path, uuid }) => ({ devnode: path, uuid: simpleUuid(uuid) })),
    ),
  };
  if (pool.name !== null) members.name = new Variant<unknown>("s", pool.name);
  if (pool.encryption !== null) Object.assign(members, encryptionMembers(pool.encryption));
  return members;
}

function metadataMembers({ metadataVersion, features }: StoppedPool): Record<string, AnyVariant> {
  const present = Object.fromEntries((features ?? []).map((feature) => [feature, true]));
  return {
    metadata_version: new Variant<unknown>("(bt)", [metadataVersion !== null, BigInt(metadataVersion ?? 0)]),
    features: new Variant<unknown>("(ba{sb})", [features !== null, present]),
  };
}

type PoolDictionary = Record<string, Record<string, AnyVariant>>;

/** StoppedPools of r2 to r7, and with `metadata` of r8 and later. */
export const stoppedPools = (pools: readonly StoppedPool[], metadata: boolean): PoolDictionary =>
  Object.fromEntries(
    pools.map((pool) => [
      simpleUuid(pool.uuid),
      { ...commonMembers(pool), ...(metadata ? metadataMembers(pool) : {}) },
    ]),
  );

/** LockedPools: stopped V1 pools with encrypted devices. */
export const lockedPools = (pools: readonly StoppedPool[]): PoolDictionary =>
  stoppedPools(
    pools.filter(
      ({ encryption, metadataVersion, partiallyConstructed }) =>
        encryption !== null && metadataVersion !== 2 && !partiallyConstructed,
    ),
    false,
  );

/** (bt) */
export const optionalSeconds = (seconds: number | null): [boolean, bigint] => [
  seconds !== null,
  BigInt(seconds ?? 0),
];
