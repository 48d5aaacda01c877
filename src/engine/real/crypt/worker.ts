/**
 * A process of its own for the long part of an encryption, re-encryption or decryption in place.
 *
 * While a piece is worked on, whoever writes to it, and every flush of the device, waits in the kernel and can't even be
 * killed. If the daemon did the work itself and were killed, it could not end: another thread of it may wait like that,
 * and the last process of its mount namespace unmounts the pool's metadata volume. So nobody would finish the piece. A
 * worker finishes its piece whatever becomes of the daemon, and ends then; it keeps the namespace until that. A daemon
 * whose worker was killed puts the device in order.
 */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { closeDescriptor } from "../../../bus/descriptors";
import {
  native,
  type CryptReencryption,
  type CryptReencryptOptions,
  type CryptUnlock,
  type Secret,
} from "../../../native";
import { nodeOptions } from "../../../node-options";
import { EngineError } from "../../errors";
import { RUN_FOLDER } from "../namespace";
import { requireProgram } from "../programs";

/** Beside the daemon's script. */
const SCRIPT = "stratisd-worker.js";
/** Where the worker finds a passphrase. */
export const SECRET_DESCRIPTOR = 3;
/** The longest that a worker, whose daemon is gone, may take for the piece that it is at. */
const END_MILLISECONDS = 300_000;
const LOOK_MILLISECONDS = 100;

/** What a worker is started with: its only argument, as JSON. No secret is in it. */
export interface WorkerRequest {
  container: string;
  activeName: string;
  /** File that is locked while it works. */
  lock: string;
  unlock: { keyDescription: string } | { token: number | "any" } | "descriptor";
  keyslot: number | null;
}

/** Lines that it writes, as JSON: bytes as decimal text. */
export type WorkerLine =
  | { done: string; total: string }
  | { ended: "finished" | "stopped" }
  | { error: { message: string; code?: string; syscall?: string; errno?: number } };

/** Locked while a worker is at a mapping, whichever daemon has started it. */
const lockOf = (activeName: string): string => `${RUN_FOLDER}/${activeName}.lock`;

/** Waits for the worker that another daemon may have left at a mapping. Throws EngineError when it does not end. */
export async function whenNoWorker(activeName: string): Promise<void> {
  const end = performance.now() + END_MILLISECONDS;
  while (existsSync(lockOf(activeName))) {
    const lock = native().lockFile(lockOf(activeName));
    const { acquired, content } = lock;
    lock.release();
    if (acquired) return;
    if (performance.now() > end)
      throw new EngineError(
        `Process ${content === "" ? "(unknown)" : content} still works on ${activeName} for a daemon that is gone`,
      );
    await sleep(LOOK_MILLISECONDS);
  }
}

function requestOf(
  container: string,
  activeName: string,
  unlock: CryptUnlock,
): { request: WorkerRequest; secret: Secret | null } {
  const common = { container, activeName, lock: lockOf(activeName) };
  if ("token" in unlock)
    return {
      request: { ...common, unlock: { token: unlock.token }, keyslot: null },
      secret: null,
    };
  const keyslot = unlock.keyslot ?? null;
  if ("keyDescription" in unlock) {
    const { keyDescription } = unlock;
    return { request: { ...common, unlock: { keyDescription }, keyslot }, secret: null };
  }
  if (!("secret" in unlock)) throw new EngineError("A worker takes a secret as a handle only");
  return { request: { ...common, unlock: "descriptor", keyslot }, secret: unlock.secret };
}

/**
 * Where there is systemd, a worker is in a scope of its own: it is not ended with the daemon's service, however that is
 * ended.
 */
async function scopeCommand({ activeName }: WorkerRequest): Promise<string[]> {
  if (!existsSync("/run/systemd/system")) return [];
  const description = `--description=Encryption in place of ${activeName}`;
  return [await requireProgram("systemd-run"), "--scope", "--quiet", "--collect", description, "--"];
}

function start(command: string[], request: WorkerRequest, secret: Secret | null): ChildProcess {
  const pipe = secret === null ? null : native().pipeWith(secret);
  try {
    const script = path.join(path.dirname(process.argv[1] ?? ""), SCRIPT);
    const node = [...nodeOptions(), script, JSON.stringify(request)];
    const [first, ...others] = command;
    const [program, args] =
      first === undefined ? [process.execPath, node] : [first, [...others, process.execPath, ...node]];
    // Not a part of a snapshot of the daemon, nor is readline: Node does not vouch for these modules in one.
    const { spawn } = process.getBuiltinModule("node:child_process");
    return spawn(program, args, {
      stdio: ["pipe", "pipe", "inherit", pipe?.readEnd ?? "ignore"],
      // It ends by itself, with its piece: what is meant for the daemon must not reach it.
      detached: true,
    });
  } finally {
    if (pipe !== null) {
      closeDescriptor(pipe.readEnd);
      closeDescriptor(pipe.writeEnd);
    }
  }
}

function failure({ message, ...details }: Extract<WorkerLine, { error: unknown }>["error"]): Error {
  const error = new Error(message);
  return details.code === undefined ? error : Object.assign(error, details);
}

async function outcome(
  worker: ChildProcess,
  onProgress: (done: bigint, total: bigint) => void,
): Promise<"finished" | "stopped"> {
  const last: { line: WorkerLine | null } = { line: null };
  const failed = new Promise<never>((_resolve, reject) => {
    worker.on("error", reject);
  });
  const ended = new Promise<string>((resolve) => {
    worker.on("close", (status, signal) => {
      resolve(signal === null ? `exit status ${status ?? "unknown"}` : `signal ${signal}`);
    });
  });
  if (worker.stdout !== null)
    process
      .getBuiltinModule("node:readline")
      .createInterface({ input: worker.stdout })
      .on("line", (text) => {
        const line = JSON.parse(text) as WorkerLine;
        last.line = line;
        if ("done" in line) onProgress(BigInt(line.done), BigInt(line.total));
      });
  const how = await Promise.race([ended, failed]);
  const { line } = last;
  if (line !== null && "ended" in line) return line.ended;
  if (line !== null && "error" in line) throw failure(line.error);
  throw new EngineError(`The process that worked on the data ended before it was done (${how})`);
}

/** As cryptReencryptRun of the addon, in a process of its own. The secret is with it when this resolves. */
export async function runInWorker(
  container: string,
  { activeName, unlock }: Required<Pick<CryptReencryptOptions, "activeName" | "unlock">>,
  onProgress: (done: bigint, total: bigint) => void,
): Promise<CryptReencryption> {
  if (activeName === null) throw new EngineError("A worker is for a mapping that is in use");
  const { request, secret } = requestOf(container, activeName, unlock);
  const worker = start(await scopeCommand(request), request, secret);
  // It may have ended by itself.
  worker.stdin?.on("error", () => undefined);
  return {
    ended: outcome(worker, onProgress),
    stop: () => {
      worker.stdin?.end();
    },
  };
}
