/** UUIDs of pools, filesystems and block devices: random (version 4), kept as 36 lower-case characters. */
import { randomUUID } from "node:crypto";

/** Text that should be a UUID is not. */
export class UuidError extends Error {
  override name = "UuidError";
}

declare const kind: unique symbol;
export type PoolUuid = string & { readonly [kind]: "pool" };
export type FilesystemUuid = string & { readonly [kind]: "filesystem" };
export type DevUuid = string & { readonly [kind]: "device" };
export type AnyUuid = PoolUuid | FilesystemUuid | DevUuid;

// Without the cache of random bytes: a snapshot of the daemon's heap must not hold any, or each start had the same UUIDs.
const fresh = (): string => randomUUID({ disableEntropyCache: true });

export const newPoolUuid = (): PoolUuid => fresh() as PoolUuid;
export const newFilesystemUuid = (): FilesystemUuid => fresh() as FilesystemUuid;
export const newDevUuid = (): DevUuid => fresh() as DevUuid;

/** The "simple" form of D-Bus, device-mapper names and file names: 32 hexadecimal digits. */
export const simpleUuid = (uuid: AnyUuid): string => uuid.replaceAll("-", "");

export const hyphenated = (simple: string): string =>
  `${simple.slice(0, 8)}-${simple.slice(8, 12)}-${simple.slice(12, 16)}-${simple.slice(16, 20)}-${simple.slice(20)}`;

/**
 * Parses the forms that upstream's parser takes: simple, hyphenated, braced and urn:uuid:, in any case.
 * Returns the hyphenated form, or null for anything else.
 */
export function parseUuid(text: string): string | null {
  let digits = text;
  if (/^urn:uuid:/i.test(digits)) digits = digits.slice("urn:uuid:".length);
  else if (digits.startsWith("{") && digits.endsWith("}")) digits = digits.slice(1, -1);
  digits = digits.toLowerCase();
  if (/^[0-9a-f]{32}$/.test(digits)) return hyphenated(digits);
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(digits)) return digits;
  return null;
}

function requireUuid(text: string): string {
  const uuid = parseUuid(text);
  if (uuid === null) throw new UuidError(`Uuid error: "${text}" is not a UUID`);
  return uuid;
}

/** These throw UuidError for text that is not a UUID. */
export const poolUuid = (text: string): PoolUuid => requireUuid(text) as PoolUuid;
export const filesystemUuid = (text: string): FilesystemUuid => requireUuid(text) as FilesystemUuid;
export const devUuid = (text: string): DevUuid => requireUuid(text) as DevUuid;
