/** A pool that grows under a writer. */
import { execFile } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import * as path from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import type { Daemon } from "./daemon";
import { DIRECT_LOG } from "../../tests/vm/guest/daemon";
import { seconds } from "./seconds";
import { thinPool } from "./thin-pool";
import type { Writes } from "./writer";

/** MiB below which the kernel raises its event, in a pool of twice that size at least. */
const LOW_WATER_MIB = 15_360;
/** From where the writer starts, and the size at which it begins anew. */
const ABOVE_MIB = 300;
const WRITTEN_MIB = 2000;
/** How long it goes on behind the event: longer than either daemon needs, so that both are measured as long. */
const WRITING_MILLISECONDS = 15_000;
const EVENT_MILLISECONDS = 600_000;
const GROWTH_MILLISECONDS = 60_000;
const MIB = 1024 * 1024;

const run = promisify(execFile);

export interface Growth {
  /**
   * Seconds from the moment that the kernel reports the event (to a `dmsetup wait` of ours, as it does to the daemon) until
   * the pool shows its new size, which it does once its larger table is resumed.
   */
  lowWaterToResumed: number;
  /** Until the first of the ioctls that make it larger; null: the daemon does not tell (ours does, in its log). */
  lowWaterToIoctl: number | null;
  /** The longest time for which the kernel had a device suspended meanwhile; null as above. */
  suspendedToResumed: number | null;
  /** Of a writer that goes on until the pool has grown. */
  longestWrite: number;
  middleWrite: number;
}

/** Has the pool map all but `free` of its blocks, with little data: some bytes of each block are enough for it. */
async function mapAllBut(free: number, file: string): Promise<void> {
  const { used, all } = await thinPool();
  const blocks = all - used - free;
  await run("fallocate", ["--length", String(blocks * MIB), file]);
  const handle = await open(file, "r+");
  try {
    for (let block = 0; block < blocks; block++) await handle.write("mapped", block * MIB);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const REPLACED = /Replaced \d+ tables of devices in use in ([\d.]+) ms; .*suspended for: ([\d.]+) ms/;

/** In seconds, of the first growth in a part of the log: all that replaced tables, and the longest suspension. */
function replacedTables(log: string): { all: number; suspended: number } | null {
  const found = REPLACED.exec(log);
  return found === null ? null : { all: Number(found[1]) / 1000, suspended: Number(found[2]) / 1000 };
}

/** Mounts a filesystem at the folder `mount`, on two disks: the first of 2 * LOW_WATER_MIB at least. */
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
  await run("mount", ["/dev/stratis/low/fill", mount]);
  await mapAllBut(LOW_WATER_MIB + ABOVE_MIB, path.join(mount, "mapped"));
  const { all } = await thinPool();
  const logged = (await readFile(DIRECT_LOG, "utf8")).length;
  const events = (await run("dmsetup", ["info", "-c", "--noheadings", "-o", "events", name])).stdout.trim();
  const event = run("dmsetup", ["wait", name, events], { timeout: EVENT_MILLISECONDS });
  const written = run(process.execPath, [
    path.join(__dirname, "writer.js"),
    path.join(mount, "fill"),
    String(WRITTEN_MIB),
  ]);
  await event;
  const enough = setTimeout(WRITING_MILLISECONDS);
  const lowWaterToResumed = await seconds(async () => {
    const end = Date.now() + GROWTH_MILLISECONDS;
    while ((await thinPool()).all === all)
      if (Date.now() > end)
        throw new Error(`The pool had not grown ${GROWTH_MILLISECONDS} ms after the event`);
  });
  await enough;
  written.child.stdin?.end();
  const { longest, middle } = JSON.parse((await written).stdout) as Writes;
  await run("umount", [mount]);
  await daemon.destroyFilesystems(pool, [filesystem]);
  await daemon.destroyPool(pool);
  // Ours tells when udev has seen the larger devices, which is after they are in use.
  const replaced = replacedTables((await readFile(DIRECT_LOG, "utf8")).slice(logged));
  return {
    ...{ lowWaterToResumed, longestWrite: longest, middleWrite: middle },
    lowWaterToIoctl: replaced === null ? null : lowWaterToResumed - replaced.all,
    suspendedToResumed: replaced?.suspended ?? null,
  };
}
