/** Arguments that several commands have in common. */
import type { Selector } from "../managed-objects";
import type { Command, Exclusive, Option, Positional } from "./grammar";
import * as types from "./value-types";
import type { Values } from "./values";

export const poolName: Positional = { name: "pool_name", source: { what: "pool" }, help: "name of the pool" };
/** Of a pool that is to be made. */
export const newPoolName: Positional = { ...poolName, source: { what: "new" } };
export const keyDescription: Positional = {
  name: "keydesc",
  source: { what: "key" },
  help: "key description in the kernel keyring",
};
export const blockdevs: Positional = {
  name: "blockdevs",
  count: "many",
  source: { what: "free device" },
  help: "path of a block device",
};

/** --name and --uuid of one object; `title` names the group in the help. */
function identifiers(
  what: "pool" | "filesystem" | "block device",
  title: string,
  required: boolean,
): { options: Option[]; exclusive: Exclusive } {
  const options: Option[] = [
    { name: "--name", metavar: "NAME", group: title, source: { what }, help: `name of the ${what}` },
    {
      name: "--uuid",
      metavar: "UUID",
      group: title,
      convert: types.uuid,
      source: { what, by: "uuid" },
      help: `UUID of the ${what}`,
    },
  ];
  return { options, exclusive: { options, required } };
}

export const poolIdentifier = identifiers("pool", "Pool Identifier", true);
export const optionalPoolIdentifier = identifiers("pool", "Optional Pool Identifier", false);
export const filesystemIdentifier = identifiers("filesystem", "Filesystem Identifier", true);
export const optionalFilesystemIdentifier = identifiers(
  "filesystem",
  "Optional Filesystem Identifier",
  false,
);
export const blockdevIdentifier = identifiers("block device", "Block Device Identifier", true);

/** What --name and --uuid chose. */
export function maybeSelectorOf(values: Values): Selector | undefined {
  const name = values.maybeText("--name");
  if (name !== undefined) return { by: "name", value: name };
  const uuid = values.maybeText("--uuid");
  return uuid === undefined ? undefined : { by: "uuid", value: uuid };
}

/** The pool that a command is about, named by option or, in the deprecated spellings, by position. */
export const poolSelectorOf = (values: Values): Selector =>
  maybeSelectorOf(values) ?? { by: "name", value: values.text(poolName.name) };

export const tokenSlot: Option = {
  name: "--token-slot",
  metavar: "TOKEN_SLOT",
  convert: types.tokenSlot,
  help: "token slot of the binding",
};

/** A part of stratis-cli's inside that it knows as an option, and refuses. */
export const postParser: Option = {
  name: "--post-parser",
  words: "any",
  hidden: true,
  rejected: true,
  help: "not to be used",
};

export const trustUrl: Option = {
  name: "--trust-url",
  words: "none",
  group: "Tang Server Verification",
  help: "trust the server at the URL without verification",
};
export const thumbprint: Option = {
  name: "--thumbprint",
  metavar: "THP",
  group: "Tang Server Verification",
  help: "thumbprint of the Tang server's signing key",
};

/** Options that say how a pool is to be encrypted. */
export const encryptionOptions: readonly Option[] = [
  {
    name: "--key-desc",
    metavar: "KEY_DESC",
    source: { what: "key" },
    group: "Encryption",
    help: "key description of the key to encrypt with, which must be in the kernel keyring",
  },
  {
    name: "--clevis",
    metavar: "{nbde,tang,tpm2}",
    convert: types.clevis,
    group: "Encryption",
    help: "Clevis method to encrypt with",
  },
  { name: "--tang-url", metavar: "URL", group: "Encryption", help: "URL of the Tang server" },
  trustUrl,
  thumbprint,
];

export const tangVerification = (required: boolean): Exclusive => ({
  options: [trustUrl, thumbprint],
  required,
});

/** cli.md §5, rows 1 to 4: the options above have to agree. */
export function checkEncryption(values: Values): string | null {
  const clevis = values.maybeText("--clevis");
  const tang = clevis === "nbde" || clevis === "tang";
  const verified = values.has("--trust-url") || values.has("--thumbprint");
  if (tang && !values.has("--tang-url"))
    return "Specified binding with Clevis Tang server, but URL was not specified. Use --tang-url option to specify tang URL.";
  if (values.has("--tang-url") && !verified)
    return "Specified binding with Clevis Tang server, but neither --thumbprint nor --trust-url option was specified.";
  if (values.has("--tang-url") && !tang)
    return "Specified --tang-url without specifying Clevis encryption method. Use --clevis=tang to choose Clevis encryption.";
  if (verified && !values.has("--tang-url"))
    return "Specified --trust-url or --thumbprint without specifying tang URL. Use --tang-url to specify URL.";
  return null;
}

/** The end of the help of a command that has moved. */
export const movedTo = (before: string, now: string): Pick<Command, "epilogue" | "hidden"> => ({
  hidden: true,
  epilogue:
    `This command has moved: its prefix was "${before}" and is "${now}" now. The old spelling, which names the pool ` +
    "by position, still works, and is announced to be removed in version 3.10.0.",
});
