/** The guest's image, and the Node that the guest runs. */
import { spawn } from "node:child_process";
import * as path from "node:path";

/** This file is <tree>/dist/tests/vm/harness/image.js. */
export const PROJECT = path.resolve(__dirname, "..", "..", "..", "..");
/** Name of the folder that this was compiled to, below the project. */
export const DIST_NAME = path.basename(path.resolve(__dirname, "..", "..", ".."));

const BUILD_MILLISECONDS = 45 * 60_000;
export interface GuestImage {
  folder: string;
  /** Folder of the host to share, which holds a `node` that runs in the guest; null: the image has its own. */
  nodeFolder: string | null;
}

/** Runs a script that builds what is not in the cache yet, and reports on standard error. What it printed, by lines. */
export async function build(script: string, args: readonly string[], timeout: number): Promise<string[]> {
  const child = spawn("sh", [script, ...args], { stdio: ["ignore", "pipe", "inherit"], timeout });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (status !== 0) throw new Error(`Building with ${script} failed, status ${status ?? "none"}`);
  return printed.split("\n");
}

/** Builds the image unless it is in the cache. `ownNode`: with the distribution's Node in it, whatever this machine has. */
export async function ensureImage({ ownNode = false } = {}): Promise<GuestImage> {
  const script = path.join(PROJECT, "tests", "vm", "image", "build.sh");
  const args = [process.execPath, ...(ownNode ? ["own"] : [])];
  const [folder = "", node = ""] = await build(script, args, BUILD_MILLISECONDS);
  return { folder, nodeFolder: node === "" ? null : node };
}
