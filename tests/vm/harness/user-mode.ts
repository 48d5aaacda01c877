/**
 * A guest in user mode: a Linux kernel that is a process of this machine. Its programs run on the processor itself, so
 * that cases take a fraction of the time that they take in an emulated machine; but its disks can't be pulled, grown
 * or have other sectors than 512 bytes, there is no TPM, and it has one processor.
 */
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { AgentClient, type ExecOptions, type ExecResult } from "./agent-client";
import type { Place } from "./cases";
import { spawnGuest } from "./children";
import { CASE_DISKS, endOfConsole, withFile, type DiskSpec } from "./guest";
import { build, DIST_NAME, ensureImage, PROJECT } from "./image";
import { CONSOLE_LOG } from "./qemu";

const BUILD_MILLISECONDS = 90 * 60_000;
const BOOT_MILLISECONDS = 120_000;
const MEMORY_MIB = Number(process.env["STRATIS_VM_MEMORY"] ?? 2048);

/** Whether STRATIS_VM_ACCEL asks for it, where neither disks are pulled nor the machine boots again. */
export const inUserMode = (): boolean => process.env["STRATIS_VM_ACCEL"] === "user-mode";

/** Builds the kernel unless it is in the cache; the folder that holds it. */
async function ensureKernel(): Promise<string> {
  const script = path.join(PROJECT, "tests", "vm", "user-mode", "build.sh");
  const [folder = ""] = await build(script, [], BUILD_MILLISECONDS);
  return folder;
}

/** Device nodes are ubda (the image), ubdb, … in the order of the command line. */
const deviceOf = (index: number): string => `/dev/ubd${String.fromCharCode("b".charCodeAt(0) + index)}`;

export class UserModeGuest {
  readonly #agent: AgentClient;
  readonly #kill: () => void;
  #ended: string | null = null;
  /** Told when the kernel ends. */
  #onEnd: (reason: string) => void = () => undefined;

  private constructor(
    private readonly work: string,
    /** Device nodes of its disks, by serial. */
    readonly disks: Readonly<Record<string, string>>,
    program: string,
    args: readonly string[],
    limitSeconds: number,
  ) {
    const log = openSync(this.#consoleLog, "a");
    const child = spawnGuest(program, args, ["ignore", log, log, "pipe"], (reason) => {
      this.#ended ??= `the kernel ended (${reason})`;
      clearTimeout(limit);
      this.#agent.close();
      this.#onEnd(this.#ended);
    });
    closeSync(log);
    const limit = setTimeout(() => {
      this.#ended = `the guest reached its limit of ${limitSeconds} s and was killed`;
      child.kill("SIGKILL");
    }, limitSeconds * 1000);
    limit.unref();
    this.#kill = () => child.kill("SIGKILL");
    // A "pipe" of Node is a pair of sockets; the guest has its end as a serial port.
    this.#agent = new AgentClient(child.stdio[3] as Socket);
  }

  /** Boots a guest, with the disks of cases unless told, and resolves when it takes commands. */
  static async boot(limitSeconds: number, specs: readonly DiskSpec[] = CASE_DISKS): Promise<UserModeGuest> {
    if (/[\s,]/.test(PROJECT)) throw new Error(`The kernel's command line can't carry the path ${PROJECT}`);
    const image = await ensureImage({ ownNode: true });
    const kernel = await ensureKernel();
    const work = mkdtempSync(path.join(tmpdir(), "stratis-vm-"));
    process.on("exit", () => {
      rmSync(work, { recursive: true, force: true });
    });
    const possible = specs.filter(({ sectorBytes }) => sectorBytes === undefined);
    const disks = possible.map((disk) => withFile(disk, work));
    const args = [
      ...[`mem=${MEMORY_MIB}M`, "seccomp=off", `uml_dir=${work}`, `initrd=${path.join(kernel, "initrd")}`],
      `ubd0r=${path.join(image.folder, "root.img")}`,
      ...disks.map(({ file }, index) => `ubd${index + 1}=${file}`),
      ...["con=null", "con0=null,fd:1", "console=tty0", "ssl=null", "ssl0=fd:3"],
      ...["quiet", "panic=-1", "systemd.show_status=0"],
      ...["stratis.agent=/dev/ttyS0", `stratis.dist=${DIST_NAME}`, `stratis.project=${PROJECT}`],
    ];
    const nodes = Object.fromEntries(disks.map(({ serial }, index) => [serial, deviceOf(index)]));
    const guest = new UserModeGuest(work, nodes, path.join(kernel, "linux"), args, limitSeconds);
    try {
      await guest.#booted();
    } catch (error) {
      const screen = guest.consoleTail();
      await guest.shutdown();
      throw new Error(`The guest did not start: ${String(error)}\nIts console:\n${screen}`, { cause: error });
    }
    return guest;
  }

  async #booted(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const failed = new Promise<never>((_resolve, reject) => {
      this.#onEnd = (reason) => {
        reject(new Error(reason));
      };
      timer = setTimeout(() => {
        reject(new Error(`its agent did not report within ${BOOT_MILLISECONDS} ms`));
      }, BOOT_MILLISECONDS);
    });
    try {
      await Promise.race([this.#agent.hello, failed]);
    } finally {
      clearTimeout(timer);
    }
    await this.#agent.mustExec("udevadm settle --timeout=120");
  }

  get #consoleLog(): string {
    return path.join(this.work, CONSOLE_LOG);
  }

  /** The end of what the guest's console showed. */
  consoleTail(): string {
    return endOfConsole(this.#consoleLog);
  }

  async exec(command: string[] | string, options?: ExecOptions): Promise<ExecResult> {
    if (this.#ended !== null) throw new Error(this.#ended);
    return await this.#agent.exec(command, options);
  }

  async mustExec(command: string[] | string, options?: ExecOptions): Promise<string> {
    if (this.#ended !== null) throw new Error(this.#ended);
    return await this.#agent.mustExec(command, options);
  }

  /** For cases. */
  get place(): Place {
    return {
      project: "/project",
      node: "/usr/bin/node",
      disks: this.disks,
      exec: (command, options) => this.exec(command, options),
    };
  }

  /** Ends the guest and removes its disks. */
  shutdown(): Promise<void> {
    this.#ended ??= "it was ended";
    this.#kill();
    this.#agent.close();
    rmSync(this.work, { recursive: true, force: true });
    return Promise.resolve();
  }
}
