/** Stopped pools, in a table and in detail (cli.md §12.3, §12.4; dbus-api.md §10). */
import type { Context } from "../context";
import { resourceNotFound, UnexpectedValueError } from "../errors";
import { parseInteger } from "../format/integer";
import type { Column } from "../format/table";
import { selectorText, type Selector } from "../managed-objects";
import { choosesFields, listText, sortedBy, type Table } from "../output/list";
import { STOPPED_POOLS } from "../parser/fields";
import { maybeSelectorOf } from "../parser/shared";
import { asDictionary, asInteger, asItems, asOptional, asText } from "../values";
import { NOT_AVAILABLE, version1Clevis, version1Text } from "./pool-detail";
import { linesText, uuidText } from "./shared";
import { STOPPED_POOL_GETTERS } from "./stopped-pool-fields";

const COLUMNS: readonly Column[] = [
  { title: "Name", align: "left" },
  { title: "Version", align: "right" },
  { title: "UUID", align: "left" },
  { title: "# Devices", align: "right" },
  { title: "Key Description", align: "left" },
  { title: "Clevis", align: "left" },
];
const UNAVAILABLE = "<UNAVAILABLE>";
const UNENCRYPTED = "<UNENCRYPTED>";
const FEATURES = ["encryption", "key_description_present", "clevis_present", "integrity", "raid"] as const;
export type Feature = (typeof FEATURES)[number];

export interface StoppedPool {
  readonly uuid: string;
  readonly name: string | undefined;
  /** null: mixed or unknown. */
  readonly version: 1 | 2 | null;
  readonly devices: readonly { readonly uuid: string; readonly devnode: string }[];
  /** null: the pool's metadata could not be read. */
  readonly features: ReadonlySet<string> | null;
  /** The texts for per-device encryption, which version 1 has; undefined without. */
  readonly keyDescription: string | undefined;
  readonly clevis: { readonly short: string; readonly full: string } | undefined;
}

/** STRATIS_STRICT_POOL_FEATURES, which tests set so as to learn of features that this client does not know. */
function checkFeatures({ io }: Context, features: ReadonlySet<string>): void {
  if ((parseInteger(io.env["STRATIS_STRICT_POOL_FEATURES"] ?? "") ?? 0n) === 0n) return;
  const unknown = [...features].find((feature) => !(FEATURES as readonly string[]).includes(feature));
  if (unknown !== undefined)
    throw new UnexpectedValueError(`stratisd sent the pool feature "${unknown}", which is not known`);
}

function member<T>(entries: ReadonlyMap<string, unknown>, key: string, decode: (value: unknown) => T): T {
  if (!entries.has(key)) throw new UnexpectedValueError(`stratisd sent a stopped pool without "${key}"`);
  return decode(entries.get(key));
}

function stoppedPool(context: Context, uuid: string, value: unknown): StoppedPool {
  const entries = asDictionary(value);
  const maybe = <T>(key: string, decode: (value: unknown) => T): T | undefined =>
    entries.has(key) ? decode(entries.get(key)) : undefined;
  const version = member(entries, "metadata_version", (pair) => asOptional(pair, asInteger));
  // The presence of a key is what counts, not its value.
  const features = member(entries, "features", (pair) =>
    asOptional(pair, (dictionary) => new Set(asDictionary(dictionary).keys())),
  );
  if (features !== null) checkFeatures(context, features);
  return {
    uuid,
    name: maybe("name", asText),
    version: version === 1n ? 1 : version === 2n ? 2 : null,
    devices: member(entries, "devs", asItems).map((device) => {
      const facts = asDictionary(device);
      return { uuid: member(facts, "uuid", asText), devnode: member(facts, "devnode", asText) };
    }),
    features,
    keyDescription: maybe("key_description", (pair) => version1Text(pair, asText)),
    clevis: maybe("clevis_info", (pair) => ({
      short: version1Text(pair, () => "present"),
      full: version1Text(pair, version1Clevis),
    })),
  };
}

/** `value` is the property StoppedPools. */
export function stoppedPools(context: Context, value: unknown): StoppedPool[] {
  return [...asDictionary(value)].map(([uuid, entries]) => stoppedPool(context, uuid, entries));
}

