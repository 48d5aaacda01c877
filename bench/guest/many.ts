/**
 * Runs in the guest: how long a start takes until all filesystems of a pool are announced. Usage: many.js make COUNT makes
 * them, up to that number; many.js start COUNT starts the daemon and prints the seconds.
 */
import { DEFAULT_FS_LIMIT } from "../../src/engine/real/backstore/allocation";
import { SystemBus } from "../../tests/vm/guest/bus";
import { disk } from "../../tests/vm/guest/disks";
import { Daemon, FILESYSTEM, POOL } from "./daemon";
import { restart } from "./restart";

async function make(daemon: Daemon, count: number): Promise<void> {
  await daemon.startOnce();
  await daemon.start();
  const [pool] = await daemon.objects(POOL);
  const path = pool ?? (await daemon.createPool("many", [await disk("bench")]));
  if (count > DEFAULT_FS_LIMIT) await daemon.setLimit(path, count);
  const there = (await daemon.objects(FILESYSTEM)).length;
  for (let index = there; index < count; index += 1) await daemon.createFilesystem(path, `fs${index}`);
  await daemon.stop();
}

async function main([what, count]: string[]): Promise<void> {
  const bus = await SystemBus.open();
  const daemon = new Daemon(bus);
  if (what === "make") await make(daemon, Number(count));
  else {
    process.stdout.write(JSON.stringify((await restart(daemon, Number(count))).toObjects));
    await daemon.stop();
  }
  await bus.close();
}

void main(process.argv.slice(2));
