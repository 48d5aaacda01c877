/** From the command line to the exit status: what stratisd and stratisd-min have in common. */
import { rmSync } from "node:fs";
import { errorText } from "../engine/errors";
import { logger } from "../log";
import { openHistory } from "./history";
import { chooseFilter, startLogging } from "./logging";
import { helpText, parseOptions, UsageError, type Invocation } from "./options";
import type { Program } from "./program";
import { runDaemon } from "./run";
import { keepSnapshot, type Origin } from "./snapshot/keeper";
import { VERSION } from "./version";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
/** What stratisd exits with when an assertion of its own fails. */
const EXIT_DEFECT = 101;

function invocation(): Invocation {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`error: ${error.message}\n\nFor more information, try '--help'.\n`);
    process.exit(EXIT_USAGE);
  }
}

/** The launcher's temporary folder, if it had to make one, has done its service once Node runs. */
function removeLaunchFolder(): void {
  const folder = process.env["STRATIS_LAUNCH_DIR"];
  if (folder === undefined) return;
  delete process.env["STRATIS_LAUNCH_DIR"];
  rmSync(folder, { recursive: true, force: true });
}

/** Ends the process. */
export async function runMain(program: Program, origin: Origin): Promise<void> {
  removeLaunchFolder();
  const wanted = invocation();
  if (wanted.run === "help") {
    process.stdout.write(helpText(program.name));
    return;
  }
  if (wanted.run === "version") {
    process.stdout.write(`${program.name} ${VERSION}\n`);
    return;
  }
  try {
    await program.becomeOnlyInstance();
  } catch (error) {
    process.stderr.write(`${program.failureLine(errorText(error))}\n`);
    process.exit(EXIT_FAILURE);
  }
  const logging = startLogging(program.name, chooseFilter(wanted.logLevel, process.env), process.env);
  const onDefect = (error: unknown): void => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    logger("stratisd").error(`A defect of ${program.name}: ${text}`);
    void logging.flush().then(() => process.exit(EXIT_DEFECT));
  };
  process.on("uncaughtException", onDefect);
  process.on("unhandledRejection", onDefect);
  const history = openHistory(program.name, { env: process.env, simulator: wanted.simulator });
  const code = await runDaemon(program, wanted, {
    onEngine: (engine) => {
      logging.follow(engine);
    },
    onServing: () => {
      keepSnapshot(origin, process.env);
    },
    history: history.write,
  });
  await history.flush();
  await logging.flush();
  process.exit(code);
}
