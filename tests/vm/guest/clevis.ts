/** What Clevis binds to, in the guest: a tang server, servers that misbehave, a TPM in software. */
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from "node:net";
import * as path from "node:path";
import { until } from "../cases/support";
import { mustRun, run } from "./command";

const TANGD = "/usr/libexec/tangd";
const KEYGEN = "/usr/libexec/tangd-keygen";
const READY_MILLISECONDS = 60_000;

/** A tang server of its own, at 127.0.0.1. */
export class Tang {
  #child: ChildProcess | null = null;

  constructor(
    readonly folder: string,
    readonly port: number,
  ) {}

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Makes new keys, and forgets those that it had. */
  async makeKeys(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    await mkdir(this.folder, { recursive: true });
    await mustRun(KEYGEN, [this.folder]);
  }

  /** Of the key that it signs with. */
  async thumbprint(): Promise<string> {
    return (await mustRun("tang-show-keys", [String(this.port)])).stdout.trim();
  }

  async start(): Promise<void> {
    this.#child = spawn(TANGD, ["-l", "-p", String(this.port), this.folder], { stdio: "ignore" });
    const answers = ["-sf", "--max-time", "5", "-o", "/dev/null", `${this.url}/adv`];
    await until(
      `tangd answers at ${this.url}`,
      async () => (await run("curl", answers)).status === 0,
      READY_MILLISECONDS,
    );
  }

  stop(): void {
    this.#child?.kill("SIGTERM");
    this.#child = null;
  }
}

const listening = async (server: Server | TcpServer): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
};

/** Takes connections, and never says anything. */
export async function hangingServer(): Promise<{ url: string; close: () => void }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => sockets.delete(socket));
  });
  const url = await listening(server);
  const close = (): void => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return { url, close };
}

/**
 * Passes on what a tang server advertises; but what it answers when a key is to be recovered is `lie`, or nothing at
 * all if that is null. `asked`: whether a key was to be recovered.
 */
export async function lyingServer(
  tang: Tang,
  lie: string | null,
): Promise<{ url: string; asked: () => boolean; close: () => void }> {
  let asked = false;
  const server = createServer((incoming, response) => {
    if (incoming.method === "POST") {
      asked = true;
      if (lie === null) return;
      response.setHeader("Content-Type", "application/jwk+json");
      response.end(lie);
      return;
    }
    const passedOn = request(`${tang.url}${incoming.url ?? "/"}`, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    passedOn.on("error", () => response.destroy());
    passedOn.end();
  });
  const url = await listening(server);
  return {
    url,
    asked: () => asked,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** A TPM 2.0 in software, which the kernel has as /dev/tpmrm0. Returns what ends it. */
export async function startTpm(folder: string): Promise<() => void> {
  await mkdir(folder, { recursive: true });
  await mustRun("modprobe", ["tpm_vtpm_proxy"]);
  const args = ["chardev", "--vtpm-proxy", "--tpm2", "--tpmstate", `dir=${path.resolve(folder)}`];
  const child = spawn("swtpm", args, { stdio: "ignore" });
  await until("the TPM is there", () => Promise.resolve(existsSync("/dev/tpmrm0")), READY_MILLISECONDS);
  return () => {
    child.kill("SIGTERM");
  };
}
