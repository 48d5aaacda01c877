/**
 * A guest: a machine with a real kernel, systemd, udev and D-Bus, run by QEMU. It dies with this process, whatever way
 * this process ends.
 */
import { execFileSync, type ChildProcess } from "node:child_process";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { AgentClient, type ExecOptions, type ExecResult } from "./agent-client";
import { spawnGuest } from "./children";
import { ensureImage, type GuestImage } from "./image";
import { connectTo } from "./lines";
import {
  AGENT_SOCKET,
  CONSOLE_LOG,
  CONSOLE_SOCKET,
  diskBackend,
  diskFrontend,
  diskNode,
  QMP_SOCKET,
  qemuArguments,
  type DiskCache,
  type DiskSpec,
  type Machine,
} from "./qemu";
import { Qmp } from "./qmp";

export type { DiskSpec } from "./qemu";

export interface BootOptions {
  disks?: readonly DiskSpec[];
  cache?: DiskCache;
  memoryMiB?: number;
  cpus?: number;
  /**
   * As a user's machine is: Debian's packages alone, on a root disk of its own that keeps what is written to it. What is
   * tested has to be installed.
   */
  fresh?: boolean;
  /** After that many seconds QEMU is killed, and everything that waits for the guest fails. Default 1800. */
  limitSeconds?: number;
}

/** A guest that mounts filesystems of its own does so before its agent starts. */
const BOOT_MILLISECONDS = 600_000;
const HOTPLUG_MILLISECONDS = 30_000;
const POWEROFF_MILLISECONDS = 300_000;
const CONSOLE_LINES_SHOWN = 60;
/**
 * A kernel that patches its own code puts a breakpoint there for a moment. Emulation of several processors now and then
 * runs into one that is no longer there, and the kernel panics; no more of the guest has run by then than its boot.
 */
const EMULATION_PANIC = "Oops: int3";
const BOOT_ATTEMPTS = 3;
export const MIB = 1024 * 1024;
export const GIB = 1024 * MIB;

/** What a guest's console showed, at all of its boots. */
const consoleText = (log: string): string => (existsSync(log) ? readFileSync(log, "utf8") : "");

/** The end of what a guest's console showed. */
export function endOfConsole(log: string): string {
  const shown = consoleText(log).trimEnd();
  return shown === ""
    ? "(the console showed nothing)"
    : shown.split(/\r?\n/).slice(-CONSOLE_LINES_SHOWN).join("\n");
}

export class Guest {
  #qemu: ChildProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #qmp: Qmp | null = null;
  #agent: AgentClient | null = null;
  #ended: string | null = null;
  #limit: NodeJS.Timeout | undefined;

  private constructor(
    private readonly machine: Machine,
    private readonly limitSeconds: number,
  ) {}

  /** Boots a guest on new (or given) disks and resolves when it takes commands. */
  static async boot(options: BootOptions = {}): Promise<Guest> {
    const fresh = options.fresh === true;
    const image: GuestImage = await ensureImage({ ownNode: fresh });
    const work = mkdtempSync(path.join(tmpdir(), "stratis-vm-"));
    const ownRoot = fresh ? path.join(work, "root.img") : null;
    if (ownRoot !== null)
      execFileSync("cp", ["--sparse=always", path.join(image.folder, "root.img"), ownRoot]);
    const guest = new Guest(
      {
        image,
        ownRoot,
        work,
        disks: (options.disks ?? []).map((disk) => withFile(disk, work)),
        cache: options.cache ?? "unsafe",
        memoryMiB: options.memoryMiB ?? Number(process.env["STRATIS_VM_MEMORY"] ?? 2048),
        cpus: options.cpus ?? 2,
      },
      options.limitSeconds ?? 1800,
    );
    process.on("exit", () => {
      rmSync(work, { recursive: true, force: true });
    });
    await guest.bootAgain();
    return guest;
  }

  get consoleSocket(): string {
    return path.join(this.machine.work, CONSOLE_SOCKET);
  }

  /** File on the host with all that the guest's console showed, boot after boot. */
  get consoleLog(): string {
    return path.join(this.machine.work, CONSOLE_LOG);
  }

  /** File on the host that holds the guest's own root; null: it has none. */
  get rootFile(): string | null {
    return this.machine.ownRoot;
  }

