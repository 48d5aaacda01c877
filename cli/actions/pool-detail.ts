/** `pool list --name/--uuid`: one started pool in detail (cli.md §12.2). */
import type { Context } from "../context";
import { pythonLiteral, pythonText } from "../format/python-literal";
import { UnexpectedValueError } from "../errors";
import type { ManagedObject } from "../managed-objects";
import { sizeText, timeText } from "../output/fields";
import { styleOf } from "../output/list";
import { asBytes, asFlag, asInteger, asItems, asOptional, asPair, asText } from "../values";
import { ALERT_TEXTS, availability, poolAlerts } from "./alerts";
import { progressOf, progressText } from "./in-place-progress";
import { jsonFrom, linesText, maybeSize, metadataVersion, orUnknown, uuidText, yesNo } from "./shared";

/** What a pool of metadata version 1 has instead of a binding of a kind. */
export const NOT_AVAILABLE = "N/A";
const CLEVIS_CONFIGURATION = "A Clevis configuration";

/** (b(bT)) of a pool of metadata version 1: whether its devices agree, then the value if there is one. */
export function version1Text(value: unknown, shown: (value: unknown) => string): string {
  const [consistent, inner] = asPair(value);
  if (!asFlag(consistent)) return "inconsistent";
  return asOptional(inner, shown) ?? NOT_AVAILABLE;
}

/** (ss) of a pool of metadata version 1: the pin, then the members of the configuration. */
export function version1Clevis(value: unknown): string {
  const [pin, text] = asPair(value).map(asText);
  const config = jsonFrom(text ?? "", CLEVIS_CONFIGURATION);
  if (!(config instanceof Map))
    throw new UnexpectedValueError(`${CLEVIS_CONFIGURATION} is no object: ${text ?? ""}`);
  const items = [...config].map(([key, entry]) => `${key}: ${pythonText(entry)}`);
  return `${pin ?? ""}   ${items.join(" ")}`;
}

const version1Lines = (pool: ManagedObject): string[] => [
  `    Key Description: ${orUnknown(pool.maybe("KeyDescriptions", (value) => version1Text(value, asText)))}`,
  `    Clevis Configuration: ${orUnknown(pool.maybe("ClevisInfos", (value) => version1Text(value, version1Clevis)))}`,
];

interface Binding {
  readonly slot: bigint;
  readonly lines: readonly string[];
}

/** (us) */
function keyBinding(value: unknown): Binding {
  const [slot, description] = asPair(value);
  return { slot: asInteger(slot), lines: [`        Key Description: ${asText(description)}`] };
}

/** (u(ss)) */
function clevisBinding(value: unknown): Binding {
  const [slot, info] = asPair(value);
  const [pin, config] = asPair(info);
  return {
    slot: asInteger(slot),
    lines: [
      `        Clevis Pin: ${asText(pin)}`,
      `        Clevis Configuration: ${pythonLiteral(jsonFrom(asText(config), CLEVIS_CONFIGURATION))}`,
    ],
  };
}

function version2Lines(pool: ManagedObject): string[] {
  const free = pool.maybe("FreeTokenSlots", (value) => asOptional(value, asInteger));
  const bindings = [
    ...(pool.maybe("KeyDescriptions", asItems) ?? []).map(keyBinding),
    ...(pool.maybe("ClevisInfos", asItems) ?? []).map(clevisBinding),
  ].sort((left, right) => (left.slot < right.slot ? -1 : left.slot > right.slot ? 1 : 0));
  return [
    `    Free Token Slots Remaining: ${orUnknown(free?.toString())}`,
    ...(bindings.length === 0 ? ["    No token slot information available"] : []),
    ...bindings.flatMap(({ slot, lines }) => [`    Token Slot: ${slot}`, ...lines]),
  ];
}

function reencryptedText(pool: ManagedObject): string {
  const time = pool.maybe("LastReencryptedTimestamp", (value) => asOptional(value, asText));
  if (time === null) return "Never";
  return orUnknown(time === undefined ? undefined : timeText(time));
}

function encryptionLines(pool: ManagedObject): string[] {
  if (pool.maybe("Encrypted", asFlag) !== true) return [];
  const version = metadataVersion(pool);
  return [
    `    Last Time Reencrypted: ${reencryptedText(pool)}`,
    ...(version === 1 ? version1Lines(pool) : []),
    ...(version === 2 ? version2Lines(pool) : []),
  ];
}

/** Nothing as long as nothing is done, as stratis-cli, which can't tell, prints nothing. */
function inPlaceLines(operation: ManagedObject | undefined): string[] {
  if (operation === undefined) return [];
  const progress = progressOf(operation);
  return [`    ${progress.what} in Progress: ${progressText(progress)}`];
}

/** `devices` are the pool's; `operation` is what is done to it in place. */
export function poolDetail(
  context: Context,
  pool: ManagedObject,
  devices: readonly ManagedObject[],
  operation: ManagedObject | undefined,
): string {
  const size = (bytes: bigint | undefined): string => sizeText(bytes, styleOf(context));
  const alerts = poolAlerts(pool, devices).map((code) => `     ${code}: ${ALERT_TEXTS[code].summary}`);
  return linesText([
    `UUID: ${uuidText(context, pool.maybe("Uuid", asText))}`,
    `Name: ${orUnknown(pool.maybe("Name", asText))}`,
    `Alerts: ${alerts.length}`,
    ...alerts,
    `Metadata Version: ${orUnknown(metadataVersion(pool)?.toString())}`,
    `Actions Allowed: ${orUnknown(availability(pool))}`,
    `Cache: ${yesNo(pool.maybe("HasCache", asFlag))}`,
    `Filesystem Limit: ${orUnknown(pool.maybe("FsLimit", asInteger)?.toString())}`,
    `Allows Overprovisioning: ${yesNo(pool.maybe("Overprovisioning", asFlag))}`,
    `Encryption Enabled: ${yesNo(pool.maybe("Encrypted", asFlag))}`,
    ...inPlaceLines(operation),
    ...encryptionLines(pool),
    `Fully Allocated: ${yesNo(pool.maybe("NoAllocSpace", asFlag))}`,
    `    Size: ${size(pool.maybe("TotalPhysicalSize", asBytes))}`,
    `    Allocated: ${size(pool.maybe("AllocatedSize", asBytes))}`,
    `    Used: ${size(maybeSize(pool, "TotalPhysicalUsed"))}`,
  ]);
}
