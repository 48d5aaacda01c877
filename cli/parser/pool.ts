/** `pool` (cli.md §3.2). */
import { load } from "../load";
import type { Action } from "../context";
import { poolDebugCommand } from "./debug";
import { deprecatedCommands, encryptionCommand } from "./encryption";
import type { Command, Option } from "./grammar";
import { checkColumns } from "./extensions";
import { POOLS, STOPPED_POOLS } from "./fields";
import { keyInput } from "./key-input";
import * as shared from "./shared";
import * as types from "./value-types";
import type { Values } from "./values";

type Pool = typeof import("../actions/pool");
type Devices = typeof import("../actions/pool-devices");
type StartStop = typeof import("../actions/pool-start-stop");
type Create = typeof import("../actions/pool-create");
type List = typeof import("../actions/pool-list");
const pool = (pick: (actions: Pool) => Action) => () => pick(load("./actions/pool") as Pool);
const devices = (pick: (actions: Devices) => Action) => () => pick(load("./actions/pool-devices") as Devices);

/** In the order in which the usage shows them. */
export const ALERT_CODES = ["WS001", "IDS001", "WDS002", "WC001", "WC002", "EM001", "EM002"] as const;

const journalSize: Option = {
  name: "--journal-size",
  metavar: "SIZE",
  convert: types.size,
  group: "Integrity",
  help: "size of the journal of the integrity layer (default: 128MiB)",
};
const tagSpec: Option = {
  name: "--tag-spec",
  metavar: "{32b,512b}",
  convert: types.integrityTagSpec,
  group: "Integrity",
  help: "size of the tag of a block in the integrity layer (default: 512b)",
};
const integrity: Option = {
  name: "--integrity",
  metavar: "{no,pre-allocate}",
  convert: types.integrityOption,
  group: "Integrity",
  help: "whether to reserve space for an integrity layer (default: pre-allocate)",
};

/** cli.md §5, rows 5 and 6, after those on encryption. */
function checkCreate(values: Values): string | null {
  const wrong = shared.checkEncryption(values);
  if (wrong !== null || values.maybeText(integrity.name) !== "no") return wrong;
  const unwanted = [journalSize, tagSpec].find(({ name }) => values.has(name));
  if (unwanted === undefined) return null;
  return `--integrity value "no" and ${unwanted.name} option can not be specified together`;
}

const create: Command = {
  name: "create",
  help: "create a pool",
  positionals: [shared.newPoolName, shared.blockdevs],
  options: [
    ...shared.encryptionOptions,
    integrity,
    journalSize,
    tagSpec,
    {
      name: "--no-overprovision",
      words: "none",
      help: "let the filesystems' sizes together not exceed the size of the pool",
    },
    shared.postParser,
  ],
  exclusive: [shared.tangVerification(false)],
  check: checkCreate,
  shows: "change",
  action: () => (load("./actions/pool-create") as Create).create,
};

const unlockMethod: Option = {
  name: "--unlock-method",
  metavar: "{any,clevis,keyring}",
  convert: types.unlockMethod,
  group: "Optional Unlock Method",
  help: "method to unlock the pool by",
};
const startSlot: Option = { ...shared.tokenSlot, group: "Optional Unlock Method" };
const startKey = keyInput("Optional Key Value Specification", false);

const start: Command = {
  name: "start",
  help: "start a stopped pool",
  options: [
    ...shared.poolIdentifier.options,
    unlockMethod,
    startSlot,
    ...startKey.options,
    { name: "--remove-cache", words: "none", help: "remove the pool's cache while starting it" },
  ],
  exclusive: [
    shared.poolIdentifier.exclusive,
    { options: [unlockMethod, startSlot], required: false },
    startKey.exclusive,
  ],
  shows: "change",
  destructive: true,
  action: () => (load("./actions/pool-start-stop") as StartStop).start,
};

const stop: Command = {
  name: "stop",
  help: "stop a pool",
  options: shared.poolIdentifier.options,
  exclusive: [shared.poolIdentifier.exclusive],
  shows: "change",
  action: () => (load("./actions/pool-start-stop") as StartStop).stop,
};

const list: Command = {
  name: "list",
  help: "list pools, or show one in detail",
  options: [
    ...shared.optionalPoolIdentifier.options,
    { name: "--stopped", words: "none", help: "stopped pools instead of started ones" },
  ],
  exclusive: [shared.optionalPoolIdentifier.exclusive],
  shows: [POOLS, STOPPED_POOLS],
  check: (values) =>
    checkColumns(values.maybeText("--columns"), values.flag("--stopped") ? STOPPED_POOLS : POOLS),
  action: () => (load("./actions/pool-list") as List).list,
};

const deviceCommands: readonly Command[] = [
  {
    name: "init-cache",
    help: "give a pool a cache",
    positionals: [shared.poolName, shared.blockdevs],
    shows: "change",
    action: devices((a) => a.initCache),
  },
  {
    name: "add-data",
    help: "add devices to the data tier of a pool",
    positionals: [shared.poolName, { ...shared.blockdevs, shown: "blockdev" }],
    shows: "change",
    action: devices((a) => a.addData),
  },
  {
    name: "add-cache",
    help: "add devices to the cache of a pool",
    positionals: [shared.poolName, { ...shared.blockdevs, shown: "blockdev" }],
    shows: "change",
    action: devices((a) => a.addCache),
  },
  {
    name: "extend-data",
    help: "use the space by which devices of the data tier have grown",
    positionals: [shared.poolName],
    options: [
      {
        name: "--device-uuid",
        metavar: "DEVICE_UUID",
        words: "any",
        convert: types.uuid,
        source: { what: "block device", by: "uuid" },
        help: "UUID of a device; all that have grown unless any is named",
      },
    ],
    shows: "change",
    action: devices((a) => a.extendData),
  },
];

export const poolCommand: Command = {
  name: "pool",
  help: "manage pools",
  shows: [POOLS],
  action: () => (load("./actions/pool-list") as List).list,
  commands: [
    create,
    {
      name: "destroy",
      help: "destroy a pool",
      positionals: [shared.poolName],
      options: [
        {
          name: "--with-filesystems",
          words: "none",
          extension: true,
          help: "destroy the pool's filesystems too, with all data on them",
        },
      ],
      shows: "change",
      destructive: true,
      action: pool((a) => a.destroy),
    },
    start,
    stop,
    list,
    {
      name: "rename",
      help: "rename a pool",
      positionals: [
        { ...shared.poolName, name: "current" },
        { name: "new", source: { what: "new" }, help: "name that it is to have" },
      ],
      shows: "change",
      action: pool((a) => a.rename),
    },
    encryptionCommand,
    ...deviceCommands,
    ...deprecatedCommands,
    {
      name: "set-fs-limit",
      help: "set how many filesystems a pool may have",
      positionals: [
        shared.poolName,
        { name: "amount", convert: types.amount, help: "number of filesystems" },
      ],
      shows: "change",
      action: pool((a) => a.setFsLimit),
    },
    {
      name: "overprovision",
      help: "allow or forbid overprovisioning",
      positionals: [shared.poolName, { name: "decision", convert: types.yesOrNo, help: "yes or no" }],
      shows: "change",
      action: pool((a) => a.overprovision),
    },
    {
      name: "explain",
      help: "explain an alert",
      positionals: [
        { name: "code", convert: types.choice(...ALERT_CODES), help: `one of ${ALERT_CODES.join(", ")}` },
      ],
      shows: "document",
      action: () => (load("./actions/explain") as typeof import("../actions/explain")).explain,
    },
    poolDebugCommand,
  ],
};
