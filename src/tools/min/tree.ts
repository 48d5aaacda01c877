/** The commands of stratis-min (system.md §19.1). */
import { ask, askChecked } from "../../jsonrpc/client";
import type { JsonValue } from "../../disk/json";
import { UsageError } from "../command-line";
import { prettyJson } from "../pretty-json";
import { ToolError, type Output } from "../tool";
import {
  encryption,
  keyDescription,
  NAME_OPTION,
  poolId,
  slot,
  SLOT_OPTION,
  slotInput,
  tangBinding,
  unlock,
} from "./arguments";
import type { Group, Leaf } from "./commands";
import { withKeyfile, withPassphrase } from "./passphrase";
import { filesystemTable, keyTable, poolTable } from "./tables";

const BIND_OPTIONS = { ...NAME_OPTION, ...SLOT_OPTION };
const KEY_OPTION = { "key-desc": { value: "KEY_DESC", required: true } } as const;

/** Throws ToolError when the request was carried out but changed nothing. */
async function change(...request: Parameters<typeof askChecked>): Promise<void> {
  const value = await askChecked(...request);
  if (value === false || value === null) throw new ToolError("The requested action had no effect");
}

async function listKeys(output: Output): Promise<void> {
  output.out(keyTable(await askChecked("KeyList")));
}

const key: Group = {
  about: "Keys in the kernel keyring",
  otherwise: listKeys,
  commands: {
    list: { about: "List keys", run: (_, output) => listKeys(output) },
    set: {
      about: "Set a key",
      options: { "capture-key": {}, "keyfile-path": { value: "KEYFILE_PATH" } },
      positionals: ["KEY_DESC"],
      run: async (line, output) => {
        const path = line.value("keyfile-path");
        if (line.flag("capture-key") === (path !== undefined))
          throw new UsageError(
            "the following required arguments were not provided: exactly one of\n  --capture-key\n  --keyfile-path <KEYFILE_PATH>",
          );
        const description = keyDescription(line.positionals[0] ?? "");
        // A key that was made anew has the answer false, which is no failure here.
        const send = async (fd: number): Promise<void> => {
          if ((await askChecked("KeySet", description, { fd })) === null)
            throw new ToolError("The requested action had no effect");
        };
        if (path === undefined) await withPassphrase(output, { verify: true }, send);
        else await withKeyfile(path, send);
      },
    },
    unset: {
      about: "Unset a key",
      positionals: ["KEY_DESC"],
      run: ({ positionals: [description = ""] }) => change("KeyUnset", description),
    },
  },
};

const onPool = (about: string, request: string): Leaf => ({
  about,
  positionals: ["NAME", "BLOCKDEVS"],
  variadic: true,
  run: ({ positionals: [name, ...devices] }) => change(request, [name, devices]),
});

const question = (about: string, request: string): Leaf => ({
  about,
  options: NAME_OPTION,
  positionals: ["ID"],
  run: async (line, output) => {
    output.out(`${String(await askChecked(request, poolId(line)))}\n`);
  },
});

const bind: Group = {
  about: "Bind a pool to a way of unlocking it",
  aliases: { tang: "nbde" },
  commands: {
    keyring: {
      about: "Bind to a key in the kernel keyring",
      options: { ...BIND_OPTIONS, ...KEY_OPTION },
      positionals: ["ID"],
      run: (line) =>
        change("PoolBindKeyring", [
          poolId(line),
          slotInput(line),
          keyDescription(line.value("key-desc") ?? ""),
        ]),
    },
    nbde: {
      about: "Bind to a Tang server by Clevis",
      options: { ...BIND_OPTIONS, thumbprint: { value: "THUMBPRINT" }, "trust-url": {} },
      positionals: ["ID", "TANG_URL"],
      run: (line) => change("PoolBindClevis", [poolId(line), slotInput(line), "tang", tangBinding(line)]),
    },
    tpm2: {
      about: "Bind to this machine's TPM by Clevis",
      options: BIND_OPTIONS,
      positionals: ["ID"],
      run: (line) => change("PoolBindClevis", [poolId(line), slotInput(line), "tpm2", {}]),
    },
  },
};

const ofBinding = (about: string, request: string): Leaf => ({
  about,
  options: BIND_OPTIONS,
  positionals: ["ID"],
  run: (line) => change(request, [poolId(line), slot(line)]),
});

