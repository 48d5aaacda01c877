/** stratisd-min with the simulator, and stratis-min, as processes that see an empty /run of their own. */
import { spawn, type ChildProcess, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import * as path from "node:path";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { SOCKET } from "../../../../src/jsonrpc/socket";
import { packageRoot } from "../../../../src/native";
import { programFile, type Ran } from "../run";

const TIMEOUT_MS = 40_000;
const LOOK_MS = 20;
const DAEMON = path.join(packageRoot, "build/Release/stratisd-min");
const ENVIRONMENT = { PATH: process.env["PATH"], STRATIS_NODE: process.execPath };

export class Machine {
  #daemon: ChildProcess | null = null;

  private constructor(
    /** Keeps the namespaces as long as its input is open. */
    private readonly holder: ChildProcessByStdio<Writable, Readable, null>,
    /** Arguments of nsenter before a command that is to run there. */
    readonly entered: readonly string[],
  ) {}

  static async make(): Promise<Machine> {
    const isRoot = process.geteuid?.() === 0;
    const script = "mount -t tmpfs tmpfs /run && echo ready && exec cat";
    const user = isRoot ? [] : ["--user", "--map-root-user"];
    const holder = spawn("unshare", [...user, "--mount", "sh", "-c", script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(holder.stdout, "data", { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const entered = isRoot ? ["--mount"] : ["--mount", "--user", "--preserve-credentials"];
    return new Machine(holder, [`--target=${holder.pid ?? ""}`, ...entered]);
  }

  /** A file that its processes see, as this one does. */
  outside(file: string): string {
    return `/proc/${this.holder.pid ?? ""}/root${file}`;
  }

  #spawn(words: readonly string[]): ChildProcessByStdio<Writable, Readable, Readable> {
    return spawn("nsenter", [...this.entered, ...words], {
      stdio: ["pipe", "pipe", "pipe"],
      env: ENVIRONMENT,
      timeout: TIMEOUT_MS,
    });
  }

  /** Runs a program to its end with `input` on its standard input. */
  async run(words: readonly string[], input = ""): Promise<Ran> {
    const child = this.#spawn(words);
    // It may end without having read it.
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    const exited = once(child, "close") as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exited]);
    return { code, stdout, stderr };
  }

  /** stratis-min, executed as a file. */
  min(words: readonly string[], input?: string): Promise<Ran> {
    return this.run([programFile("stratis-min"), ...words], input);
  }

  /** stratisd-min to its end. */
  daemon(...words: string[]): Promise<Ran> {
    return this.run([DAEMON, ...words]);
  }

  /** Resolves when stratisd-min, by default the one of this tree, is there to be asked. Returns its process id. */
  async startDaemon(file = DAEMON, env: NodeJS.ProcessEnv = {}): Promise<number> {
    const daemon = spawn("nsenter", [...this.entered, file, "--sim"], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...ENVIRONMENT, ...env },
    });
    this.#daemon = daemon;
    const deadline = performance.now() + TIMEOUT_MS;
    const isThere = async (): Promise<boolean> =>
      existsSync(this.outside(SOCKET)) && (await this.min(["key"])).code === 0;
    while (!(await isThere())) {
      const end = daemon.exitCode ?? daemon.signalCode;
      if (end !== null || performance.now() > deadline)
        throw new Error(`stratisd-min does not answer; its end is ${end ?? "not there yet"}`);
      await sleep(LOOK_MS);
    }
    return daemon.pid ?? 0;
  }

  /** Ends stratisd-min, and resolves to its exit code; null when the signal has ended it. */
  async endDaemon(signal: "SIGINT" | "SIGKILL"): Promise<number | null> {
    const daemon = this.#daemon;
    if (daemon === null) throw new Error("stratisd-min has not been started");
    const exited = once(daemon, "exit") as Promise<[number | null]>;
    daemon.kill(signal);
    this.#daemon = null;
    return (await exited)[0];
  }

  async end(): Promise<void> {
    if (this.#daemon !== null) await this.endDaemon("SIGKILL");
    const exited = once(this.holder, "exit");
    this.holder.stdin.end();
    await exited;
  }
}
