/** `--watch`: prints anew whenever stratisd signals a change, until interrupted. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context } from "../context";
import { endByInterrupt } from "../interrupt";
import { reportDocument, reportText } from "../report-error";

/** A change seldom comes alone: what follows within this time is shown with it. */
const SETTLING_MS = 100;
const CLEARED = "\x1b[H\x1b[J";

/** The output as things are now. That it cannot be made at the moment, the daemon being away, is shown instead. */
async function momentaryText(
  context: Context,
  textOf: (context: Context) => Promise<string>,
): Promise<string> {
  try {
    return await textOf(context);
  } catch (error) {
    return context.values.flag("--json") ? reportDocument(error, { oneLine: true }) : reportText(error);
  }
}

/** Resolves never; rejects when the first output cannot be made, or the message bus goes away. */
export async function watch(context: Context, textOf: (context: Context) => Promise<string>): Promise<never> {
  const { io, values, print } = context;
  const changes = await (await context.stratisd()).changes();
  let shown = await textOf(context);
  endByInterrupt();
  const onTerminal = io.stdout.isTTY === true && !values.flag("--json");
  print(onTerminal ? CLEARED + shown : shown);
  for (;;) {
    await changes.next();
    await sleep(SETTLING_MS);
    changes.forget();
    const text = await momentaryText(context, textOf);
    if (text === shown) continue;
    shown = text;
    if (onTerminal) print(CLEARED + text);
    else print(values.flag("--json") ? text : `\n${text}`);
  }
}
