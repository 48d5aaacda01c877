/** The whole grammar: `stratis` and its short branches `report`, `key` and `daemon` (cli.md §3.1, §3.7). */
import { load } from "../load";
import type { Action } from "../context";
import { debugCommand } from "./debug";
import { blockdevCommand, filesystemCommand } from "./filesystem";
import { KEYS } from "./fields";
import type { Command } from "./grammar";
import { historyCommand } from "./history";
import { keyInput } from "./key-input";
import { poolCommand } from "./pool";
import * as shared from "./shared";
import * as types from "./value-types";

type Key = typeof import("../actions/key");
type Report = typeof import("../actions/report");
const key = (pick: (actions: Key) => Action) => () => pick(load("./actions/key") as Key);
const report = (pick: (actions: Report) => Action) => () => pick(load("./actions/report") as Report);

const keySource = keyInput("Key Value Specification", true);

const reportCommand: Command = {
  name: "report",
  help: "print a report as JSON",
  positionals: [
    {
      name: "report_name",
      count: "optional",
      convert: types.reportKey,
      help: "engine_state_report (default), managed_objects_report or stopped_pools",
    },
  ],
  options: [{ name: "--no-sort-keys", words: "none", help: "leave the keys in stratisd's order" }],
  shows: "document",
  action: report((a) => a.report),
};

const keyCommand: Command = {
  name: "key",
  help: "manage keys in the kernel keyring",
  shows: [KEYS],
  action: key((a) => a.list),
  commands: [
    {
      name: "set",
      help: "set a key that is not there yet",
      positionals: [{ ...shared.keyDescription, source: { what: "new" } }],
      options: keySource.options,
      exclusive: [keySource.exclusive],
      shows: "change",
      action: key((a) => a.set),
    },
    {
      name: "reset",
      help: "give a key another value",
      positionals: [shared.keyDescription],
      options: keySource.options,
      exclusive: [keySource.exclusive],
      shows: "change",
      action: key((a) => a.reset),
    },
    {
      name: "unset",
      help: "remove a key",
      positionals: [shared.keyDescription],
      shows: "change",
      action: key((a) => a.unset),
    },
    { name: "list", help: "list keys", shows: [KEYS], action: key((a) => a.list) },
  ],
};

const daemonCommand: Command = {
  name: "daemon",
  help: "ask about stratisd",
  commands: [
    {
      name: "version",
      help: "print stratisd's version",
      shows: "document",
      action: report((a) => a.daemonVersion),
    },
  ],
};

const doctorCommand: Command = {
  name: "doctor",
  extension: true,
  help: "examine whether everything is there that Stratis needs, and whether the pools are well",
  options: [
    { name: "--quiet", words: "none", extension: true, help: "show only what is not in order" },
    {
      name: "--root",
      metavar: "DIRECTORY",
      extension: true,
      source: { what: "file" },
      help: "examine the files below another directory than /",
    },
  ],
  shows: "document",
  action: () => (load("./actions/doctor") as typeof import("../actions/doctor")).doctor,
};

const metricsCommand: Command = {
  name: "metrics",
  extension: true,
  help: "print sizes, use and alerts of pools and filesystems, and the daemon's own figures, as OpenMetrics text",
  options: [
    {
      name: "--output",
      metavar: "FILE",
      extension: true,
      source: { what: "file" },
      help: "replace FILE at once instead of printing",
    },
  ],
  shows: "document",
  action: () => (load("./actions/metrics") as typeof import("../actions/metrics")).metrics,
};

export const rootCommand: Command = {
  name: "stratis",
  help: "Stratis local storage management",
  options: [
    { name: "--version", words: "none", help: "print the version of this program and exit" },
    {
      name: "--print-all-help",
      words: "none",
      hidden: true,
      help: "print the help of all commands and exit",
    },
    { name: "--propagate", words: "none", help: "for debugging: show errors with their causes and stacks" },
    { name: "--unhyphenated-uuids", words: "none", help: "show UUIDs in lists without hyphens" },
  ],
  commands: [
    poolCommand,
    blockdevCommand,
    filesystemCommand,
    reportCommand,
    keyCommand,
    debugCommand,
    daemonCommand,
    doctorCommand,
    historyCommand,
    metricsCommand,
  ],
};
