/** `pool list`: the table of started pools; detail and stopped pools are elsewhere (cli.md §12.1). */
import type { Action, Context } from "../context";
import { freeOf, formatMaybeSize, UNKNOWN } from "../format/size";
import { byCodePoint } from "../format/order";
import { tableText, type Column } from "../format/table";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { maybeSelectorOf } from "../parser/shared";
import { asBytes, asFlag, asText } from "../values";
import { poolAlerts } from "./alerts";
import { poolDetail } from "./pool-detail";
import { maybeSize, metadataVersion, orUnknown, uuidText } from "./shared";
import { stoppedDetail, stoppedTable } from "./stopped-pools";

const COLUMNS: readonly Column[] = [
  { title: "Name", align: "left" },
  { title: "Total / Used / Free", align: "right" },
  { title: "Properties", align: "right" },
  { title: "UUID", align: "right" },
  { title: "Alerts", align: "left" },
];

/** Blank for yes, a tilde for no, and a question mark for the whole item when it is not known. */
const propertyItem = (code: string, flag: boolean | undefined): string =>
  flag === undefined ? "?" : `${flag ? " " : "~"}${code}`;

function propertiesCell(pool: ManagedObject): string {
  const version = metadataVersion(pool);
  return [
    propertyItem("Le", version === undefined ? undefined : version === 1),
    propertyItem("Ca", pool.maybe("HasCache", asFlag)),
    propertyItem("Cr", pool.maybe("Encrypted", asFlag)),
    propertyItem("Op", pool.maybe("Overprovisioning", asFlag)),
  ].join(",");
}

function spaceCell(pool: ManagedObject): string {
  const total = pool.maybe("TotalPhysicalSize", asBytes);
  const used = maybeSize(pool, "TotalPhysicalUsed");
  return [total, used, freeOf(total, used)].map(formatMaybeSize).join(" / ");
}

/** The devices that belong to a pool. One that does not tell its pool belongs to none. */
export const devicesOf = (objects: ManagedObjects, pool: ManagedObject): ManagedObject[] =>
  objects.all("block device").filter((device) => device.maybe("Pool", asText) === pool.path);

function poolTable(context: Context, objects: ManagedObjects): Promise<string> {
  const rows = objects
    .all("pool")
    .map((pool) => [
      orUnknown(pool.maybe("Name", asText)),
      spaceCell(pool),
      propertiesCell(pool),
      uuidText(context, pool.maybe("Uuid", asText)),
      poolAlerts(pool, devicesOf(objects, pool)).join(", "),
    ])
    .sort(([left = UNKNOWN], [right = UNKNOWN]) => byCodePoint(left, right));
  return tableText(COLUMNS, rows);
}

export const list: Action = async (context) => {
  const { values, print } = context;
  const selector = maybeSelectorOf(values);
  const stratisd = await context.stratisd();
  if (values.flag("--stopped")) {
    const stopped = await stratisd.managerProperty("StoppedPools");
    print(
      selector === undefined
        ? await stoppedTable(context, stopped)
        : stoppedDetail(context, stopped, selector),
    );
    return;
  }
  const objects = await stratisd.managedObjects();
  if (selector === undefined) {
    print(await poolTable(context, objects));
    return;
  }
  const pool = objects.select("pool", selector);
  print(poolDetail(context, pool, devicesOf(objects, pool)));
};
