/** `blockdev list` (cli.md §12.7). */
import type { Context } from "../context";
import { UNKNOWN } from "../format/size";
import type { Column } from "../format/table";
import type { ManagedObject } from "../managed-objects";
import { sizeText } from "../output/fields";
import { listText, sortedBy, styleOf, type Table } from "../output/list";
import { listing } from "../output/listing";
import { BLOCKDEVS } from "../parser/fields";
import { asBytes, asInteger, asOptional, asText } from "../values";
import { BLOCKDEV_GETTERS, type BlockdevRow } from "./blockdev-fields";
import { orUnknown, uuidText } from "./shared";

const COLUMNS: readonly Column[] = [
  { title: "Pool Name", align: "left" },
  { title: "Device Node", align: "left" },
  { title: "Physical Size", align: "right" },
  { title: "Tier", align: "right" },
  { title: "UUID", align: "left" },
];

/** The physical path, with the node that holds the metadata in brackets if that is another. */
function deviceCell(device: ManagedObject): string {
  const devnode = device.maybe("Devnode", asText);
  const physical = device.maybe("PhysicalPath", asText);
  return devnode === physical ? orUnknown(devnode) : `${orUnknown(physical)} (${orUnknown(devnode)})`;
}

function sizeCell(context: Context, device: ManagedObject): string {
  const size = (bytes: bigint | undefined): string => sizeText(bytes, styleOf(context));
  const recorded = device.maybe("TotalPhysicalSize", asBytes);
  const observed = device.maybe("NewPhysicalSize", (value) => asOptional(value, asBytes));
  if (observed === null || (observed !== undefined && observed === recorded)) return size(recorded);
  return `${size(recorded)} (${size(observed)})`;
}

function tierCell(device: ManagedObject): string {
  const tier = device.maybe("Tier", asInteger);
  return tier === 0n ? "DATA" : tier === 1n ? "CACHE" : UNKNOWN;
}

const standardTable = (context: Context, rows: readonly BlockdevRow[]): Table => ({
  columns: COLUMNS,
  rows: rows.map(({ device, poolName }) => [
    orUnknown(poolName),
    deviceCell(device),
    sizeCell(context, device),
    tierCell(device),
    uuidText(context, device.maybe("Uuid", asText)),
  ]),
});

export const list = listing(async (context) => {
  const objects = await (await context.stratisd()).managedObjects();
  const poolName = context.values.maybeText("pool_name");
  const names = new Map(objects.all("pool").map((pool) => [pool.path, pool.maybe("Name", asText)]));
  const devices =
    poolName === undefined
      ? objects.all("block device")
      : objects.matching("block device", { Pool: objects.pool(poolName).path });
  const rows = sortedBy(
    devices.map((device) => ({ device, poolName: names.get(device.maybe("Pool", asText) ?? "") })),
    (row) => [orUnknown(row.poolName), deviceCell(row.device)],
  );
  return listText(context, {
    table: BLOCKDEVS,
    getters: BLOCKDEV_GETTERS,
    rows,
    standard: () => standardTable(context, rows),
  });
});
