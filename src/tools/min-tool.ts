/** The program stratis-min: its command line, its answers, its exit codes (system.md §19). */
import { ClientError } from "../jsonrpc/client";
import { quotedText } from "../jsonrpc/quoted";
import { helpText, runCommand } from "./min/commands";
import { root } from "./min/tree";
import { EXIT, runTool, ToolError, type Output, type Tool } from "./tool";

const NAME = "stratis-min";

const minTool: Tool = {
  name: NAME,
  help: helpText(root, [NAME]),
  failurePrefix: "Error: ",
  run: async (args, output) => {
    try {
      return await runCommand(root, [NAME], args, output);
    } catch (error) {
      if (error instanceof ClientError || error instanceof ToolError)
        throw new ToolError(quotedText(error.message), { cause: error });
      throw error;
    }
  },
};

/** Returns the exit code. */
export async function runMinTool(args: readonly string[], output: Output): Promise<number> {
  if (args.length > 0) return await runTool(minTool, args, output);
  output.err(minTool.help);
  return EXIT.usage;
}
