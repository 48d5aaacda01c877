/** A pool on a disk that needs time to write out its cache, as real ones do and those of guests do not. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { udevSettled } from "../../tests/vm/guest/udev";
import type { Daemon } from "./daemon";
import { medianOf } from "./seconds";

const NAME = "bench-slow-cache";
const FLUSH_MILLISECONDS = 5;

const run = promisify(execFile);

/** Seconds that SetName of a filesystem takes there. */
export async function measureSlowCache(daemon: Daemon, device: string, runs: number): Promise<number> {
  await run("modprobe", ["dm-delay"]);
  const sectors = (await run("blockdev", ["--getsz", device])).stdout.trim();
  const at = `${device} 0`;
  const table = `0 ${sectors} delay ${at} 0 ${at} 0 ${at} ${FLUSH_MILLISECONDS}`;
  await run("dmsetup", ["create", NAME, "--table", table]);
  const pool = await daemon.createPool("slow", [`/dev/mapper/${NAME}`]);
  const filesystem = await daemon.createFilesystem(pool, "slow");
  await udevSettled();
  const rename = await medianOf(runs, (index) => daemon.rename(filesystem, `slow${index}`));
  await daemon.destroyFilesystems(pool, [filesystem]);
  await daemon.destroyPool(pool);
  await run("dmsetup", ["remove", "--retry", NAME]);
  return rename;
}
