/** stratisd 3.9.2 itself, in the guest: tests/compat/upstream.ts puts it there. */
import { symlinkSync, existsSync, mkdirSync } from "node:fs";
import * as path from "node:path";
import { PROJECT } from "./command";
import { daemonLog, startDaemon, stopDaemon } from "./daemon";

/** Below the project, of the host and of the guest. */
export const UPSTREAM_STAGED = path.join("build", "upstream");
const UPSTREAM = path.join(PROJECT, UPSTREAM_STAGED, "stratisd");
const TOOLS = path.join(PROJECT, UPSTREAM_STAGED, "stratisd-tools");
const LINKS = "/run/upstream-tools";

export type Maker = "ours" | "3.9.2";
export const MAKERS: readonly Maker[] = ["ours", "3.9.2"];
export const otherThan = (maker: Maker): Maker => (maker === "ours" ? "3.9.2" : "ours");

export const startMaker = (maker: Maker): Promise<void> =>
  startDaemon({ direct: true, ...(maker === "ours" ? {} : { program: UPSTREAM }) });

/** Does something while one of the daemons runs. When it fails, the end of that daemon's log is printed. */
export async function withDaemon(maker: Maker, work: () => Promise<void>): Promise<void> {
  await startMaker(maker);
  try {
    await work();
  } catch (error) {
    console.log(`The end of the log of ${maker}:\n${await daemonLog()}`);
    throw error;
  } finally {
    await stopDaemon();
  }
}

/** The command that makes pools with metadata of version 1. */
export function legacyPoolCommand(maker: Maker): string {
  if (maker === "ours") return `${process.execPath} ${PROJECT}/dist/bin/stratis-legacy-pool.js`;
  // One program for all tools: its name says which it is.
  const link = path.join(LINKS, "stratis-legacy-pool");
  mkdirSync(LINKS, { recursive: true });
  if (!existsSync(link)) symlinkSync(TOOLS, link);
  return link;
}
