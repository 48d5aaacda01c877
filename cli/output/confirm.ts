/** The question before data are lost, put to people only: where standard input and output are terminals. */
import type { Context } from "../context";
import { DeclinedError } from "../errors";
import { Lines } from "../lines";

const YES = /^\s*y(es)?\s*$/i;

/** Throws DeclinedError unless there is nobody to ask, the user has said yes beforehand, or does so now. */
export async function confirm(
  { values, io }: Context,
  loss: () => readonly string[] | Promise<readonly string[]>,
): Promise<void> {
  if (values.flag("--yes") || io.stdin?.isTTY !== true || io.stdout.isTTY !== true) return;
  const lost = await loss();
  // Standard output is for the document.
  const out = values.flag("--json") ? io.stderr : io.stdout;
  out.write(`${lost.map((line) => `${line}\n`).join("")}Go on? [y/N] `);
  const lines = new Lines(process.stdin);
  const answer = (await lines.next()).toString("utf8");
  lines.wipe();
  process.stdin.unref();
  if (!YES.test(answer)) throw new DeclinedError("Nothing was changed.");
}