function featureCell({ features }: StoppedPool, feature: Feature): string {
  if (features === null) return "<UNKNOWN>";
  if (!features.has("encryption")) return UNENCRYPTED;
  return features.has(feature) ? "<PRESENT>" : NOT_AVAILABLE;
}

function row(context: Context, pool: StoppedPool): string[] {
  return [
    pool.name ?? UNAVAILABLE,
    pool.version?.toString() ?? "<MIXED>",
    uuidText(context, pool.uuid),
    pool.devices.length.toString(),
    ...(pool.version === 2
      ? [featureCell(pool, "key_description_present"), featureCell(pool, "clevis_present")]
      : [pool.keyDescription ?? UNENCRYPTED, pool.clevis?.short ?? UNENCRYPTED]),
  ];
}

const standardTable = (context: Context, pools: readonly StoppedPool[]): Table => ({
  columns: COLUMNS,
  rows: pools.map((pool) => row(context, pool)),
});

function version2Lines({ features }: StoppedPool): string[] {
  if (features === null) return ["Encryption Enabled: Unknown"];
  if (!features.has("encryption")) return ["Encryption Enabled: No"];
  const has = (feature: Feature): string => (features.has(feature) ? "Yes" : "No");
  return [
    "Encryption Enabled: Yes",
    "    Allows Unlock via a Key in Kernel Keyring or a User-Entered Passphrase: " +
      has("key_description_present"),
    `    Allows Unattended Unlock via Clevis: ${has("clevis_present")}`,
  ];
}

function version1Lines({ keyDescription, clevis }: StoppedPool): string[] {
  if (keyDescription === undefined && clevis === undefined) return ["Encryption Enabled: No"];
  return [
    "Encryption Enabled: Yes",
    `    Key Description: ${keyDescription ?? NOT_AVAILABLE}`,
    `    Clevis Configuration: ${clevis?.full ?? NOT_AVAILABLE}`,
  ];
}

function encryptionLines(pool: StoppedPool): string[] {
  switch (pool.version) {
    case 1:
      return version1Lines(pool);
    case 2:
      return version2Lines(pool);
    case null:
      return [`Encryption Enabled: ${UNAVAILABLE}`];
  }
}

/** The first stopped pool that matches, or undefined. */
function find(pools: readonly StoppedPool[], { by, value }: Selector): StoppedPool | undefined {
  return pools.find((pool) => pool[by] === value);
}

function detail(context: Context, pool: StoppedPool): string {
  return linesText([
    `UUID: ${uuidText(context, pool.uuid)}`,
    `Name: ${pool.name ?? UNAVAILABLE}`,
    `Metadata Version: ${pool.version?.toString() ?? "<MIXED>"}`,
    ...encryptionLines(pool),
    "Devices:",
    ...pool.devices.map((device) => `${uuidText(context, device.uuid)}  ${device.devnode}`),
  ]);
}

/** The one that --name or --uuid chose, or all. Throws when there is no such pool. */
function chosen(pools: readonly StoppedPool[], selector: Selector | undefined): readonly StoppedPool[] {
  if (selector === undefined) return pools;
  const pool = find(pools, selector);
  if (pool === undefined) throw resourceNotFound("list", `pool with ${selectorText(selector)}`);
  return [pool];
}

/** What `pool list --stopped` prints. */
export async function stoppedText(context: Context): Promise<string> {
  const selector = maybeSelectorOf(context.values);
  const value = await (await context.stratisd()).managerProperty("StoppedPools");
  const pools = chosen(stoppedPools(context, value), selector);
  const [first] = pools;
  if (selector !== undefined && first !== undefined && !choosesFields(context)) return detail(context, first);
  const rows = sortedBy(pools, ({ name }) => [name ?? UNAVAILABLE]);
  return listText(context, {
    table: STOPPED_POOLS,
    getters: STOPPED_POOL_GETTERS,
    rows,
    standard: () => standardTable(context, rows),
  });
}

/** The stopped pool, or undefined if there is no such one. `value` is the property StoppedPools. */
export const selectedStoppedPool = (
  context: Context,
  value: unknown,
  selector: Selector,
): StoppedPool | undefined => find(stoppedPools(context, value), selector);
