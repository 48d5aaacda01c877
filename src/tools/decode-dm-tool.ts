/** The program stratis-decode-dm: its command line, and its one call of stratisd (system.md §21.1). */
import { CommandError } from "../../cli/errors";
import { parseCommandLine, UsageError, type CommandSpec } from "./command-line";
import { decode, OUTPUTS, parseDevicePath } from "./decode-dm";
import { StratisdBus } from "./stratisd-bus";
import { ToolError, type Output, type Request, type Tool } from "./tool";

const NAME = "stratis-decode-dm";

const HELP = `Maps from Stratis filesystem devicemapper path to a Stratis value

Usage: ${NAME} --output <output> <path>

Arguments:
  <path>  The absolute path of the devicemapper device ('/dev/mapper/<devicemapper-name>')

Options:
      --output <output>  Stratis value to print [possible values: ${OUTPUTS.join(", ")}]
  -h, --help             Print help
`;

const SPEC: CommandSpec = {
  options: { output: { value: "output", choices: OUTPUTS, required: true } },
  positionals: ["path"],
  version: false,
};

async function run(args: readonly string[], output: Output): Promise<Request> {
  const line = parseCommandLine(args, SPEC);
  if (line.request !== null) return line.request;
  const [path = ""] = line.positionals;
  if (!path.startsWith("/"))
    throw new UsageError(
      `invalid value '${path}' for '<path>': '${path}' must be specified as an absolute path`,
    );
  const wanted = OUTPUTS.find((known) => known === line.value("output"));
  if (wanted === undefined) throw new Error("The parser let an unknown output through");
  const device = parseDevicePath(path);
  const objects = await StratisdBus.with(process.env, (stratisd) => stratisd.managedObjects());
  output.out(`${textFor(() => decode(device, wanted, objects))}\n`);
  return null;
}

/** What stratisd sent may have another form than its interfaces declare. */
function textFor(decoded: () => string): string {
  try {
    return decoded();
  } catch (error) {
    if (error instanceof CommandError) throw new ToolError(error.message, { cause: error });
    throw error;
  }
}

export const decodeDmTool: Tool = { name: NAME, help: HELP, failurePrefix: "Error: ", run };
