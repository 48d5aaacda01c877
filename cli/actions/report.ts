/** `report` and `daemon version` (cli.md §12.9). */
import { Variant } from "dbus-next/lib/variant";
import type { Action } from "../context";
import { UnexpectedValueError } from "../errors";
import { JsonNumber, jsonText, sortedKeys, type Json } from "../format/json";
import { MANAGER, REPORT } from "../names";
import { documentText } from "../output/document";
import type { Stratisd } from "../stratisd";
import { asText } from "../values";
import { jsonFrom } from "./shared";

/** How a boolean is written. */
type Booleans = (flag: boolean) => Json;

/** As stratis-cli writes them. */
const asNumbers: Booleans = (flag) => new JsonNumber(flag ? "1" : "0");

/** A value from D-Bus as JSON: structures and arrays as lists, without its variants. */
function jsonOf(value: unknown, booleans: Booleans): Json {
  const inner = (entry: unknown): Json => jsonOf(entry, booleans);
  if (value instanceof Variant) return inner((value as Variant<unknown>).value);
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return booleans(value);
  if (typeof value === "number" || typeof value === "bigint") return new JsonNumber(value.toString());
  if (Array.isArray(value)) return value.map(inner);
  if (value instanceof Uint8Array) return [...value].map(inner);
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, entry]) => [key, inner(entry)]));
  throw new UnexpectedValueError(`stratisd sent a value of type ${typeof value}, which has no form in JSON`);
}

async function contents(stratisd: Stratisd, name: string, booleans: Booleans): Promise<Json> {
  switch (name) {
    case "managed_objects_report":
      return jsonOf((await stratisd.managedObjects()).raw, booleans);
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
  const name = values.maybeText("report_name") ?? "engine_state_report";
  const sorted = !values.flag("--no-sort-keys");
  const enveloped = values.flag("--json");
  const json = await contents(await connect(), name, enveloped ? (flag) => flag : asNumbers);
  print(
    enveloped
      ? documentText([
          ["report", name],
          ["contents", sorted ? sortedKeys(json) : json],
        ])
      : `${jsonText(json, { indented: true, sorted })}\n`,
  );
};

export const daemonVersion: Action = async ({ values, stratisd: connect, print }) => {
  const version = asText(await (await connect()).managerProperty("Version"));
  print(values.flag("--json") ? documentText([["daemon", new Map([["version", version]])]]) : `${version}\n`);
};
