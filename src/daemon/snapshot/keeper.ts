/**
 * Keeps a snapshot of the daemon for its next start, where the launcher names a file for it (native/launcher/snapshot.h).
 *
 * The launcher moves a snapshot away before it starts from it. Once the daemon serves it is moved back; one with which
 * the daemon does not come so far is left there, the next start is from the script, and another one is made.
 */
import { appendFile, mkdir, rename, rm } from "node:fs/promises";
import * as path from "node:path";
import { EngineError, errorText } from "../../engine/errors";
import { programFailure, requireProgram } from "../../engine/real/programs";
import { fsyncPath } from "./fsync";
import { logger } from "../../log";
import { native } from "../../native";
import { nodeOptions } from "../../node-options";
import { VERSION } from "../version";
import { describeContent, PARTS_VARIABLE } from "./parts";

const log = logger("stratisd::stratis::run");

/** Set by the launcher: the file. */
const FILE_VARIABLE = "STRATIS_SNAPSHOT";
/** Seconds, in place of those below. */
const DELAY_VARIABLE = "STRATIS_SNAPSHOT_DELAY";
/** Whatever else begins with the machine shall have the processors first. */
const DELAY_SECONDS = 60;
const BUILD_MILLISECONDS = 600_000;
const NICENESS = "10";

export type Origin = "script" | "snapshot";

const tried = (file: string): string => `${file}.tried`;

/** Node with this process's options, at a low priority. Throws EngineError when it does not end well. */
async function runNode(args: readonly string[], environment: string[]): Promise<string> {
  const words = ["-n", NICENESS, process.execPath, ...nodeOptions(), ...args];
  const result = await native().run(await requireProgram("nice"), words, {
    timeoutMs: BUILD_MILLISECONDS,
    environment,
  });
  if (result.status !== 0) throw programFailure("nice", words, result);
  return result.stdout;
}

/** Node says nothing when it can't write all of a snapshot, so it is started from once. */
async function build(file: string, parts: string): Promise<void> {
  const script = process.argv[1] ?? "";
  const snapshot = `--snapshot-blob=${file}`;
  await runNode([snapshot, "--build-snapshot", script], [`${PARTS_VARIABLE}=${parts}`]);
  await appendFile(parts, await describeContent(file));
  const answer = await runNode([snapshot, script, "--version"], []);
  if (!answer.includes(VERSION)) throw new EngineError(`Started from it, --version says: ${answer.trim()}`);
  await fsyncPath(file);
  await fsyncPath(parts);
}

/** A snapshot is never beside a description that is not its own, whenever this is interrupted. */
async function make(file: string): Promise<void> {
  const folder = path.dirname(file);
  const parts = `${file}.parts`;
  const fresh = { file: `${file}.new`, parts: `${parts}.new` };
  const remove = async (...files: string[]): Promise<void> => {
    for (const old of files) await rm(old, { force: true });
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await remove(file, tried(file), fresh.file, fresh.parts);
  await fsyncPath(folder);
  try {
    await build(fresh.file, fresh.parts);
  } catch (error) {
    await remove(fresh.file, fresh.parts);
    throw error;
  }
  await rename(fresh.parts, parts);
  await fsyncPath(folder);
  await rename(fresh.file, file);
  await fsyncPath(folder);
}

async function makeAndTell(file: string): Promise<void> {
  try {
    await make(file);
    log.debug(`The next start is from the snapshot ${file}`);
  } catch (error) {
    log.warn(`Making the snapshot ${file} failed, so that starts take longer: ${errorText(error)}`);
  }
}

async function keep(file: string): Promise<void> {
  try {
    await rename(tried(file), file);
    log.debug(`This start was from the snapshot ${file}`);
  } catch (error) {
    log.warn(
      `The snapshot ${file} could not be kept, so that the next start takes longer: ${errorText(error)}`,
    );
  }
}

function delaySeconds(env: NodeJS.ProcessEnv): number {
  const text = env[DELAY_VARIABLE] ?? "";
  return /^\d{1,5}$/.test(text) ? Number(text) : DELAY_SECONDS;
}

/** Called when the daemon, which began as `origin` says, serves. */
export function keepSnapshot(origin: Origin, env: NodeJS.ProcessEnv): void {
  const file = env[FILE_VARIABLE];
  if (file === undefined) return;
  if (origin === "snapshot") void keep(file);
  else setTimeout(() => void makeAndTell(file), delaySeconds(env) * 1000).unref();
}
