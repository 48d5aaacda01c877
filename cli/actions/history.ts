/** `history`: who asked stratisd for what to be changed, and how it ended. */
import { callerText, historyLine, operationText, type HistoryRecord } from "../../src/history/record";
import type { Action, Context } from "../context";
import { parseUuid } from "../format/uuid";
import { isWithin, readHistory, type Span } from "../history/sources";
import { endByInterrupt } from "../interrupt";
import { load } from "../load";
import { paletteOf } from "../output/colour";
import { timeText, type Getters } from "../output/fields";
import { choosesFields, listText, type Form, type Table } from "../output/list";
import { HISTORY } from "../parser/fields";

type Follow = typeof import("../history/follow");

const big = (number: number | null): bigint | null => (number === null ? null : BigInt(number));

const GETTERS: Getters<typeof HISTORY.fields, HistoryRecord> = {
  time: ({ time }) => time,
  uid: ({ uid }) => big(uid),
  pid: ({ pid }) => big(pid),
  command: ({ command }) => command,
  left: ({ left }) => left,
  interface: ({ interface: name }) => name,
  operation: ({ operation }) => operation,
  object: ({ object }) => object,
  pool: ({ pool }) => pool,
  pool_uuid: ({ poolUuid }) => (poolUuid === null ? null : parseUuid(poolUuid)),
  result: ({ result }) => result,
  error: ({ error }) => error,
  duration: ({ durationMs }) => BigInt(durationMs),
};

const resultText = ({ result, error }: HistoryRecord): string =>
  error === null ? result : `${result}: ${error}`;

function standardTable({ io }: Context, records: readonly HistoryRecord[]): Table {
  const { error } = paletteOf(io);
  return {
    columns: [
      { title: "Time", align: "left" },
      { title: "Asked For By", align: "left" },
      { title: "Operation", align: "left" },
      { title: "Result", align: "left", paint: (text) => (text.startsWith("failed") ? error(text) : text) },
    ],
    rows: records.map((record) => [
      timeText(record.time, true),
      callerText(record),
      operationText(record),
      resultText(record),
    ]),
  };
}

const textOf = (context: Context, rows: readonly HistoryRecord[], form: Form = {}): Promise<string> =>
  listText(
    context,
    { table: HISTORY, getters: GETTERS, rows, standard: () => standardTable(context, rows) },
    form,
  );

function spanOf({ values }: Context): Span {
  const at = (name: string): number | null => {
    const time = values.maybeInteger(name);
    return time === undefined ? null : Number(time);
  };
  return { since: at("--since"), until: at("--until") };
}

/** Whether a record is about the pool that the user names: by UUID, or by a name that a pool of that UUID has had. */
function aboutPool(pool: string, known: readonly HistoryRecord[]): (record: HistoryRecord) => boolean {
  const digits = parseUuid(pool);
  const uuids = new Set(known.filter((record) => record.pool === pool).map(({ poolUuid }) => poolUuid));
  return (record) =>
    record.pool === pool ||
    (record.poolUuid !== null && uuids.has(record.poolUuid)) ||
    (record.poolUuid !== null && digits !== null && parseUuid(record.poolUuid) === digits);
}

/** Of the records those that the user wants. `known`: where earlier names of pools are looked up. */
function wantedOf(
  { values }: Context,
  records: readonly HistoryRecord[],
  known: readonly HistoryRecord[],
): HistoryRecord[] {
  const pool = values.maybeText("--pool");
  const isAbout = pool === undefined ? () => true : aboutPool(pool, known);
  return records.filter(
    (record) => isAbout(record) && (!values.flag("--failed") || record.result === "failed"),
  );
}

const ALWAYS: Span = { since: null, until: null };

/** Resolves never. */
async function follow(context: Context): Promise<never> {
  const { io, print, values } = context;
  const since = spanOf(context).since ?? Date.now();
  // Also without a need for names: it tells of what cannot be read.
  const known = await readHistory(io.env, values.has("--pool") ? ALWAYS : { since, until: null });
  endByInterrupt();
  const inWords = !choosesFields(context);
  const show = async (record: HistoryRecord): Promise<void> => {
    if (values.has("--pool")) known.push(record);
    const rows = wantedOf(context, [record], known);
    if (rows.length === 0) return;
    // What is to come is not known: no table can be made.
    if (inWords) print(`${timeText(record.time, true)}  ${historyLine(record)}\n`);
    else print(await textOf(context, rows, { oneLine: true, header: false }));
  };
  return (load("./history/follow") as Follow).followHistory(io.env, { since, until: null }, show);
}

export const history: Action = async (context) => {
  const { io, print, values } = context;
  if (values.flag("--follow")) return follow(context);
  const span = spanOf(context);
  // Names of a pool can be older than what is to be shown.
  const known = await readHistory(io.env, values.has("--pool") ? ALWAYS : span);
  const records = known.filter((record) => isWithin(record, span));
  const rows = wantedOf(context, records, known);
  const most = values.maybeInteger("--lines");
  const first = most === undefined || most > rows.length ? 0 : rows.length - Number(most);
  print(await textOf(context, rows.slice(first)));
};
