/**
 * Structures of the on-disk format as text, in the notation that upstream's tool prints them in: one member a line,
 * indented (system.md §20.1).
 */
import { regionsOf, type ParsedMdaHeader, type RegionHeaders, type Timestamp } from "../disk/mda";
import type { StaticHeader } from "../disk/static-header";
import type { Sectors } from "../units";

/** Text, or something with members; a member's label is empty where members have no names. */
type Shape =
  string | { open: string; members: readonly (readonly [label: string, value: Shape])[]; close: string };

const INDENT = "    ";

const structure = (name: string, members: readonly (readonly [string, Shape])[]): Shape => ({
  open: `${name} {`,
  members: members.map(([field, value]) => [`${field}: `, value]),
  close: "}",
});
const wrapped = (name: string, value: Shape): Shape => ({
  open: `${name}(`,
  members: [["", value]],
  close: ")",
});
const list = (items: readonly Shape[]): Shape => ({
  open: "[",
  members: items.map((item) => ["", item]),
  close: "]",
});
const size = (name: string, value: Sectors): Shape => wrapped(name, `Sectors(${value})`);

function print(shape: Shape, margin = ""): string {
  if (typeof shape === "string") return shape;
  const within = `${margin}${INDENT}`;
  const members = shape.members.map(([label, value]) => `${within}${label}${print(value, within)},\n`);
  return `${shape.open}\n${members.join("")}${margin}${shape.close}`;
}

/** RFC 3339 in UTC, with as many groups of three decimals as are needed; years beyond 9999 have a sign. */
export function dateText({ seconds, nanoseconds }: Timestamp): string {
  const whole = new Date(Number(seconds) * 1000).toISOString().replace(/\.000Z$/, "");
  const decimals = nanoseconds
    .toString()
    .padStart(9, "0")
    .replace(/(?:000){1,3}$/, "");
  return `${whole.replace(/^\+0*/, "+")}${decimals === "" ? "" : `.${decimals}`}Z`;
}

const headerShape = (header: StaticHeader): Shape =>
  structure("StaticHeader", [
    ["blkdev_size", size("BlockdevSize", header.deviceSize)],
    ["sigblock_version", `V${header.version}`],
    [
      "identifiers",
      structure("StratisIdentifiers", [
        ["pool_uuid", wrapped("PoolUuid", header.poolUuid)],
        ["device_uuid", wrapped("DevUuid", header.devUuid)],
      ]),
    ],
    ["mda_size", size("MDASize", header.mdaSize)],
    ["reserved_size", size("ReservedSize", header.reservedSize)],
    ["flags", header.flags.toString()],
    ["initialization_time", dateText({ seconds: header.initializationTime, nanoseconds: 0 })],
  ]);

function mdaHeaderShape(parsed: ParsedMdaHeader): Shape {
  if (parsed.kind === "empty") return "None";
  if (parsed.kind === "damaged") return `Damaged(${JSON.stringify(parsed.reason)})`;
  const { time, used, dataCrc } = parsed.header;
  const members = structure("MDAHeader", [
    ["last_updated", dateText(time)],
    ["used", wrapped("MetaDataSize", `Bytes(${used})`)],
    ["data_crc", dataCrc.toString()],
  ]);
  return wrapped("Some", members);
}

/** A static header, without a line end. */
export const staticHeaderText = (header: StaticHeader): string => print(headerShape(header));

/**
 * A Blockdev Data Area, without a line end. Of each pair of regions there is one header: that of the first region,
 * or, if it is damaged, that of the second.
 */
export function bdaText(header: StaticHeader, regionSize: Sectors, headers: RegionHeaders): string {
  const ofPair = (pair: 0 | 1): ParsedMdaHeader => {
    const both = regionsOf(pair).map((region) => headers[region]);
    return both.find(({ kind }) => kind !== "damaged") ?? headers[pair];
  };
  const regions = structure("MDARegions", [
    ["region_size", size("MDARegionSize", regionSize)],
    ["mda_headers", list([mdaHeaderShape(ofPair(0)), mdaHeaderShape(ofPair(1))])],
  ]);
  return print(
    structure("BDA", [
      ["header", headerShape(header)],
      ["regions", regions],
    ]),
  );
}
