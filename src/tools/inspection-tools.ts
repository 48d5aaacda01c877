/** The programs stratis-checkmetadata and stratis-printmetadata: their command lines (system.md §20.2). */
import { DiskFormatError } from "../disk/errors";
import { parsePoolRecord, type PoolRecord } from "../disk/pool-record";
import { parseCommandLine, type CommandSpec } from "./command-line";
import { readDocument } from "./document";
import { findingsOf, inspectionText } from "./inspection";
import { ToolError, type Output, type Tool } from "./tool";

const SPEC: CommandSpec = { options: {}, positionals: ["file"], version: true };

const help = (name: string, about: string): string => `${about}

Usage: ${name} <file>

Arguments:
  <file>
          File containing pool-level metadata as JSON

Options:
  -h, --help
          Print help
  -V, --version
          Print version
`;

async function readRecord(path: string): Promise<PoolRecord> {
  const json = await readDocument(path);
  try {
    return parsePoolRecord(json);
  } catch (error) {
    if (error instanceof DiskFormatError)
      throw new ToolError(`Error parsing json into structs: ${error.message}`, { cause: error });
    throw error;
  }
}

const toolOf = (
  name: string,
  about: string,
  inspect: (record: PoolRecord, output: Output) => void,
): Tool => ({
  name,
  help: help(name, about),
  failurePrefix: "",
  run: async (args, output) => {
    const line = parseCommandLine(args, SPEC);
    if (line.request !== null) return line.request;
    const record = await readRecord(line.positionals[0] ?? "");
    try {
      inspect(record, output);
    } catch (error) {
      if (error instanceof ToolError) throw new ToolError(`Error: ${error.message}`, { cause: error });
      throw error;
    }
    return null;
  },
});

export const checkMetadataTool = toolOf(
  "stratis-checkmetadata",
  "Check validity of Stratis metadata",
  (record) => {
    const findings = findingsOf(record);
    if (findings.length > 0) throw new ToolError(findings.join("\n"));
  },
);

export const printMetadataTool = toolOf(
  "stratis-printmetadata",
  "Print a human-suitable representation of Stratis metadata",
  (record, output) => {
    output.out(inspectionText(record));
  },
);
