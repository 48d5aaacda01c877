/** `metrics`: what stratisd knows, as OpenMetrics text. */
import { metricsText, type Family, type Sample } from "../../src/tools/openmetrics";
import { ToolError } from "../../src/tools/tool";
import { writeMetrics } from "../../src/tools/write-metrics";
import type { Action, Context } from "../context";
import { JsonNumber, type Json } from "../format/json";
import { documentText } from "../output/document";

const sampleJson = ({ labels, value }: Sample): Json =>
  new Map<string, Json>([
    ["labels", new Map(Object.entries(labels))],
    ["value", new JsonNumber(value.toString())],
  ]);

const familyJson = ({ name, type = "gauge", unit, help, samples }: Family): Json =>
  new Map<string, Json>([
    ["name", name],
    ["type", type],
    ["unit", unit ?? null],
    ["help", help],
    ["samples", samples.map(sampleJson)],
  ]);

const metricsJson = (families: readonly Family[]): string =>
  documentText([["metrics", families.map(familyJson)]]);

/** Undefined, or why there are no metrics but that stratisd does not answer, or why there is no file. */
async function failureOf({ values, io, print }: Context): Promise<ToolError | undefined> {
  try {
    const form = values.flag("--json") ? metricsJson : metricsText;
    return await writeMetrics(io.env, values.maybeText("--output"), print, form);
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
}

export const metrics: Action = async (context) => {
  const failure = await failureOf(context);
  if (failure === undefined) return;
  context.io.stderr.write(`${failure.message}\n`);
  context.fail();
};
