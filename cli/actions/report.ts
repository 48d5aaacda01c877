/** `report` and `daemon version` (cli.md §12.9). */
import { Variant } from "dbus-next/lib/variant";
import type { Action } from "../context";
import { UnexpectedValueError } from "../errors";
import { JsonNumber, jsonText, type Json } from "../format/json";
import { MANAGER, REPORT } from "../names";
import type { Stratisd } from "../stratisd";
import { asText } from "../values";
import { jsonFrom } from "./shared";

/** A value from D-Bus as JSON: booleans as 0 and 1, structures and arrays as lists, without its variants. */
function jsonOf(value: unknown): Json {
  if (value instanceof Variant) return jsonOf((value as Variant<unknown>).value);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return new JsonNumber(value ? "1" : "0");
  if (typeof value === "number" || typeof value === "bigint") return new JsonNumber(value.toString());
  if (Array.isArray(value)) return value.map(jsonOf);
  if (value instanceof Uint8Array) return [...value].map(jsonOf);
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, entry]) => [key, jsonOf(entry)]));
  throw new UnexpectedValueError(`stratisd sent a value of type ${typeof value}, which has no form in JSON`);
}

async function contents(stratisd: Stratisd, name: string): Promise<Json> {
  switch (name) {
    case "managed_objects_report":
      return jsonOf((await stratisd.managedObjects()).raw);
    case "engine_state_report": {
      const text = await stratisd.request({ interface: MANAGER, member: "EngineStateReport" });
      return jsonFrom(asText(text), "The engine state report");
    }
    default: {
      const call = { interface: REPORT, member: "GetReport", signature: "s", body: [name] };
      return jsonFrom(asText(await stratisd.request(call)), `The report "${name}"`);
    }
  }
}

export const report: Action = async ({ values, stratisd: connect, print }) => {
  const json = await contents(await connect(), values.maybeText("report_name") ?? "engine_state_report");
  print(`${jsonText(json, { indented: true, sorted: !values.flag("--no-sort-keys") })}\n`);
};

export const daemonVersion: Action = async ({ stratisd: connect, print }) => {
  print(`${asText(await (await connect()).managerProperty("Version"))}\n`);
};
