/** The daemon with the simulator behind it, as a process that is measured from outside. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BUS_NAME, OBJECT_MANAGER } from "../src/dbus/names";
import type { RawClient } from "../tests/dbus/support/raw-client";

const PROGRAM = path.join(process.cwd(), "build", "Release", "stratisd");
const START_MILLISECONDS = 20_000;
const END_MILLISECONDS = 30_000;
/** For the daemon's garbage to be collected and memory to come to rest. */
const REST_MILLISECONDS = 3000;

/** Milliseconds that the main thread of a process has run so far. */
export const processorMilliseconds = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6;

export class SimDaemon {
  private constructor(
    private readonly child: ChildProcess,
    /** From the start of the program to its first answer. */
    readonly startMilliseconds: number,
  ) {}

  /** `client` asks for all objects as soon as the name has an owner. */
  static async start(address: string, client: RawClient): Promise<SimDaemon> {
    const owned = new Promise<void>((resolve) => {
      client.onMessage = ({ head }) => {
        if (head.member === "NameOwnerChanged") resolve();
      };
    });
    await client.callBus("AddMatch", "s", [`type='signal',member='NameOwnerChanged',arg0='${BUS_NAME}'`]);
    const started = performance.now();
    const child = spawn(PROGRAM, ["--sim"], {
      env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: address },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr.on("data", (text: Buffer) => (log = (log + text.toString()).slice(-2000)));
    const failed = once(child, "exit").then(() => {
      throw new Error(`${PROGRAM} --sim ended: ${log}`);
    });
    const late = sleep(START_MILLISECONDS, null, { ref: false }).then(() => {
      throw new Error(`${PROGRAM} --sim did not take its name within ${START_MILLISECONDS} ms: ${log}`);
    });
    await Promise.race([owned, failed, late]);
    failed.catch(() => undefined);
    late.catch(() => undefined);
    const { at } = await client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
    await client.callBus("RemoveMatch", "s", [`type='signal',member='NameOwnerChanged',arg0='${BUS_NAME}'`]);
    return new SimDaemon(child, at - started);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error("The daemon has no process id");
    return this.child.pid;
  }

  /** Resident memory in 10^6 bytes. */
  async residentMB(): Promise<number> {
    await sleep(REST_MILLISECONDS);
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"));
    if (found === null) throw new Error("The daemon's status has no VmRSS");
    return (Number(found[1]) * 1024) / 1e6;
  }

  async stop(): Promise<void> {
    const exited = once(this.child, "exit", { signal: AbortSignal.timeout(END_MILLISECONDS) });
    this.child.kill("SIGTERM");
    await exited;
  }
}
