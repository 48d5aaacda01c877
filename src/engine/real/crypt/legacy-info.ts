/** What the devices of an encrypted V1 pool say of their unlock methods, taken together (encryption.md §17.2). */
import { parseJson, printJsonSorted } from "../../../disk/json";
import type { LegacyEncryptionInfo, PerDevice } from "../../engine";
import type { ClevisConfig } from "./clevis-config";
import { describe, type LuksDevice } from "./luks-device";
import type { AcceptedRequest } from "./request";
import { CLEVIS_SLOT, KEY_SLOT } from "./stratis-token";

export const INCONSISTENT_INFO =
  "Cannot determine encryption information from metadata that is inconsistent across devices in a pool";

/** The value that all have; null is one like any other. */
function agreed<T>(values: readonly T[], text: (value: T) => string): PerDevice<T> {
  const [first, ...others] = values;
  if (first === undefined || others.some((other) => text(other) !== text(first)))
    return { consistent: false };
  return { consistent: true, value: first };
}

const configText = (value: ClevisConfig | null): string =>
  value === null ? "" : `${value.pin} ${printJsonSorted(parseJson(value.config))}`;

/** `devices`: at least one. */
export function legacyInfo(devices: readonly Pick<LuksDevice, "tokens">[]): LegacyEncryptionInfo {
  const keys = devices.map(({ tokens }) => {
    const token = tokens.find((found) => found.kind === "key");
    return token === undefined ? null : token.description;
  });
  const clevis = devices.map(({ tokens }) => {
    const token = tokens.find((found) => found.kind === "clevis");
    return token === undefined ? null : { pin: token.pin, config: token.config };
  });
  return {
    keyDescription: agreed(keys, (description) => JSON.stringify(description)),
    clevis: agreed(clevis, configText),
  };
}

/**
 * How the devices of a pool differ, for people: what each opens by, and what makes them the same. null: they do not.
 */
export function describeDisagreement(
  devices: readonly Pick<LuksDevice, "container" | "tokens">[],
): string | null {
  if (devices.length === 0) return null;
  const { keyDescription, clevis } = legacyInfo(devices);
  if (keyDescription.consistent && clevis.consistent) return null;
  const each = devices.map(
    ({ container, tokens }) => `${container} is bound to ${tokens.map(describe).join(" and ")}`,
  );
  const ways = [
    ...(keyDescription.consistent ? [] : ["rebind the pool with the key description that all are to have"]),
    ...(clevis.consistent ? [] : ["unbind the pool from Clevis, and bind it again"]),
  ];
  return `${INCONSISTENT_INFO}: ${each.join("; ")}. To make them the same: ${ways.join("; ")}`;
}

/** What a device that is new to the pool is to be bound to; null when the devices do not agree. */
export function legacyRequest({ keyDescription, clevis }: LegacyEncryptionInfo): AcceptedRequest | null {
  if (!keyDescription.consistent || !clevis.consistent) return null;
  const description = keyDescription.value;
  return {
    keys: description === null ? [] : [{ slot: KEY_SLOT, description }],
    // Of a server that was trusted once the token has the thumbprint.
    clevis: clevis.value === null ? [] : [{ slot: CLEVIS_SLOT, config: { ...clevis.value, trust: false } }],
  };
}
