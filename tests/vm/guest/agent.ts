/**
 * Runs commands in the guest for the host, over a virtio-serial port, or over the serial port that the kernel's command
 * line names as stratis.agent; one process for the guest's whole life, because starting Node takes more than a second
 * in an emulated machine. A single file without imports of the project's: it is copied into the guest, so that the
 * project can be unmounted while the agent runs.
 *
 * Lines of JSON. From the host: AgentRequest, or {id, kill} to end a command. To the host: {hello} once, {id, out} and
 * {id, err} with text as it comes, {id, status, signal, timedOut} at the end, {id, error} when nothing could be run.
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import { StringDecoder } from "node:string_decoder";

export interface AgentRequest {
  id: number;
  argv: string[];
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  timeoutMs: number;
}

export type AgentMessage =
  | { hello: string }
  | { id: number; out: string }
  | { id: number; err: string }
  | { id: number; status: number | null; signal: string | null; timedOut: boolean }
  | { id: number; error: string };

const PORT_NAME = "stratis.agent";
const READ_BYTES = 65_536;
/** Between looks at a port that nobody has opened at the host's end. */
const IDLE_MILLISECONDS = 100;
/** How long a command's output may stay open after its end: a daemon it left behind may hold it for ever. */
const DRAIN_MILLISECONDS = 500;

function portPath(): string {
  const given = /(?:^|\s)stratis\.agent=(\S+)/.exec(fs.readFileSync("/proc/cmdline", "utf8"))?.[1];
  if (given !== undefined) {
    execFileSync("stty", ["-F", given, "raw", "-echo"]);
    return given;
  }
  const ports = "/sys/class/virtio-ports";
  for (const port of fs.readdirSync(ports))
    if (fs.readFileSync(`${ports}/${port}/name`, "utf8").trim() === PORT_NAME) return `/dev/${port}`;
  throw new Error(`No virtio port is named ${PORT_NAME}`);
}

const descriptor = fs.openSync(portPath(), "r+");
const running = new Map<number, ChildProcess>();
const outgoing: string[] = [];
let writing = false;

function send(message: AgentMessage): void {
  outgoing.push(`${JSON.stringify(message)}\n`);
  writeNext();
}

function writeNext(): void {
  if (writing || outgoing.length === 0) return;
  writing = true;
  writeAll(Buffer.from(outgoing.splice(0).join("")), () => {
    writing = false;
    writeNext();
  });
}

function writeAll(data: Buffer, done: () => void): void {
  fs.write(descriptor, data, (error, written) => {
    if (error !== null) throw error;
    if (written < data.length) writeAll(data.subarray(written), done);
    else done();
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch (error) {
    // The group may have ended between the decision and the signal.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

function run(request: AgentRequest): void {
  const { id, argv } = request;
  const child = spawn(argv[0] ?? "", argv.slice(1), {
    cwd: request.cwd ?? "/",
    env: { ...process.env, ...request.env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  running.set(id, child);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, request.timeoutMs);
  const out = new StringDecoder("utf8");
  const err = new StringDecoder("utf8");
  child.stdout.on("data", (chunk: Buffer) => {
    send({ id, out: out.write(chunk) });
  });
  child.stderr.on("data", (chunk: Buffer) => {
    send({ id, err: err.write(chunk) });
  });
  // A command need not read what it is given.
  child.stdin.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") send({ id, err: `agent: writing to standard input: ${error.message}\n` });
  });
  child.stdin.end(request.input ?? "");
  const finish = (message: AgentMessage): void => {
    clearTimeout(timer);
    if (running.delete(id)) send(message);
  };
  child.on("error", (error) => {
    finish({ id, error: `Running ${argv.join(" ")} failed: ${error.message}` });
  });
  child.on("exit", (status, signal) => {
    const drained = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
      finish({ id, status, signal, timedOut });
    }, DRAIN_MILLISECONDS);
    child.on("close", () => {
      clearTimeout(drained);
      finish({ id, status, signal, timedOut });
    });
  });
}

function handle(line: string): void {
  const request = JSON.parse(line) as AgentRequest | { id: number; kill: true };
  if ("kill" in request) {
    const child = running.get(request.id);
    if (child !== undefined) killGroup(child);
  } else run(request);
}

let pending = "";
const decoder = new StringDecoder("utf8");

function readNext(): void {
  fs.read(descriptor, Buffer.alloc(READ_BYTES), 0, READ_BYTES, null, (error, count, data) => {
    if (error !== null) throw error;
    if (count === 0) {
      setTimeout(readNext, IDLE_MILLISECONDS);
      return;
    }
    const lines = (pending + decoder.write(data.subarray(0, count))).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) if (line !== "") handle(line);
    readNext();
  });
}

send({ hello: process.version });
readNext();
