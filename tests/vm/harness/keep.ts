/** A guest that is kept running, and the socket through which other processes use it. */
import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import * as path from "node:path";
import type { AgentRequest } from "../guest/agent";
import { AgentClient } from "./agent-client";
import type { Guest } from "./guest";
import { PROJECT } from "./image";
import { connectOnce, onLines, sendLine } from "./lines";

/** One per tree and user. */
export function controlSocket(): string {
  const folder = path.join(tmpdir(), `stratis-vm-keep-${userInfo().uid}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return path.join(folder, createHash("sha256").update(PROJECT).digest("hex").slice(0, 12));
}

type ControlRequest = AgentRequest | { stop: true };

async function serveRequest(guest: Guest, socket: Socket, request: AgentRequest): Promise<void> {
  const { id, argv, ...options } = request;
  try {
    const { status, signal, timedOut } = await guest.exec(argv, {
      ...options,
      onOutput: (text, stream) => {
        sendLine(socket, stream === "out" ? { id, out: text } : { id, err: text });
      },
    });
    sendLine(socket, { id, status, signal, timedOut });
  } catch (error) {
    sendLine(socket, { id, error: error instanceof Error ? error.message : String(error) });
  }
}

/** Serves until somebody asks for a stop. */
export async function keep(guest: Guest): Promise<void> {
  const at = controlSocket();
  rmSync(at, { force: true });
  await new Promise<void>((resolve, reject) => {
    const server = createServer((socket) => {
      // A client that is interrupted takes only its own connection along.
      socket.on("error", () => undefined);
      onLines(socket, (message) => {
        const request = message as ControlRequest;
        if ("stop" in request) {
          server.close();
          socket.end();
          resolve();
        } else void serveRequest(guest, socket, request);
      });
    });
    server.on("error", reject);
    server.listen(at, () => {
      process.stdout.write("The guest is up. Use it with --attach, end it with --stop or Ctrl+C.\n");
    });
  });
  rmSync(at, { force: true });
}

async function connectKept(): Promise<Socket> {
  try {
    return await connectOnce(controlSocket());
  } catch (error) {
    throw new Error(`No guest is kept (start one with --keep): ${String(error)}`, { cause: error });
  }
}

export async function attach(): Promise<AgentClient> {
  return new AgentClient(await connectKept());
}

export async function stopKept(): Promise<void> {
  const socket = await connectKept();
  sendLine(socket, { stop: true });
  await new Promise((resolve) => socket.on("close", resolve).resume());
}
