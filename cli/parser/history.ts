/** `history`, which stratis-cli has not. */
import { load } from "../load";
import { HISTORY } from "./fields";
import type { Command } from "./grammar";
import { moment } from "./moment";
import * as types from "./value-types";
import type { Values } from "./values";

type Actions = typeof import("../actions/history");

function check(values: Values): string | null {
  if (!values.flag("--follow")) return null;
  const other = ["--lines", "--until"].find((name) => values.has(name));
  return other === undefined ? null : `argument ${other}: not allowed with argument --follow`;
}

export const historyCommand: Command = {
  name: "history",
  extension: true,
  help: "show who asked stratisd for what to be changed, and how it ended",
  options: [
    {
      name: "--pool",
      metavar: "POOL",
      extension: true,
      source: { what: "pool" },
      help: "only what was about this pool: one of its names, earlier ones too, or its UUID",
    },
    {
      name: "--since",
      metavar: "TIME",
      extension: true,
      convert: (word) => moment(word),
      help: "only what ended at this time or later",
    },
    {
      name: "--until",
      metavar: "TIME",
      extension: true,
      convert: (word) => moment(word),
      help: "only what ended at this time or earlier",
    },
    { name: "--failed", words: "none", extension: true, help: "only what failed" },
    {
      name: "--lines",
      metavar: "NUMBER",
      extension: true,
      convert: types.amount,
      help: "only the last ones, so many",
    },
    {
      name: "--follow",
      words: "none",
      extension: true,
      help: "show what ends from now on, or since the time given by --since, until interrupted",
    },
  ],
  shows: [HISTORY],
  check,
  action: () => (load("./actions/history") as Actions).history,
};
