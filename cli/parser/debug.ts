/** The debug commands of every level (cli.md §3.8). */
import { load } from "../load";
import type { Action } from "../context";
import type { Command, Option } from "./grammar";
import * as shared from "./shared";

type Actions = typeof import("../actions/debug");
const action = (pick: (actions: Actions) => Action) => () => pick(load("./actions/debug") as Actions);

const metadataOptions: readonly Option[] = [
  { name: "--pretty", words: "none", help: "indent the output and sort its keys" },
  { name: "--written", words: "none", help: "show what was last written, not what would be written now" },
];

export const debugCommand: Command = {
  name: "debug",
  help: "commands for debugging",
  commands: [
    {
      name: "refresh",
      help: "make stratisd bring its state up to date",
      shows: "change",
      action: action((a) => a.refresh),
    },
    {
      name: "uevent",
      help: "have the kernel announce a change of a device",
      positionals: [{ name: "device", source: { what: "file" }, help: "path of the device" }],
      shows: "change",
      action: action((a) => a.uevent),
    },
  ],
};

export const poolDebugCommand: Command = {
  name: "debug",
  help: "commands for debugging pools",
  commands: [
    {
      name: "get-object-path",
      help: "print the D-Bus object path of a pool",
      options: shared.poolIdentifier.options,
      exclusive: [shared.poolIdentifier.exclusive],
      shows: "document",
      action: action((a) => a.poolObjectPath),
    },
    {
      name: "get-metadata",
      help: "print the pool-level metadata of a pool",
      options: [...shared.poolIdentifier.options, ...metadataOptions],
      exclusive: [shared.poolIdentifier.exclusive],
      shows: "document",
      action: action((a) => a.poolMetadata),
    },
  ],
};

export const filesystemDebugCommand: Command = {
  name: "debug",
  help: "commands for debugging filesystems",
  commands: [
    {
      name: "get-object-path",
      help: "print the D-Bus object path of a filesystem",
      options: shared.filesystemIdentifier.options,
      exclusive: [shared.filesystemIdentifier.exclusive],
      shows: "document",
      action: action((a) => a.filesystemObjectPath),
    },
    {
      name: "get-metadata",
      help: "print the filesystem metadata of a pool",
      positionals: [shared.poolName],
      options: [
        {
          name: "--fs-name",
          metavar: "FS_NAME",
          source: { what: "filesystem" },
          help: "only of the filesystem of this name",
        },
        ...metadataOptions,
      ],
      shows: "document",
      action: action((a) => a.filesystemMetadata),
    },
  ],
};

export const blockdevDebugCommand: Command = {
  name: "debug",
  help: "commands for debugging block devices",
  commands: [
    {
      name: "get-object-path",
      help: "print the D-Bus object path of a block device",
      options: shared.blockdevIdentifier.options,
      exclusive: [shared.blockdevIdentifier.exclusive],
      shows: "document",
      action: action((a) => a.blockdevObjectPath),
    },
  ],
};
