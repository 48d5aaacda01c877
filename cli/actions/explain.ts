/** `pool explain`. Needs no daemon. */
import type { Action } from "../context";
import { documentText } from "../output/document";
import { ALERT_TEXTS, type AlertCode } from "./alerts";

export const explain: Action = ({ values, print }) => {
  const code = values.text("code") as AlertCode;
  const { summary, explanation } = ALERT_TEXTS[code];
  const facts = new Map(Object.entries({ code, summary, explanation }));
  print(values.flag("--json") ? documentText([["alert", facts]]) : `${explanation}\n`);
  return Promise.resolve();
};
