/** Are the programs there that stratisd runs? */
import type { Check } from "./check";
import { failure, note, ok, type Finding } from "./findings";
import type { Machine } from "./machine";

interface Tool {
  readonly name: string;
  /** Prints the version; undefined: it has no such option. */
  readonly version?: string;
  /** Without it stratisd does not start. */
  readonly required?: true;
  readonly neededFor: string;
  /** Packages of distributions that have it. */
  readonly from: string;
}

const XFS = "xfsprogs";
const THIN = "thin-provisioning-tools, or device-mapper-persistent-data";

const TOOLS: readonly Tool[] = [
  { name: "mkfs.xfs", version: "-V", required: true, neededFor: "making filesystems", from: XFS },
  { name: "xfs_db", version: "-V", required: true, neededFor: "making snapshots", from: XFS },
  { name: "xfs_growfs", version: "-V", required: true, neededFor: "growing filesystems", from: XFS },
  { name: "thin_check", version: "--version", required: true, neededFor: "starting pools", from: THIN },
  { name: "thin_repair", version: "--version", required: true, neededFor: "repairing pools", from: THIN },
  {
    name: "thin_metadata_size",
    version: "--version",
    neededFor: "predicting the use of space with stratis-predict-usage",
    from: THIN,
  },
  { name: "cryptsetup", version: "--version", neededFor: "encrypting pools in place", from: "cryptsetup" },
  { name: "udevadm", version: "--version", neededFor: "examining what udev knows", from: "systemd or udev" },
];

/** What Clevis needs: any that is missing switches all of it off. */
const CLEVIS = [
  "clevis",
  "clevis-luks-bind",
  "clevis-luks-unbind",
  "clevis-luks-unlock",
  "clevis-luks-common-functions",
  "clevis-luks-regen",
  "clevis-decrypt",
  "clevis-decrypt-tang",
  "clevis-decrypt-tpm2",
  "clevis-encrypt-tang",
  "clevis-encrypt-tpm2",
  "jose",
  "jq",
  "curl",
  "tpm2_createprimary",
  "tpm2_unseal",
  "tpm2_load",
  "mktemp",
];

/** The number in what a program prints about its version. */
const versionIn = (text: string): string | null => /\d+(?:\.\d+)+\S*|\b\d{2,}\b/.exec(text)?.[0] ?? null;

async function versionOf(machine: Machine, { name, version }: Tool): Promise<string | null> {
  if (version === undefined) return null;
  const output = await machine.run(name, version);
  return output === null ? null : versionIn(output.stdout + output.stderr);
}

async function toolFinding(machine: Machine, tool: Tool): Promise<Finding> {
  const path = await machine.find(tool.name);
  if (path !== null) {
    const version = await versionOf(machine, tool);
    return ok(`${tool.name} is ${path}${version === null ? "" : `, version ${version}`}`);
  }
  const message = `${tool.name} is missing, which is needed for ${tool.neededFor}`;
  const advice = `Install ${tool.from}.`;
  return tool.required === true
    ? failure(`${message}: stratisd does not start without it`, advice)
    : note(message, advice);
}

async function clevisFinding(machine: Machine): Promise<Finding> {
  const found = await Promise.all(CLEVIS.map((name) => machine.find(name)));
  const missing = CLEVIS.filter((_, index) => found[index] === null);
  if (missing.length === 0) return ok("all programs that Clevis needs are there");
  if (missing.includes("clevis"))
    return note("Clevis is not installed, so that no pool can be bound to it or unlocked by it");
  return note(
    `no pool can be bound to Clevis or unlocked by it, because programs are missing: ${missing.join(", ")}`,
    "Install clevis-luks, jose, jq, curl and tpm2-tools.",
  );
}

export const toolsCheck: Check = {
  name: "tools",
  make: async ({ machine }) => [
    ...(await Promise.all(TOOLS.map((tool) => toolFinding(machine, tool)))),
    await clevisFinding(machine),
  ],
};
