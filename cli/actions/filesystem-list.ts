/** `filesystem list`, in a table and in detail (cli.md §12.5, §12.6). */
import type { Action, Context } from "../context";
import { byCodePoint } from "../format/order";
import { formatMaybeSize, formatSize, freeOf, UNKNOWN } from "../format/size";
import { tableText, type Column } from "../format/table";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { maybeSelectorOf } from "../parser/shared";
import { asBytes, asFlag, asOptional, asText } from "../values";
import { timeText } from "./pool-detail";
import { linesText, maybeSize, orUnknown, uuidText, yesNo } from "./shared";

const COLUMNS: readonly Column[] = [
  { title: "Pool", align: "left" },
  { title: "Filesystem", align: "left" },
  { title: "Total / Used / Free / Limit", align: "left" },
  { title: "Device", align: "left" },
  { title: "UUID", align: "left" },
];

/** The word None stands for a filesystem without a limit. */
function limitText(filesystem: ManagedObject): string {
  const limit = filesystem.maybe("SizeLimit", (value) => asOptional(value, asBytes));
  if (limit === undefined) return UNKNOWN;
  return limit === null ? "None" : formatSize(limit);
}

function sizesOf(filesystem: ManagedObject): { total: string; used: string; free: string } {
  const total = filesystem.maybe("Size", asBytes);
  const used = maybeSize(filesystem, "Used");
  return {
    total: formatMaybeSize(total),
    used: formatMaybeSize(used),
    free: formatMaybeSize(freeOf(total, used)),
  };
}

/** Object path to name. */
function poolNames(objects: ManagedObjects): Map<string, string | undefined> {
  return new Map(objects.all("pool").map((pool) => [pool.path, pool.maybe("Name", asText)]));
}

const poolNameOf = (object: ManagedObject, names: ReadonlyMap<string, string | undefined>): string =>
  orUnknown(names.get(object.maybe("Pool", asText) ?? ""));

function filesystemTable(
  context: Context,
  filesystems: readonly ManagedObject[],
  names: ReadonlyMap<string, string | undefined>,
): Promise<string> {
  const rows = filesystems
    .map((filesystem) => {
      const { total, used, free } = sizesOf(filesystem);
      return [
        poolNameOf(filesystem, names),
        orUnknown(filesystem.maybe("Name", asText)),
        [total, used, free, limitText(filesystem)].join(" / "),
        orUnknown(filesystem.maybe("Devnode", asText)),
        uuidText(context, filesystem.maybe("Uuid", asText)),
      ];
    })
    .sort(
      ([leftPool = "", left = ""], [rightPool = "", right = ""]) =>
        byCodePoint(leftPool, rightPool) || byCodePoint(left, right),
    );
  return tableText(COLUMNS, rows);
}

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
  const { total, used, free } = sizesOf(filesystem);
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
    `  Size Limit: ${limitText(filesystem)}`,
  ]);
}

export const list: Action = async (context) => {
  const { values, print } = context;
  const objects = await (await context.stratisd()).managedObjects();
  const poolName = values.maybeText("pool_name");
  const selector = maybeSelectorOf(values);
  const pool = poolName === undefined ? undefined : objects.pool(poolName);
  if (pool !== undefined && selector !== undefined) {
    const filesystem = objects.select("filesystem", selector, pool);
    print(detail(context, filesystem, poolNameOf(filesystem, poolNames(objects))));
    return;
  }
  const filesystems =
    pool === undefined ? objects.all("filesystem") : objects.matching("filesystem", { Pool: pool.path });
  print(await filesystemTable(context, filesystems, poolNames(objects)));
};
