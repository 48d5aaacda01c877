/** The program stratis-dumpmetadata: its command line, and the device that it opens (system.md §20.1). */
import { causeText } from "../disk/errors";
import { isNativeError, native, type BlockFile } from "../native";
import { parseCommandLine, type CommandSpec } from "./command-line";
import { dumpMetadata } from "./dump-metadata";
import { ToolError, type Output, type Request, type Tool } from "./tool";

const NAME = "stratis-dumpmetadata";

const HELP = `Reads Stratis metadata from a Stratis device and displays it

Usage: ${NAME} [OPTIONS] <dev>

Arguments:
  <dev>
          Print metadata of given device, or of a file with the same content

Options:
  -b, --print-bytes
          Print byte buffer of signature block
      --only <PORTION>
          Only print specified portion of the metadata [possible values: pool]
  -h, --help
          Print help
  -V, --version
          Print version
`;

const SPEC: CommandSpec = {
  options: { "print-bytes": { short: "b" }, only: { value: "PORTION", choices: ["pool"] } },
  positionals: ["dev"],
  version: true,
};

async function open(path: string): Promise<BlockFile> {
  try {
    return await native().openBlockFile(path);
  } catch (error) {
    throw new ToolError(`Error opening device: ${causeText(error)}`, { cause: error });
  }
}

async function run(args: readonly string[], output: Output): Promise<Request> {
  const line = parseCommandLine(args, SPEC);
  if (line.request !== null) return line.request;
  const [path = ""] = line.positionals;
  const options = { printBytes: line.flag("print-bytes"), onlyPool: line.value("only") !== undefined };
  const file = await open(path);
  try {
    await dumpMetadata(file, options, output);
  } catch (error) {
    if (isNativeError(error)) throw new ToolError(`Error reading device: ${error.message}`, { cause: error });
    throw error;
  } finally {
    await file.close();
  }
  return null;
}

export const dumpMetadataTool: Tool = { name: NAME, help: HELP, failurePrefix: "", run };
