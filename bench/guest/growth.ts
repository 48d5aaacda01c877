/** A pool that grows under a writer. */
import { execFile } from "node:child_process";
import * as path from "node:path";
import { promisify } from "node:util";
import type { Daemon } from "./daemon";
import { seconds } from "./seconds";
import { thinPool } from "./thin-pool";
import type { Writes } from "./writer";

/** Fills the pool of the disk "first" to below its low-water mark. */
const FILL_MIB = 900;
const GROWTH_MILLISECONDS = 60_000;

const run = promisify(execFile);

export interface Growth {
  /**
   * Seconds from the moment that the kernel reports the event (to a `dmsetup wait` of ours, as it does to the daemon) until
   * the pool shows its new size, which it does once its larger table is resumed.
   */
  lowWaterToResumed: number;
  longestWrite: number;
  middleWrite: number;
}

/** Mounts a filesystem at the folder `mount`, on two disks. */
export async function measureGrowth(
  daemon: Daemon,
  first: string,
  second: string,
  mount: string,
): Promise<Growth> {
  const pool = await daemon.createPool("low", [first]);
  const filesystem = await daemon.createFilesystem(pool, "fill");
  await daemon.addData(pool, [second]);
  const { stdout } = await run("dmsetup", ["ls", "--target", "thin-pool"]);
  const name = stdout.split(/\s/)[0] ?? "";
  const { all } = await thinPool();
  await run("mount", ["/dev/stratis/low/fill", mount]);
  const events = (await run("dmsetup", ["info", "-c", "--noheadings", "-o", "events", name])).stdout.trim();
  const event = run("dmsetup", ["wait", name, events], { timeout: 10 * GROWTH_MILLISECONDS });
  const written = run(process.execPath, [
    path.join(__dirname, "writer.js"),
    path.join(mount, "fill"),
    String(FILL_MIB),
  ]);
  await event;
  const lowWaterToResumed = await seconds(async () => {
    const end = Date.now() + GROWTH_MILLISECONDS;
    while ((await thinPool()).all === all)
      if (Date.now() > end)
        throw new Error(`The pool had not grown ${GROWTH_MILLISECONDS} ms after the event`);
  });
  const { longest, middle } = JSON.parse((await written).stdout) as Writes;
  await run("umount", [mount]);
  await daemon.destroyFilesystems(pool, [filesystem]);
  await daemon.destroyPool(pool);
  return { lowWaterToResumed, longestWrite: longest, middleWrite: middle };
}
