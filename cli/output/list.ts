/** What the commands that list things print: their table, the columns that the user chose, or JSON. */
import type { Context } from "../context";
import type { Json } from "../format/json";
import { byCodePoint } from "../format/order";
import { tableText, type Column } from "../format/table";
import { columnNames } from "../parser/extensions";
import type { FieldSpec, TableSpec } from "../parser/fields";
import { paletteOf } from "./colour";
import { documentText } from "./document";
import { alignmentOf, cellText, rowJson, type Getters, type Style } from "./fields";

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly string[][];
}

export interface List<F extends Readonly<Record<string, FieldSpec>>, Row> {
  readonly table: TableSpec & { readonly fields: F };
  readonly getters: Getters<F, Row>;
  /** In the order in which they are to be shown. */
  readonly rows: readonly Row[];
  /** What is shown unless the user chooses: the table of stratis-cli. */
  readonly standard: () => Table;
}

export const styleOf = ({ values, unhyphenatedUuids }: Context): Style => ({
  bytes: values.flag("--bytes"),
  unhyphenated: unhyphenatedUuids,
});

/** Whether the user asks for another form than the standard one. */
export const choosesFields = ({ values }: Context): boolean =>
  values.flag("--json") || values.has("--columns");

/** Whether a field is among what will be shown, so that it need not be found out otherwise. */
export const wantsField = ({ values }: Context, name: string): boolean => {
  const columns = values.maybeText("--columns");
  return columns === undefined ? values.flag("--json") : columnNames(columns).includes(name);
};

/** Sorts by several texts, the first ones first. */
export const sortedBy = <Row>(rows: readonly Row[], keysOf: (row: Row) => readonly string[]): Row[] =>
  rows
    .map((row) => ({ row, keys: keysOf(row) }))
    .sort(({ keys: left }, { keys: right }) => {
      const index = left.findIndex((key, place) => key !== right[place]);
      return index < 0 ? 0 : byCodePoint(left[index] ?? "", right[index] ?? "");
    })
    .map(({ row }) => row);

/** The names that --columns or, without it, the whole table has. The grammar has checked them. */
function chosenNames<F extends Readonly<Record<string, FieldSpec>>>(
  { values }: Context,
  fields: F,
): (keyof F & string)[] {
  const columns = values.maybeText("--columns");
  return columns === undefined ? Object.keys(fields) : columnNames(columns);
}

function chosenTable<F extends Readonly<Record<string, FieldSpec>>, Row>(
  context: Context,
  { table, getters, rows }: List<F, Row>,
): Table {
  const style = styleOf(context);
  const chosen = chosenNames(context, table.fields).map((name) => ({ name, spec: table.fields[name] }));
  return {
    columns: chosen.map(({ spec }) => ({ title: spec.title, align: alignmentOf(spec) })),
    rows: rows.map((row) => chosen.map(({ name, spec }) => cellText(spec, getters[name](row), style))),
  };
}

export interface Form {
  /** JSON on one line. */
  readonly oneLine?: boolean;
  readonly header?: boolean;
}

/** The text that a list command prints. */
export async function listText<F extends Readonly<Record<string, FieldSpec>>, Row>(
  context: Context,
  list: List<F, Row>,
  form: Form = {},
): Promise<string> {
  const { values } = context;
  const { oneLine = values.flag("--watch"), header = !values.flag("--no-header") } = form;
  if (values.flag("--json")) {
    const names = chosenNames(context, list.table.fields);
    const objects = list.rows.map((row): Json => rowJson(list.table.fields, list.getters, names, row));
    return documentText([[list.table.key, objects]], { oneLine });
  }
  const { columns, rows } = values.has("--columns") ? chosenTable(context, list) : list.standard();
  return tableText(columns, rows, {
    header,
    paintTitle: paletteOf(context.io).title,
  });
}
