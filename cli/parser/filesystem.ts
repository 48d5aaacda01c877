/** `filesystem` and `blockdev` (cli.md §3.5, §3.6). */
import { load } from "../load";
import type { Action } from "../context";
import { blockdevDebugCommand, filesystemDebugCommand } from "./debug";
import { BLOCKDEVS, FILESYSTEMS } from "./fields";
import type { Command, Positional } from "./grammar";
import * as shared from "./shared";
import * as types from "./value-types";
import type { Values } from "./values";

type Filesystem = typeof import("../actions/filesystem");
type Properties = typeof import("../actions/filesystem-properties");
type List = typeof import("../actions/filesystem-list");
type Blockdev = typeof import("../actions/blockdev-list");
const filesystem = (pick: (actions: Filesystem) => Action) => () =>
  pick(load("./actions/filesystem") as Filesystem);
const properties = (pick: (actions: Properties) => Action) => () =>
  pick(load("./actions/filesystem-properties") as Properties);
const listFilesystems = () => (load("./actions/filesystem-list") as List).list;
const listBlockdevs = () => (load("./actions/blockdev-list") as Blockdev).list;

const filesystemName: Positional = {
  name: "fs_name",
  source: { what: "filesystem" },
  help: "name of the filesystem",
};
const filesystemNames: Positional = { ...filesystemName, count: "many" };
const newFilesystemNames: Positional = { ...filesystemNames, source: { what: "new" } };
const snapshotName: Positional = { ...filesystemName, name: "snapshot_name", help: "name of the snapshot" };
const optionalPool: Positional = { ...shared.poolName, count: "optional" };

const checkList = (values: Values): string | null =>
  (values.has("--name") || values.has("--uuid")) && !values.has("pool_name")
    ? "If filesystem UUID or name is specified then pool name must also be specified."
    : null;

export const filesystemCommand: Command = {
  name: "filesystem",
  aliases: ["fs"],
  help: "manage filesystems",
  shows: [FILESYSTEMS],
  action: listFilesystems,
  commands: [
    {
      name: "create",
      help: "create filesystems",
      positionals: [shared.poolName, newFilesystemNames],
      options: [
        { name: "--size", metavar: "SIZE", convert: types.size, help: "logical size (default: 1TiB)" },
        { name: "--size-limit", metavar: "SIZE", convert: types.size, help: "size not to grow beyond" },
      ],
      shows: "change",
      action: filesystem((a) => a.create),
    },
    {
      name: "snapshot",
      help: "make a snapshot of a filesystem",
      positionals: [
        shared.poolName,
        { ...filesystemName, name: "origin_name", help: "name of the filesystem to make a snapshot of" },
        { ...snapshotName, source: { what: "new" } },
      ],
      options: [
        {
          name: "--also",
          short: "-n",
          words: "any",
          metavar: "NAME",
          extension: true,
          help: "names of further snapshots",
        },
      ],
      shows: "change",
      action: filesystem((a) => a.snapshot),
    },
    {
      name: "list",
      help: "list filesystems, or show one in detail",
      positionals: [optionalPool],
      options: [...shared.optionalFilesystemIdentifier.options, shared.postParser],
      exclusive: [shared.optionalFilesystemIdentifier.exclusive],
      check: checkList,
      shows: [FILESYSTEMS],
      action: listFilesystems,
    },
    {
      name: "destroy",
      help: "destroy filesystems",
      positionals: [shared.poolName, filesystemNames],
      shows: "change",
      destructive: true,
      action: filesystem((a) => a.destroy),
    },
    {
      name: "rename",
      help: "rename a filesystem",
      positionals: [
        shared.poolName,
        filesystemName,
        { name: "new_name", source: { what: "new" }, help: "name that the filesystem is to have" },
      ],
      shows: "change",
      action: properties((a) => a.rename),
    },
    {
      name: "set-size-limit",
      help: "set the size that a filesystem is not to grow beyond",
      positionals: [
        shared.poolName,
        filesystemName,
        {
          name: "limit",
          convert: types.sizeOrCurrent,
          help: `size, or "${types.CURRENT}" for the present size`,
        },
      ],
      shows: "change",
      action: properties((a) => a.setSizeLimit),
    },
    {
      name: "unset-size-limit",
      help: "let a filesystem grow without limit",
      positionals: [shared.poolName, filesystemName],
      shows: "change",
      action: properties((a) => a.unsetSizeLimit),
    },
    {
      name: "schedule-revert",
      help: "have a snapshot replace its origin when the pool is started next",
      positionals: [shared.poolName, snapshotName],
      shows: "change",
      action: properties((a) => a.scheduleRevert),
    },
    {
      name: "cancel-revert",
      help: "cancel a scheduled revert",
      positionals: [shared.poolName, snapshotName],
      shows: "change",
      action: properties((a) => a.cancelRevert),
    },
    filesystemDebugCommand,
  ],
};

export const blockdevCommand: Command = {
  name: "blockdev",
  help: "show block devices",
  shows: [BLOCKDEVS],
  action: listBlockdevs,
  commands: [
    {
      name: "list",
      help: "list block devices",
      positionals: [optionalPool],
      shows: [BLOCKDEVS],
      action: listBlockdevs,
    },
    blockdevDebugCommand,
  ],
};
