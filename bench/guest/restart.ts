import { setTimeout as sleep } from "node:timers/promises";
import { FILESYSTEM, type Daemon } from "./daemon";
import { seconds } from "./seconds";

const LOOK_MILLISECONDS = 50;

/** Seconds from the start of a daemon that does not run until it has announced every one of so many filesystems. */
export async function measureRestart(daemon: Daemon, filesystems: number): Promise<number> {
  return await seconds(async () => {
    await daemon.start();
    while ((await daemon.objects(FILESYSTEM)).length < filesystems) await sleep(LOOK_MILLISECONDS);
  });
}
