/** The program stratis-predict-usage: its command line, and what it prints (system.md §21.2). */
import { formatLine } from "../daemon/log-line";
import { EngineError } from "../engine/errors";
import { validateIntegrity, type IntegritySpec } from "../engine/validation";
import { LOG_LEVELS, type LogLevel } from "../log";
import { bytes, type Bytes } from "../units";
import { parseCommandLine, UsageError, type CommandLine, type CommandSpec } from "./command-line";
import { filesystemsJson, poolJson, predictFilesystems, predictPool } from "./predict-usage";
import { ToolError, type Output, type Request, type Tool } from "./tool";

const NAME = "stratis-predict-usage";
const DEFAULT_JOURNAL_BYTES = "134217728";
const DEFAULT_TAG_SPEC = "512b";
const OFF = "off";
const LEVELS: readonly string[] = [OFF, ...LOG_LEVELS];

const HELP = `Predicts space usage for Stratis.

Usage: ${NAME} [OPTIONS] <COMMAND>

Commands:
  pool        Predicts the space usage when creating a Stratis pool
  filesystem  Predicts the space usage when creating a Stratis filesystem

Options:
      --log-level <log-level>
          Messages of this level and above are printed on standard error [default: off]
          [possible values: ${LEVELS.join(", ")}]
  -h, --help
          Print help

Options of pool:
      --device-size <device-size>
          Size of a device of the pool in bytes; at least one, once for each device
      --filesystem-size <filesystem-size>
          Size of a filesystem to be made in the pool in bytes, once for each filesystem; at least 512 MiB and less
          than 32 PiB
      --no-overprovision
          The pool does not allow overprovisioning
      --encrypted
          The pool is encrypted; without effect, as every pool keeps space for encryption
      --integrity-tag-spec <integrity_tag_spec>
          Size of the tag that is kept for each block of a device [default: ${DEFAULT_TAG_SPEC}] [possible values: 0b, 32b, 512b]
      --integrity-journal-size <integrity_journal_size>
          Size of the integrity journal in bytes, a multiple of 4096 [default: ${DEFAULT_JOURNAL_BYTES}]
      --no-integrity-superblock
          No space is kept for an integrity superblock

Options of filesystem:
      --filesystem-size <filesystem-size>
          As above; at least one
      --no-overprovision
          As above
`;

const SPEC: CommandSpec = {
  options: { "log-level": { value: "log-level", choices: LEVELS } },
  positionals: [],
  subcommands: ["pool", "filesystem"],
  version: false,
};

const POOL_SPEC: CommandSpec = {
  options: {
    encrypted: {},
    "no-overprovision": {},
    "device-size": { value: "device-size", multiple: true, required: true },
    "filesystem-size": { value: "filesystem-size", multiple: true },
    "integrity-tag-spec": { value: "integrity_tag_spec", choices: ["0b", "32b", "512b"] },
    "integrity-journal-size": { value: "integrity_journal_size" },
    "no-integrity-superblock": {},
  },
  positionals: [],
  version: false,
};

const FILESYSTEM_SPEC: CommandSpec = {
  options: {
    "filesystem-size": { value: "filesystem-size", multiple: true, required: true },
    "no-overprovision": {},
  },
  positionals: [],
  version: false,
};

/** An unsigned integer of so many bits, in decimal. Throws UsageError. */
function integer(text: string, option: string, bits: bigint): Bytes {
  const refuse = (why: string): UsageError =>
    new UsageError(`invalid value '${text}' for '--${option}': ${why}`);
  if (!/^\+?[0-9]+$/.test(text)) throw refuse("it is not a decimal number");
  const value = BigInt(text.replace("+", ""));
  if (value >= 1n << bits) throw refuse(`it is not less than 2^${bits}`);
  return bytes(value);
}

const sizes = (line: CommandLine, option: string): Bytes[] =>
  line.all(option).map((text) => integer(text, option, 128n));

function integrityOf(line: CommandLine): IntegritySpec {
  const journal = line.value("integrity-journal-size") ?? DEFAULT_JOURNAL_BYTES;
  const request = {
    tagSpec: line.value("integrity-tag-spec") ?? DEFAULT_TAG_SPEC,
    journalSize: integer(journal, "integrity-journal-size", 64n),
    allocateSuperblock: !line.flag("no-integrity-superblock"),
  };
  try {
    return validateIntegrity(request);
  } catch (error) {
    if (error instanceof EngineError) throw new ToolError(error.message, { cause: error });
    throw error;
  }
}

/** Log messages of the program itself; there are some of one level only. */
function explainer(level: string, output: Output): (text: string) => void {
  const wanted: LogLevel = "info";
  if (LEVELS.indexOf(level) < LEVELS.indexOf(wanted)) return () => undefined;
  return (text) => {
    output.err(`${formatLine(new Date(), wanted, NAME, text, false)}\n`);
  };
}

function run(args: readonly string[], output: Output): Request {
  const outer = parseCommandLine(args, SPEC);
  if (outer.request !== null) return outer.request;
  const explain = explainer(outer.value("log-level") ?? OFF, output);
  const isPool = outer.subcommand === "pool";
  const line = parseCommandLine(outer.rest, isPool ? POOL_SPEC : FILESYSTEM_SPEC);
  if (line.request !== null) return line.request;
  const overprovisioned = !line.flag("no-overprovision");
  const filesystemSizes = sizes(line, "filesystem-size");
  if (isPool) {
    const deviceSizes = sizes(line, "device-size");
    const plan = { deviceSizes, filesystemSizes, overprovisioned, integrity: integrityOf(line) };
    output.out(`${poolJson(predictPool(plan, explain))}\n`);
  } else output.out(`${filesystemsJson(predictFilesystems(filesystemSizes, overprovisioned))}\n`);
  return null;
}

export const predictUsageTool: Tool = {
  name: NAME,
  help: HELP,
  failurePrefix: "Error: ",
  // eslint-disable-next-line @typescript-eslint/require-await -- other tools wait for devices
  run: async (args, output) => run(args, output),
};
