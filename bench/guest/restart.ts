import { setTimeout as sleep } from "node:timers/promises";
import { median } from "../median";
import { FILESYSTEM, type Daemon } from "./daemon";
import { seconds } from "./seconds";

const LOOK_MILLISECONDS = 50;

export interface Restart {
  /** Seconds from the start of a daemon that does not run until its name has an owner. */
  toName: number;
  /** Seconds from there as well, until it has announced every filesystem. */
  toObjects: number;
}

/** A start of a daemon that does not run. */
export async function restart(daemon: Daemon, filesystems: number): Promise<Restart> {
  const began = process.hrtime.bigint();
  let toName = 0;
  const toObjects = await seconds(async () => {
    await daemon.start(() => {
      toName = Number(process.hrtime.bigint() - began) / 1e9;
    });
    while ((await daemon.objects(FILESYSTEM)).length < filesystems) await sleep(LOOK_MILLISECONDS);
  });
  return { toName, toObjects };
}

/** Medians of so many starts over a pool with so many filesystems, whose devices are there. The daemon runs before and after. */
export async function measureRestart(daemon: Daemon, runs: number, filesystems: number): Promise<Restart> {
  const all: Restart[] = [];
  for (let run = 0; run < runs; run++) {
    await daemon.stop();
    all.push(await restart(daemon, filesystems));
  }
  return {
    toName: median(all.map(({ toName }) => toName)),
    toObjects: median(all.map(({ toObjects }) => toObjects)),
  };
}
