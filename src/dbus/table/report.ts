/** Report interfaces (dbus-api.md §6). */
import { getReport } from "../operations/manager";
import { rowsFor, type InterfaceTable } from "./rows";

const { question, variant } = rowsFor<"Report">();

export const reportTable: InterfaceTable<"Report"> = {
  kind: "Report",
  methods: [question("GetReport", variant({ since: 0 }, "name:s", "result:s", "", getReport))],
  properties: [],
};
