/**
 * The actions of commands that change something: all checks first, then, unless it is a dry run, the change, and what
 * was done as JSON for those who ask.
 */
import type { Action, Context } from "../context";
import { jsonText, type Json } from "../format/json";
import { load } from "../load";
import { documentText } from "./document";
import { EFFECTS, isUnresolved, itemJson, itemText, resolvedEffects, type Effects, type Item } from "./items";

import { withProgress, type Progress } from "./progress";

type Confirm = typeof import("./confirm");
type DryRun = typeof import("./dry-run");

export interface Done {
  readonly effects: Effects;
  /** False: stratisd goes on with it. */
  readonly finished?: boolean;
  /** To be said to the user: a line. */
  readonly notice?: string;
}

/** A change that has passed the checks that every run makes. */
export interface Plan {
  /** What is to happen. */
  readonly effects: Effects;
  /** Checks that otherwise stratisd makes, for a dry run. */
  readonly examine?: (checks: DryRun) => void | Promise<void>;
  /** Lines that tell the user what would be lost; without it nothing is. */
  readonly loss?: (() => readonly string[] | Promise<readonly string[]>) | undefined;
  /** Makes the change. Returns what is known of it only now. */
  readonly perform: (progress: Progress) => Promise<Done | undefined>;
}

function changeDocument({ command }: Context, { effects, finished = true }: Done, dryRun: boolean): string {
  return documentText([
    ["action", command],
    ["dry_run", dryRun],
    ["finished", finished && !dryRun],
    ...EFFECTS.map((name): [string, Json] => [name, (effects[name] ?? []).map(itemJson)]),
  ]);
}

const VERBS: Readonly<Record<keyof Effects, string>> = {
  created: "Would create",
  changed: "Would change",
  removed: "Would remove",
  unchanged: "Would leave unchanged",
};

const setText = ({ set = {} }: Item): string =>
  Object.entries(set)
    .map(([key, value]) => `${key} ${jsonText(value, { indented: false, sorted: false })}`)
    .join(", ");

const dryRunText = (effects: Effects): string =>
  EFFECTS.flatMap((name) =>
    (effects[name] ?? []).map((item) => {
      const details = setText(item);
      return `${VERBS[name]} ${itemText(item)}${details === "" ? "" : `: ${details}`}\n`;
    }),
  ).join("");

async function rehearse(context: Context, { effects, examine }: Plan): Promise<void> {
  await examine?.(load("./output/dry-run") as DryRun);
  const { values, print } = context;
  if (values.flag("--json")) print(changeDocument(context, { effects }, true));
  else if (!values.flag("--quiet")) print(dryRunText(effects));
}

async function withUuids(context: Context, effects: Effects): Promise<Effects> {
  if (!isUnresolved(effects)) return effects;
  return resolvedEffects(effects, await (await context.stratisd()).managedObjects());
}

/** `planOf` makes the checks, changes nothing, and throws if the change is not to be made. */
export const changing =
  (planOf: (context: Context) => Promise<Plan>): Action =>
  async (context) => {
    const { values, io, print } = context;
    const plan = await planOf(context);
    if (values.flag("--dry-run")) {
      await rehearse(context, plan);
      return;
    }
    if (plan.loss !== undefined) await (load("./output/confirm") as Confirm).confirm(context, plan.loss);
    const done: Done = (await withProgress(context, plan.perform)) ?? { effects: plan.effects };
    if (done.notice !== undefined && !values.flag("--quiet")) io.stderr.write(`${done.notice}\n`);
    if (!values.flag("--json")) return;
    print(changeDocument(context, { ...done, effects: await withUuids(context, done.effects) }, false));
  };