  /** File on the host that holds a disk's content. */
  diskFile(serial: string): string {
    return this.#disk(serial).file;
  }

  /** The end of what the guest's console showed. */
  consoleTail(): string {
    return endOfConsole(this.consoleLog);
  }

  /**
   * Boots, on the same disks, a guest that was ended by powerCut or shutdown. `kernelArguments` are for this boot alone.
   */
  async bootAgain({ kernelArguments = "" } = {}): Promise<void> {
    if (this.#qemu !== null) throw new Error("The guest is running; it can't boot again before it has ended");
    for (let attempt = 1; ; attempt += 1) {
      const seen = consoleText(this.consoleLog).length;
      try {
        await this.#boot(kernelArguments);
        return;
      } catch (error) {
        if (attempt === BOOT_ATTEMPTS || !consoleText(this.consoleLog).slice(seen).includes(EMULATION_PANIC))
          throw error;
        process.stderr.write(`The emulator ran into "${EMULATION_PANIC}" at boot: the guest boots again\n`);
      }
    }
  }

  async #boot(kernelArguments: string): Promise<void> {
    this.#ended = null;
    for (const name of [QMP_SOCKET, AGENT_SOCKET, CONSOLE_SOCKET])
      rmSync(path.join(this.machine.work, name), { force: true });
    this.#start(kernelArguments);
    try {
      await this.#connect();
    } catch (error) {
      const screen = this.consoleTail();
      await this.powerCut();
      throw new Error(`The guest did not start: ${String(error)}\nIts console:\n${screen}`, { cause: error });
    }
  }

