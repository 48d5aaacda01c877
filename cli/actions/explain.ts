/** `pool explain`. Needs no daemon. */
import type { Action } from "../context";
import { ALERT_TEXTS, type AlertCode } from "./alerts";

export const explain: Action = ({ values, print }) => {
  print(`${ALERT_TEXTS[values.text("code") as AlertCode].explanation}\n`);
  return Promise.resolve();
};