const unbind: Group = {
  about: "Remove a way of unlocking a pool",
  commands: {
    keyring: ofBinding("Remove a key", "PoolUnbindKeyring"),
    clevis: ofBinding("Remove a binding of Clevis", "PoolUnbindClevis"),
  },
};

const rebind: Group = {
  about: "Renew a way of unlocking a pool",
  commands: {
    keyring: {
      about: "Bind to another key",
      options: { ...BIND_OPTIONS, ...KEY_OPTION },
      positionals: ["ID"],
      run: (line) =>
        change("PoolRebindKeyring", [poolId(line), slot(line), keyDescription(line.value("key-desc") ?? "")]),
    },
    clevis: ofBinding("Renew a binding of Clevis", "PoolRebindClevis"),
  },
};

const pool: Group = {
  about: "Pools; without a command a list of those that run",
  otherwise: async (output) => {
    output.out(poolTable(await ask("PoolList")));
  },
  commands: {
    start: {
      about: "Start a pool",
      options: { ...NAME_OPTION, ...SLOT_OPTION, prompt: {} },
      positionals: ["ID"],
      run: async (line, output) => {
        const request = [poolId(line), unlock(line)];
        if (!line.flag("prompt")) await change("PoolStart", request);
        else await withPassphrase(output, { verify: false }, (fd) => change("PoolStart", request, { fd }));
      },
    },
    stop: {
      about: "Stop a pool",
      options: NAME_OPTION,
      positionals: ["ID"],
      run: (line) => change("PoolStop", poolId(line)),
    },
    create: {
      about: "Make a pool",
      options: {
        "key-descs": { value: "KEY_DESC[:SLOT]", multiple: true },
        "clevis-infos": { value: "CLEVIS_INFO", multiple: true },
      },
      positionals: ["NAME", "BLOCKDEVS"],
      variadic: true,
      run: (line) => {
        const [name, ...devices] = line.positionals;
        return change("PoolCreate", [name, devices, encryption(line)]);
      },
    },
    "init-cache": onPool("Make a cache of devices", "PoolInitCache"),
    rename: {
      about: "Rename a pool",
      positionals: ["CURRENT", "NEW"],
      run: ({ positionals }) => change("PoolRename", [...positionals]),
    },
    "add-data": onPool("Add devices for data", "PoolAddData"),
    "add-cache": onPool("Add devices to the cache", "PoolAddCache"),
    destroy: {
      about: "Destroy a pool without filesystems",
      positionals: ["NAME"],
      run: ({ positionals: [name] }) => change("PoolDestroy", name),
    },
    "is-encrypted": question("Whether a pool is encrypted", "PoolIsEncrypted"),
    "is-stopped": question("Whether a pool is stopped", "PoolIsStopped"),
    "has-passphrase": question("Whether a passphrase unlocks a pool", "PoolHasPassphrase"),
    "is-bound": question("Whether Clevis unlocks a pool", "PoolIsBound"),
    bind,
    unbind,
    rebind,
  },
};

const filesystem: Group = {
  about: "Filesystems; without a command a list of them",
  otherwise: async (output) => {
    output.out(filesystemTable(await ask("FsList")));
  },
  commands: {
    create: {
      about: "Make a filesystem",
      positionals: ["POOL", "FILESYSTEM"],
      run: ({ positionals }) => change("FsCreate", [...positionals]),
    },
    destroy: {
      about: "Destroy a filesystem",
      positionals: ["POOL", "FILESYSTEM"],
      run: ({ positionals }) => change("FsDestroy", [...positionals]),
    },
    rename: {
      about: "Rename a filesystem",
      positionals: ["POOL", "FILESYSTEM", "NEW"],
      run: ({ positionals }) => change("FsRename", [...positionals]),
    },
    origin: {
      about: "Print the UUID of the filesystem that a snapshot was made of",
      positionals: ["POOL", "FILESYSTEM"],
      run: async ({ positionals }, output) => {
        const origin = await askChecked("FsOrigin", [...positionals]);
        output.out(`${typeof origin === "string" ? origin : "None"}\n`);
      },
    },
  },
};

const report: Leaf = {
  about: "Print the state of the engine as JSON",
  run: async (_, output) => {
    prettyJson((await ask("Report")) as JsonValue, (piece) => {
      output.out(piece);
    });
    output.out("\n");
  },
};

export const root: Group = {
  about: "Asks stratisd-min, the Stratis daemon of early boot and rescue",
  // Accepted, and without effect, as upstream's.
  options: { debug: {} },
  commands: { key, pool, filesystem, report },
};
