/**
 * Runs in the guest: how long the start of an encrypted pool takes. What deriving its key costs is chosen by a measurement
 * when the pool is made, so that daemons can only be compared by the same pool. Usage: sealed.js make makes it and leaves
 * it stopped; sealed.js start prints the seconds.
 */
import { closeBus } from "../../tests/vm/cases/support";
import { SystemBus } from "../../tests/vm/guest/bus";
import { disk } from "../../tests/vm/guest/disks";
import { median } from "../median";
import { Daemon } from "./daemon";
import { KEY, withKey } from "./key";
import { seconds } from "./seconds";

const POOL = "sealed";
const RUNS = 5;

async function make(daemon: Daemon): Promise<void> {
  await daemon.createPool(POOL, [await disk("bench")], [KEY]);
  await daemon.stopPool(POOL);
}

async function measure(daemon: Daemon): Promise<number> {
  const starts: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    starts.push(await seconds(() => daemon.startPool(POOL, true)));
    await daemon.stopPool(POOL);
  }
  return median(starts);
}

async function main([what]: string[]): Promise<void> {
  const bus = await SystemBus.open();
  const daemon = new Daemon(bus);
  await daemon.start();
  if (what === "make") await withKey(() => make(daemon));
  else process.stdout.write(JSON.stringify(await withKey(() => measure(daemon))));
  await daemon.stop();
  await closeBus();
  await bus.close();
}

void main(process.argv.slice(2));
