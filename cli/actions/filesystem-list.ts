/** `filesystem list`, in a table and in detail (cli.md §12.5, §12.6). */
import type { Context } from "../context";
import { freeOf, UNKNOWN } from "../format/size";
import type { Column } from "../format/table";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { mountPoints } from "../mounts";
import { sizeText, timeText } from "../output/fields";
import { choosesFields, listText, sortedBy, styleOf, wantsField, type Table } from "../output/list";
import { listing } from "../output/listing";
import { FILESYSTEMS } from "../parser/fields";
import { maybeSelectorOf } from "../parser/shared";
import { asBytes, asFlag, asOptional, asText } from "../values";
import { FILESYSTEM_GETTERS, type FilesystemRow } from "./filesystem-fields";
import { linesText, maybeSize, orUnknown, uuidText, yesNo } from "./shared";

const COLUMNS: readonly Column[] = [
  { title: "Pool", align: "left" },
  { title: "Filesystem", align: "left" },
  { title: "Total / Used / Free / Limit", align: "left" },
  { title: "Device", align: "left" },
  { title: "UUID", align: "left" },
];

/** The word None stands for a filesystem without a limit. */
function limitText(context: Context, filesystem: ManagedObject): string {
  const limit = filesystem.maybe("SizeLimit", (value) => asOptional(value, asBytes));
  return limit === null ? "None" : sizeText(limit, styleOf(context));
}

function sizesOf(context: Context, filesystem: ManagedObject): { total: string; used: string; free: string } {
  const style = styleOf(context);
  const total = filesystem.maybe("Size", asBytes);
  const used = maybeSize(filesystem, "Used");
  return {
    total: sizeText(total, style),
    used: sizeText(used, style),
    free: sizeText(freeOf(total, used), style),
  };
}

const standardTable = (context: Context, rows: readonly FilesystemRow[]): Table => ({
  columns: COLUMNS,
  rows: rows.map(({ filesystem, poolName }) => {
    const { total, used, free } = sizesOf(context, filesystem);
    return [
      orUnknown(poolName),
      orUnknown(filesystem.maybe("Name", asText)),
      [total, used, free, limitText(context, filesystem)].join(" / "),
      orUnknown(filesystem.maybe("Devnode", asText)),
      uuidText(context, filesystem.maybe("Uuid", asText)),
    ];
  }),
});

function originLines(context: Context, filesystem: ManagedObject): string[] {
  const origin = filesystem.maybe("Origin", (value) => asOptional(value, asText));
  if (origin === undefined) return [`Snapshot origin: ${UNKNOWN}`];
  if (origin === null) return ["Snapshot origin: None"];
  return [
    `Snapshot origin: ${uuidText(context, origin)}`,
    `    Revert scheduled: ${yesNo(filesystem.maybe("MergeScheduled", asFlag))}`,
  ];
}

function detail(context: Context, filesystem: ManagedObject, pool: string): string {
  const { total, used, free } = sizesOf(context, filesystem);
  return linesText([
    `UUID: ${uuidText(context, filesystem.maybe("Uuid", asText))}`,
    `Name: ${orUnknown(filesystem.maybe("Name", asText))}`,
    `Pool: ${pool}`,
    "",
    `Device: ${orUnknown(filesystem.maybe("Devnode", asText))}`,
    "",
    `Created: ${orUnknown(filesystem.maybe("Created", (value) => timeText(asText(value))))}`,
    "",
    ...originLines(context, filesystem),
    "",
    "Sizes:",
    `  Logical size of thin device: ${total}`,
    `  Total used (including XFS metadata): ${used}`,
    `  Free: ${free}`,
    "",
    `  Size Limit: ${limitText(context, filesystem)}`,
  ]);
}

/** Where a filesystem is mounted is found out only if it is to be shown. */
async function rowsOf(
  context: Context,
  objects: ManagedObjects,
  filesystems: readonly ManagedObject[],
): Promise<FilesystemRow[]> {
  const pools = new Map(objects.all("pool").map((pool) => [pool.path, pool.maybe("Name", asText)]));
  const names = new Map(
    objects
      .all("filesystem")
      .map((filesystem) => [filesystem.maybe("Uuid", asText), filesystem.maybe("Name", asText)]),
  );
  const mounted = wantsField(context, "mount_points") ? await mountPoints() : null;
  return Promise.all(
    filesystems.map(async (filesystem) => {
      const device = filesystem.maybe("Devnode", asText);
      return {
        filesystem,
        poolName: pools.get(filesystem.maybe("Pool", asText) ?? ""),
        nameOf: (uuid: string) => names.get(uuid),
        mountPoints: mounted === null || device === undefined ? undefined : await mounted(device),
      };
    }),
  );
}

export const list = listing(async (context) => {
  const { values } = context;
  const objects = await (await context.stratisd()).managedObjects();
  const poolName = values.maybeText("pool_name");
  const selector = maybeSelectorOf(values);
  const pool = poolName === undefined ? undefined : objects.pool(poolName);
  const single = pool !== undefined && selector !== undefined;
  const filesystems = single
    ? [objects.select("filesystem", selector, pool)]
    : pool === undefined
      ? objects.all("filesystem")
      : objects.matching("filesystem", { Pool: pool.path });
  const rows = await rowsOf(context, objects, filesystems);
  const [first] = rows;
  if (single && first !== undefined && !choosesFields(context))
    return detail(context, first.filesystem, orUnknown(first.poolName));
  const sorted = sortedBy(rows, (row) => [
    orUnknown(row.poolName),
    orUnknown(row.filesystem.maybe("Name", asText)),
  ]);
  return listText(context, {
    table: FILESYSTEMS,
    getters: FILESYSTEM_GETTERS,
    rows: sorted,
    standard: () => standardTable(context, sorted),
  });
});
