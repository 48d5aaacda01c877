import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Data blocks (of 1 MiB) of the only thin pool: used and all. */
export async function thinPool(): Promise<{ used: number; all: number }> {
  const { stdout } = await promisify(execFile)("dmsetup", ["status", "--target", "thin-pool"]);
  const found = / thin-pool \d+ \d+\/\d+ (\d+)\/(\d+) /.exec(stdout);
  if (found === null) throw new Error(`No thin pool in what dmsetup says: ${stdout}`);
  return { used: Number(found[1]), all: Number(found[2]) };
}
