/** What options and arguments of stratis-min become in requests (system.md §18.2, §19.1). */
import { UuidError, poolUuid } from "../../uuid";
import { UsageError, type CommandLine } from "../command-line";
import { ToolError } from "../tool";

export const NAME_OPTION = { name: {} } as const;
export const SLOT_OPTION = { "token-slot": { value: "TOKEN_SLOT" } } as const;

/** Of a tang binding: whatever the server says of its keys is believed. */
const TRUST_URL = "stratis:tang:trust_url";
const MOST_SLOT = 2 ** 32 - 1;

/** null: it is no token slot. */
const slotIn = (text: string): number | null =>
  /^\+?\d{1,10}$/.test(text) && Number(text) <= MOST_SLOT ? Number(text) : null;

/** POOLID: the first argument, a UUID unless --name is given. */
export function poolId(line: CommandLine): object {
  const [id = ""] = line.positionals;
  if (line.flag("name")) return { Name: id };
  try {
    return { Uuid: poolUuid(id) };
  } catch (error) {
    if (error instanceof UuidError) throw new ToolError(error.message, { cause: error });
    throw error;
  }
}

function requireSlot(text: string): number {
  const slot = slotIn(text);
  if (slot === null) throw new ToolError(`"${text}" is not a token slot, a whole number up to ${MOST_SLOT}`);
  return slot;
}

/** UNLOCK */
export function unlock(line: CommandLine): unknown {
  const text = line.value("token-slot");
  if (text === undefined) return "None";
  return text === "any" ? "Any" : { Token: requireSlot(text) };
}

/** SLOTIN */
export function slotInput(line: CommandLine): unknown {
  const text = line.value("token-slot");
  if (text === undefined) return "None";
  return text === "legacy" ? "Legacy" : { Some: requireSlot(text) };
}

/** SLOT. Throws UsageError for what is none, as upstream does here and not elsewhere. */
export function slot(line: CommandLine): number | null {
  const text = line.value("token-slot");
  if (text === undefined) return null;
  const found = slotIn(text);
  if (found === null)
    throw new UsageError(`invalid value '${text}' for '--token-slot <TOKEN_SLOT>': it is not a whole number`);
  return found;
}

/** A semicolon separates fields in the kernel's listing of keys. */
export function keyDescription(text: string): string {
  if (text.includes(";")) throw new ToolError(`Key description ${text} contains a ';'`);
  return text;
}

/** DESCRIPTION or DESCRIPTION:SLOT */
function keyInfo(text: string): [slot: number | null, mechanism: object] {
  const [, description = text, digits] = /^(.*):(\d+)$/su.exec(text) ?? [];
  return [digits === undefined ? null : requireSlot(digits), { KeyDesc: keyDescription(description) }];
}

/** Items of one --clevis-infos, by key; a key without "=" has the value null. The last of repeated ones counts. */
function itemsOf(text: string): Map<string, string | null> {
  const items = text.split(/\s+/).filter((item) => item !== "");
  return new Map(
    items.map((item) => {
      // At the first: a URL may have another one.
      const at = item.indexOf("=");
      return at < 0 ? [item, null] : [item.slice(0, at), item.slice(at + 1)];
    }),
  );
}

function tangConfig(items: Map<string, string | null>): object {
  const url = items.get("tang_url") ?? null;
  if (url === null) throw new ToolError("tang_url is required");
  const trust = items.get("trust_url");
  if (trust !== undefined && trust !== null) throw new ToolError("trust_url takes no argument");
  const thumbprint = items.get("thumbprint") ?? null;
  if (trust === undefined && thumbprint === null)
    throw new ToolError("Missing required argument trust_url or thumbprint=");
  if (trust === null && thumbprint !== null) throw new ToolError("thumbprint= cannot be used with trust_url");
  return { url, ...(thumbprint === null ? { [TRUST_URL]: true } : { thp: thumbprint }) };
}

function clevisInfo(text: string): [slot: number | null, mechanism: object] {
  const items = itemsOf(text);
  const pin = items.get("pin");
  if (pin === undefined) throw new ToolError("pin is required");
  if (pin === null) throw new ToolError("Value required for key pin");
  if (pin !== "tang" && pin !== "tpm2") throw new ToolError(`Invalid pin ${pin}`);
  const config = pin === "tang" ? tangConfig(items) : {};
  const wanted = items.get("token_slot");
  if (wanted === null) throw new ToolError("token_slot requires argument");
  return [wanted === undefined ? null : requireSlot(wanted), { ClevisInfo: [pin, config] }];
}

/** ENC */
export function encryption(line: CommandLine): object | null {
  const infos = [...line.all("key-descs").map(keyInfo), ...line.all("clevis-infos").map(clevisInfo)];
  const taken = new Set<number>();
  for (const [wanted] of infos) {
    if (wanted === null) continue;
    if (taken.has(wanted)) throw new ToolError(`Token slot ${wanted} already taken`);
    taken.add(wanted);
  }
  return infos.length === 0 ? null : { encryption_infos: infos };
}

/** The configuration of the pin tang. */
export function tangBinding(line: CommandLine): object {
  const [, url = ""] = line.positionals;
  const thumbprint = line.value("thumbprint");
  if (line.flag("trust-url") && thumbprint !== undefined)
    throw new UsageError("the argument '--thumbprint <THUMBPRINT>' cannot be used with '--trust-url'");
  if (line.flag("trust-url")) return { url, [TRUST_URL]: true };
  return thumbprint === undefined ? { url } : { url, thp: thumbprint };
}
