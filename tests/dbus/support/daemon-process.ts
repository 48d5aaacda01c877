/** The service with the simulator in a process of its own, whose memory and descriptors can be watched. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { DbusService } from "../../../src/dbus/service";
import { SimEngine } from "../../../src/engine/sim/engine";
import type { Logger } from "../../../src/log";

const TIMEOUT_MS = 30_000;
/** As the launcher has it (native/launcher/main.cc), and what it takes to look at what is really in use. */
const NODE_OPTIONS = ["--max-semi-space-size=2", "--max-old-space-size=256", "--expose-gc"];
const ENVIRONMENT = { UV_THREADPOOL_SIZE: "16", MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "131072" };

export class DaemonProcess {
  private constructor(private readonly child: ChildProcess) {}

  /** Resolves when the service has its name. */
  static async start(address: string): Promise<DaemonProcess> {
    const child = fork(__filename, [address], {
      execArgv: NODE_OPTIONS,
      env: { ...process.env, ...ENVIRONMENT },
    });
    const failed = once(child, "exit").then(() => {
      throw new Error("The process of the service ended");
    });
    await Promise.race([once(child, "message", { signal: AbortSignal.timeout(TIMEOUT_MS) }), failed]);
    failed.catch(() => undefined);
    return new DaemonProcess(child);
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** How many are open. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.#pid}/fd`).length;
  }

  /** Resident memory in bytes: now, or the most that there has been. */
  resident(which: "now" | "most"): number {
    const status = readFileSync(`/proc/${this.#pid}/status`, "utf8");
    const name = which === "now" ? "VmRSS" : "VmHWM";
    const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status);
    if (found === null) throw new Error(`The status of the service's process has no ${name}`);
    return Number(found[1]) * 1024;
  }

  /** Bytes in use, in V8's heap and outside of it, when all garbage is collected. */
  async used(): Promise<number> {
    const answer = once(this.child, "message", { signal: AbortSignal.timeout(TIMEOUT_MS) });
    this.child.send("used");
    const [bytes] = (await answer) as [number];
    return bytes;
  }

  async stop(): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }

  get #pid(): number {
    if (this.child.pid === undefined) throw new Error("The service's process has no id");
    return this.child.pid;
  }
}

const nothing = (): void => undefined;
const quiet: Logger = { error: nothing, warn: nothing, info: nothing, debug: nothing, trace: nothing };

async function serve(address: string): Promise<void> {
  const service = await DbusService.connect({ address, engine: new SimEngine(), log: quiet });
  await service.publish();
  process.on("message", () => {
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    process.send?.(heapUsed + external);
  });
  process.send?.("published");
}

if (require.main === module) void serve(process.argv[2] ?? "");