  #start(kernelArguments: string): void {
    let complaint = "";
    this.#exited = new Promise((resolve) => {
      this.#qemu = spawnGuest(
        "qemu-system-x86_64",
        qemuArguments(this.machine, kernelArguments),
        ["ignore", "ignore", "pipe"],
        (reason) => {
          this.#ended ??= `QEMU ended (${reason}) ${complaint}`.trimEnd();
          this.#qemu = null;
          clearTimeout(this.#limit);
          resolve();
        },
      );
    });
    this.#qemu?.stderr?.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
    this.#limit = setTimeout(() => {
      this.#ended = `the guest reached its limit of ${this.limitSeconds} s and was killed`;
      this.#qemu?.kill("SIGKILL");
    }, this.limitSeconds * 1000);
    this.#limit.unref();
  }

  #stillRuns(): void {
    if (this.#ended !== null) throw new Error(this.#ended);
  }

  async #connect(): Promise<void> {
    const connect = (name: string): ReturnType<typeof connectTo> =>
      connectTo(path.join(this.machine.work, name), BOOT_MILLISECONDS, () => {
        this.#stillRuns();
      });
    this.#qmp = new Qmp(await connect(QMP_SOCKET));
    this.#agent = new AgentClient(await connect(AGENT_SOCKET));
    await this.#qmp.command("qmp_capabilities");
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => {
        reject(new Error(`its agent did not report within ${BOOT_MILLISECONDS} ms`));
      }, BOOT_MILLISECONDS);
    });
    const ended = this.#exited.then(() => {
      throw new Error(this.#ended ?? "QEMU ended");
    });
    ended.catch(() => undefined); // once the guest is up, its end is what others wait for
    try {
      await Promise.race([this.#agent.hello, late, ended]);
    } finally {
      clearTimeout(timer);
    }
    await this.mustExec("udevadm settle --timeout=120");
  }

  #runningAgent(): AgentClient {
    this.#stillRuns();
    if (this.#agent === null) throw new Error("The guest has not been booted");
    return this.#agent;
  }

  #runningQmp(): Qmp {
    this.#stillRuns();
    if (this.#qmp === null) throw new Error("The guest has not been booted");
    return this.#qmp;
  }

  /** The agent's connection, to pass on. */
  agent(): AgentClient {
    return this.#runningAgent();
  }

  async exec(command: string[] | string, options?: ExecOptions): Promise<ExecResult> {
    return await this.#runningAgent().exec(command, options);
  }

  async mustExec(command: string[] | string, options?: ExecOptions): Promise<string> {
    return await this.#runningAgent().mustExec(command, options);
  }

  #disk(serial: string): DiskSpec & { file: string } {
    const disk = this.machine.disks.find((candidate) => candidate.serial === serial);
    if (disk === undefined) throw new Error(`The guest has no disk ${serial}`);
    return disk;
  }

  /** Plugs a disk in; a disk that was unplugged comes back with what it held. */
  async plug(spec: DiskSpec): Promise<void> {
    const known = this.machine.disks.find((candidate) => candidate.serial === spec.serial);
    const disk = known ?? withFile(spec, this.machine.work);
    if (known === undefined) this.machine.disks.push(disk);
    await this.#runningQmp().command("blockdev-add", diskBackend(disk, this.machine.cache));
    await this.#runningQmp().command("device_add", diskFrontend(disk, this.machine.cache));
    await this.mustExec(
      `for i in $(seq 300); do [ -e /dev/disk/by-id/virtio-${spec.serial} ] && exit 0; sleep 0.1; done; exit 1`,
    );
  }

  /** Takes a disk out while the guest runs, as a cable that is pulled. Its content stays, for plug. */
  async unplug(serial: string): Promise<void> {
    const qmp = this.#runningQmp();
    this.#disk(serial);
    const gone = qmp.event(
      (event, data) => event === "DEVICE_DELETED" && data["device"] === serial,
      HOTPLUG_MILLISECONDS,
    );
    await Promise.all([gone, qmp.command("device_del", { id: serial })]);
    await qmp.command("blockdev-del", { "node-name": diskNode(serial) });
  }

  /** Grows a disk under the running guest. */
  async grow(serial: string, sizeBytes: number): Promise<void> {
    const disk = this.#disk(serial);
    truncateSync(disk.file, sizeBytes);
    disk.sizeBytes = sizeBytes;
    await this.#runningQmp().command("block_resize", { "node-name": diskNode(serial), size: sizeBytes });
    await this.mustExec(
      `d=$(basename $(readlink -f /dev/disk/by-id/virtio-${serial})); for i in $(seq 100); do ` +
        `[ $(cat /sys/block/$d/size) = ${sizeBytes / 512} ] && exit 0; sleep 0.1; done; exit 1`,
    );
  }

  /** Kills QEMU: what the guest had not written to its disks is lost. */
  async powerCut(): Promise<void> {
    this.#ended ??= "its power was cut";
    this.#qemu?.kill("SIGKILL");
    await this.#exited;
    this.#agent?.close();
    this.#qmp?.close();
  }

  /** An orderly end: systemd stops everything, then the machine is off. */
  async powerOff(): Promise<void> {
    const off = this.#exited;
    // The agent is stopped like everything else, maybe before it has answered. What counts is that the guest goes off.
    const asked = this.mustExec("systemctl --no-block poweroff").then(
      () => "",
      (error: unknown) => `: ${String(error)}`,
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, POWEROFF_MILLISECONDS);
    });
    await Promise.race([off, late]);
    clearTimeout(timer);
    const inTime = this.#qemu === null;
    await this.powerCut();
    if (!inTime)
      throw new Error(`The guest was not off ${POWEROFF_MILLISECONDS} ms after poweroff${await asked}`);
  }

  /** Ends the guest and removes its disks. */
  async shutdown(): Promise<void> {
    await this.powerCut();
    rmSync(this.machine.work, { recursive: true, force: true });
  }
}

/** What guests of either kind can do. */
export type CommandGuest = Pick<Guest, "exec" | "mustExec" | "shutdown">;

/** A disk that has no file yet gets a sparse one in `work`. */
export function withFile(disk: DiskSpec, work: string): DiskSpec & { file: string } {
  if (disk.file !== undefined) return { ...disk, file: disk.file };
  const file = path.join(work, `${disk.serial}.img`);
  const descriptor = openSync(file, "wx");
  ftruncateSync(descriptor, disk.sizeBytes);
  closeSync(descriptor);
  return { ...disk, file };
}

/** The disks that cases find: eight of 12 GiB, one of 40 GiB, one too small for a pool, one with sectors of 4 KiB. */
export const CASE_DISKS: readonly DiskSpec[] = [
  ...["d0", "d1", "d2", "d3", "d4", "d5", "d6", "d7"].map((serial) => ({ serial, sizeBytes: 12 * GIB })),
  { serial: "big", sizeBytes: 40 * GIB },
  { serial: "small", sizeBytes: 64 * MIB },
  { serial: "s4096", sizeBytes: 12 * GIB, sectorBytes: 4096 },
];
