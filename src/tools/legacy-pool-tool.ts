/** The program stratis-legacy-pool: its command line and its question (system.md §20.3). */
import { createInterface } from "node:readline";
import { EngineError, errorText } from "../engine/errors";
import { TRUST_KEY } from "../engine/real/crypt/clevis-config";
import { createLegacyPool } from "../engine/real/legacy-pool";
import { isNativeError } from "../native";
import { simpleUuid } from "../uuid";
import { parseCommandLine, UsageError, type CommandLine, type CommandSpec } from "./command-line";
import { ToolError, type Output, type Request, type Tool } from "./tool";

const NAME = "stratis-legacy-pool";

const HELP = `A program for facilitating testing; not for use in production

Usage: ${NAME} [OPTIONS] <POOL_NAME> <BLOCKDEVS>...

Arguments:
  <POOL_NAME>
          Name of the pool to be created
  <BLOCKDEVS>...
          Paths of the block devices for it

Options:
      --key-desc <KEY_DESC>
          Description of the key in the kernel keyring that encrypts the pool
      --clevis <CLEVIS>
          Clevis pin that encrypts the pool [possible values: nbde, tang, tpm2]
      --tang-url <TANG_URL>
          URL of the tang server
      --thumbprint <THUMBPRINT>
          Thumbprint of the tang server's key
      --trust-url
          Trust the tang server without a thumbprint
  -h, --help
          Print help
  -V, --version
          Print version
`;

const SPEC: CommandSpec = {
  options: {
    "key-desc": { value: "KEY_DESC" },
    clevis: { value: "CLEVIS", choices: ["nbde", "tang", "tpm2"] },
    "tang-url": { value: "TANG_URL" },
    thumbprint: { value: "THUMBPRINT" },
    "trust-url": {},
  },
  positionals: ["POOL_NAME", "BLOCKDEVS"],
  variadic: true,
  version: true,
};

const WARNING =
  "This program's sole purpose is for testing. It will create a Stratis pool with metadata of version 1, which current " +
  "versions of Stratis can use, but do not create any more.";
/** Anything else, also nothing, means no. */
const CONSENT = new Set(["y", "Y", "yes", "Yes"]);

/** Throws UsageError for a combination that makes no sense. */
function requireConsistent(line: CommandLine): void {
  const pin = line.value("clevis");
  const withServer = pin === "tang" || pin === "nbde";
  if (
    withServer &&
    (line.value("tang-url") === undefined || !(line.flag("thumbprint") || line.flag("trust-url")))
  )
    throw new UsageError(
      `'--clevis ${pin}' requires '--tang-url', and either '--thumbprint' or '--trust-url'`,
    );
  if (line.flag("thumbprint") && line.flag("trust-url"))
    throw new UsageError("the argument '--thumbprint' cannot be used with '--trust-url'");
}

/** What is asked for as Stratis knows it: "nbde" is another name of "tang". */
function clevisOf(line: CommandLine): { pin: string; config: string } | null {
  const pin = line.value("clevis");
  if (pin === undefined) return null;
  if (pin === "tpm2") return { pin, config: "{}" };
  const thumbprint = line.value("thumbprint");
  const trusted = thumbprint === undefined ? { [TRUST_KEY]: true } : { thp: thumbprint };
  return { pin: "tang", config: JSON.stringify({ url: line.value("tang-url"), ...trusted }) };
}

/** The first line of standard input; empty at its end. */
async function answer(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  try {
    for await (const line of lines) return line;
    return "";
  } finally {
    lines.close();
    process.stdin.destroy();
  }
}

async function run(args: readonly string[], output: Output): Promise<Request> {
  const line = parseCommandLine(args, SPEC);
  if (line.request !== null) return line.request;
  requireConsistent(line);
  const [name = "", ...devices] = line.positionals;
  output.out(`${WARNING}\nDo you want to continue? [Y/n] `);
  if (!CONSENT.has((await answer()).trim())) return null;
  try {
    const uuid = await createLegacyPool(name, devices, {
      keyDescription: line.value("key-desc") ?? null,
      clevis: clevisOf(line),
    });
    output.out(`Created pool ${name} with UUID ${simpleUuid(uuid)}\n`);
  } catch (error) {
    if (error instanceof EngineError || isNativeError(error))
      throw new ToolError(errorText(error), { cause: error });
    throw error;
  }
  return null;
}

export const legacyPoolTool: Tool = { name: NAME, help: HELP, failurePrefix: "Error: ", run };
