/** `blockdev list` (cli.md §12.7). */
import type { Action, Context } from "../context";
import { byCodePoint } from "../format/order";
import { formatMaybeSize, formatSize, UNKNOWN } from "../format/size";
import { tableText, type Column } from "../format/table";
import type { ManagedObject } from "../managed-objects";
import { asBytes, asInteger, asOptional, asText } from "../values";
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

function sizeCell(device: ManagedObject): string {
  const recorded = device.maybe("TotalPhysicalSize", asBytes);
  const observed = device.maybe("NewPhysicalSize", (value) => asOptional(value, asBytes));
  if (observed === undefined) return `${formatMaybeSize(recorded)} (${UNKNOWN})`;
  if (observed === null || observed === recorded) return formatMaybeSize(recorded);
  return `${formatMaybeSize(recorded)} (${formatSize(observed)})`;
}

function tierCell(device: ManagedObject): string {
  const tier = device.maybe("Tier", asInteger);
  return tier === 0n ? "DATA" : tier === 1n ? "CACHE" : UNKNOWN;
}

const row = (context: Context, device: ManagedObject, pool: string): string[] => [
  pool,
  deviceCell(device),
  sizeCell(device),
  tierCell(device),
  uuidText(context, device.maybe("Uuid", asText)),
];

export const list: Action = async (context) => {
  const objects = await (await context.stratisd()).managedObjects();
  const poolName = context.values.maybeText("pool_name");
  const names = new Map(objects.all("pool").map((pool) => [pool.path, pool.maybe("Name", asText)]));
  const devices =
    poolName === undefined
      ? objects.all("block device")
      : objects.matching("block device", { Pool: objects.pool(poolName).path });
  const rows = devices
    .map((device) => row(context, device, orUnknown(names.get(device.maybe("Pool", asText) ?? ""))))
    .sort(
      ([leftPool = "", left = ""], [rightPool = "", right = ""]) =>
        byCodePoint(leftPool, rightPool) || byCodePoint(left, right),
    );
  context.print(await tableText(COLUMNS, rows));
};
