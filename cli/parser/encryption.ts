/** `pool encryption`, and the deprecated spellings of its parts (cli.md §3.3, §3.4). */
import { load } from "../load";
import type { Action } from "../context";
import type { Command, Option, Positional } from "./grammar";
import * as shared from "./shared";
import * as types from "./value-types";

type Actions = typeof import("../actions/encryption");
const action = (pick: (actions: Actions) => Action) => () => pick(load("./actions/encryption") as Actions);

type InPlace = typeof import("../actions/in-place-encryption");
const inPlaceAction = (pick: (actions: InPlace) => Action) => () =>
  pick(load("./actions/in-place-encryption") as InPlace);

const inPlace: Option = {
  name: "--in-place",
  words: "none",
  help: "rewrite the devices of the pool in place; required, see RESTRICTIONS in stratis(8)",
};
const wait: Option = {
  name: "--wait",
  words: "none",
  extension: true,
  help: "wait until it is done, however long that takes, instead of leaving it to stratisd after 10 seconds",
};
const byOption: Pick<Command, "options" | "exclusive"> = {
  options: shared.poolIdentifier.options,
  exclusive: [shared.poolIdentifier.exclusive],
};
const url: Positional = { name: "url", help: "URL of the Tang server" };
const method: Positional = {
  name: "method",
  convert: types.encryptionMethod,
  help: "unlock method: keyring or clevis",
};

/** Where the pool of bind and rebind is named. */
interface Naming {
  readonly positionals: readonly Positional[];
  readonly options: readonly Option[];
  readonly exclusive: NonNullable<Command["exclusive"]>;
}
const BY_OPTION: Naming = {
  positionals: [],
  options: shared.poolIdentifier.options,
  exclusive: byOption.exclusive ?? [],
};
const BY_POSITION: Naming = { positionals: [shared.poolName], options: [], exclusive: [] };

const bindCommands = ({ positionals, options, exclusive }: Naming): Command[] => [
  {
    name: "nbde",
    aliases: ["tang"],
    help: "bind to a Tang server",
    positionals: [...positionals, url],
    options: [...options, shared.trustUrl, shared.thumbprint],
    exclusive: [...exclusive, shared.tangVerification(true)],
    shows: "change",
    action: action((a) => a.bindTang),
  },
  {
    name: "tpm2",
    help: "bind to this machine's TPM 2.0",
    positionals,
    options: [...options, shared.postParser],
    exclusive,
    shows: "change",
    action: action((a) => a.bindTpm2),
  },
  {
    name: "keyring",
    help: "bind to a key in the kernel keyring",
    positionals: [...positionals, shared.keyDescription],
    options,
    exclusive,
    shows: "change",
    action: action((a) => a.bindKeyring),
  },
];

const rebindCommands = ({ positionals, options, exclusive }: Naming): Command[] => [
  {
    name: "clevis",
    help: "renew a Clevis binding with its own configuration",
    positionals,
    options: [...options, shared.tokenSlot],
    exclusive,
    shows: "change",
    action: action((a) => a.rebindClevis),
  },
  {
    name: "keyring",
    help: "bind to another key in the kernel keyring instead",
    positionals: [...positionals, shared.keyDescription],
    options: [...options, shared.tokenSlot],
    exclusive,
    shows: "change",
    action: action((a) => a.rebindKeyring),
  },
];

export const encryptionCommand: Command = {
  name: "encryption",
  aliases: ["crypt"],
  help: "manage the encryption of a pool",
  commands: [
    {
      name: "on",
      help: "encrypt a pool",
      options: [
        ...shared.poolIdentifier.options,
        inPlace,
        ...shared.encryptionOptions,
        wait,
        shared.postParser,
      ],
      exclusive: [shared.poolIdentifier.exclusive, shared.tangVerification(false)],
      check: shared.checkEncryption,
      shows: "change",
      action: inPlaceAction((a) => a.encrypt),
    },
    {
      name: "off",
      help: "decrypt a pool",
      ...byOption,
      options: [...shared.poolIdentifier.options, inPlace, wait],
      shows: "change",
      destructive: true,
      action: inPlaceAction((a) => a.decrypt),
    },
    {
      name: "reencrypt",
      help: "encrypt a pool with a new key",
      ...byOption,
      options: [...shared.poolIdentifier.options, inPlace, wait],
      shows: "change",
      action: inPlaceAction((a) => a.reencrypt),
    },
    { name: "bind", help: "add an unlock method", commands: bindCommands(BY_OPTION) },
    { name: "rebind", help: "renew or change an unlock method", commands: rebindCommands(BY_OPTION) },
    {
      name: "unbind",
      help: "remove an unlock method",
      positionals: [method],
      options: [...shared.poolIdentifier.options, shared.tokenSlot],
      exclusive: [shared.poolIdentifier.exclusive],
      shows: "change",
      action: action((a) => a.unbind),
    },
  ],
};

export const deprecatedCommands: readonly Command[] = [
  {
    name: "bind",
    help: 'deprecated: use "pool encryption bind"',
    ...shared.movedTo("stratis pool bind", "stratis pool encryption bind"),
    commands: bindCommands(BY_POSITION),
  },
  {
    name: "rebind",
    help: 'deprecated: use "pool encryption rebind"',
    ...shared.movedTo("stratis pool rebind", "stratis pool encryption rebind"),
    commands: rebindCommands(BY_POSITION),
  },
  {
    name: "unbind",
    help: 'deprecated: use "pool encryption unbind"',
    ...shared.movedTo("stratis pool unbind", "stratis pool encryption unbind"),
    positionals: [method, shared.poolName],
    options: [shared.tokenSlot],
    shows: "change",
    action: action((a) => a.unbind),
  },
];
