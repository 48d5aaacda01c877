/** `pool list`: the table of started pools; detail and stopped pools are elsewhere (cli.md §12.1). */
import type { Context } from "../context";
import { freeOf } from "../format/size";
import type { Column } from "../format/table";
import type { ManagedObject } from "../managed-objects";
import { paletteOf } from "../output/colour";
import { sizeText } from "../output/fields";
import { choosesFields, listText, sortedBy, styleOf, type List, type Table } from "../output/list";
import { listing } from "../output/listing";
import { POOLS } from "../parser/fields";
import { maybeSelectorOf } from "../parser/shared";
import { asBytes, asFlag, asText } from "../values";
import { alertPaint, poolAlerts } from "./alerts";
import { poolDetail } from "./pool-detail";
import { POOL_GETTERS, poolRow, type PoolRow } from "./pool-fields";
import { maybeSize, metadataVersion, orUnknown, uuidText } from "./shared";
import { stoppedText } from "./stopped-pools";

const columnsFor = ({ io }: Context): Column[] => [
  { title: "Name", align: "left" },
  { title: "Total / Used / Free", align: "right" },
  { title: "Properties", align: "right" },
  { title: "UUID", align: "right" },
  { title: "Alerts", align: "left", paint: alertPaint(paletteOf(io)) },
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

function spaceCell(context: Context, pool: ManagedObject): string {
  const total = pool.maybe("TotalPhysicalSize", asBytes);
  const used = maybeSize(pool, "TotalPhysicalUsed");
  return [total, used, freeOf(total, used)].map((size) => sizeText(size, styleOf(context))).join(" / ");
}

const standardTable = (context: Context, rows: readonly PoolRow[]): Table => ({
  columns: columnsFor(context),
  rows: rows.map(({ pool, devices }) => [
    orUnknown(pool.maybe("Name", asText)),
    spaceCell(context, pool),
    propertiesCell(pool),
    uuidText(context, pool.maybe("Uuid", asText)),
    poolAlerts(pool, devices).join(", "),
  ]),
});

function poolList(context: Context, rows: readonly PoolRow[]): List<(typeof POOLS)["fields"], PoolRow> {
  const sorted = sortedBy(rows, ({ pool }) => [orUnknown(pool.maybe("Name", asText))]);
  return {
    table: POOLS,
    getters: POOL_GETTERS,
    rows: sorted,
    standard: () => standardTable(context, sorted),
  };
}

async function startedText(context: Context): Promise<string> {
  const selector = maybeSelectorOf(context.values);
  const objects = await (await context.stratisd()).managedObjects();
  const pools = selector === undefined ? objects.all("pool") : [objects.select("pool", selector)];
  const rows = pools.map((pool) => poolRow(objects, pool));
  const [first] = rows;
  if (selector !== undefined && first !== undefined && !choosesFields(context))
    return poolDetail(context, first.pool, first.devices, objects.operationOn(first.pool));
  return listText(context, poolList(context, rows));
}

export const list = listing((context) =>
  context.values.flag("--stopped") ? stoppedText(context) : startedText(context),
);
