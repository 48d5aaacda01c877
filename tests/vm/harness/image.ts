/** The guest's image, and the Node that the guest runs. */
import { spawn, spawnSync } from "node:child_process";
import { realpathSync } from "node:fs";
import * as path from "node:path";

/** This file is <tree>/dist/tests/vm/harness/image.js. */
export const PROJECT = path.resolve(__dirname, "..", "..", "..", "..");
/** Name of the folder that this was compiled to, below the project. */
export const DIST_NAME = path.basename(path.resolve(__dirname, "..", "..", ".."));

const BUILD_MILLISECONDS = 45 * 60_000;
/** Libraries that the image has; a Node that wants others can't run there. */
const LIBRARIES_OF_GUEST = /^(linux-vdso|ld-linux|lib(c|m|dl|rt|pthread|stdc\+\+|gcc_s|atomic)\.so)/;

export interface GuestImage {
  folder: string;
  /** Folder of the host to share, which holds a `node` that runs in the guest; null: the image has its own. */
  nodeFolder: string | null;
}

/** The folder of our own Node when the guest can run it, null when it needs libraries that the guest lacks. */
function shareableNode(): string | null {
  const node = realpathSync(process.execPath);
  const listed = spawnSync("ldd", [node], { encoding: "utf8" });
  if (listed.status !== 0 || path.basename(node) !== "node") return null;
  const libraries = listed.stdout
    .split("\n")
    .map((line) => path.basename(line.trim().split(/\s/)[0] ?? ""))
    .filter((name) => name !== "");
  return libraries.every((name) => LIBRARIES_OF_GUEST.test(name)) ? path.dirname(node) : null;
}

/** Builds the image unless it is in the cache. The builder reports on standard error. */
export async function ensureImage(): Promise<GuestImage> {
  const nodeFolder = shareableNode();
  const script = path.join(PROJECT, "tests", "vm", "image", "build.sh");
  const child = spawn("sh", [script, ...(nodeFolder === null ? ["nodejs"] : [])], {
    stdio: ["ignore", "pipe", "inherit"],
    timeout: BUILD_MILLISECONDS,
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  if (status !== 0)
    throw new Error(`Building the guest's image with ${script} failed, status ${status ?? "none"}`);
  return { folder: printed.trim(), nodeFolder };
}
