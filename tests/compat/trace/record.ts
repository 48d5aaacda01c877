/**
 * Starts `stratisd --sim` on the system bus, runs the operations through it, and prints what was on the bus as JSON.
 * The daemon's log goes to standard error.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Bus, MESSAGE_BUS } from "../../../cli/bus";
import { systemBusAddress } from "../../../cli/bus-address";
import { BUS_NAME } from "../../../src/dbus/names";
import { packageRoot } from "../../../src/native";
import { runOperations } from "./operations";
import { Tracer } from "./tracer";

const START_TIMEOUT_MS = 20_000;
const END_TIMEOUT_MS = 20_000;
const STANDARD_ERROR = 2;

async function isServed(bus: Bus): Promise<boolean> {
  const [owned] = await bus.call({
    destination: MESSAGE_BUS,
    path: "/org/freedesktop/DBus",
    interface: MESSAGE_BUS,
    member: "NameHasOwner",
    signature: "s",
    body: [BUS_NAME],
    timeoutMs: START_TIMEOUT_MS,
  });
  return owned === true;
}

async function serving(daemon: ChildProcess, address: string): Promise<void> {
  const bus = await Bus.open(address);
  const deadline = performance.now() + START_TIMEOUT_MS;
  try {
    while (!(await isServed(bus))) {
      if (daemon.exitCode !== null) throw new Error(`stratisd ended at once, with status ${daemon.exitCode}`);
      if (performance.now() > deadline)
        throw new Error(`stratisd has not taken its name within ${START_TIMEOUT_MS} ms`);
      await sleep(20);
    }
  } finally {
    bus.close();
  }
}

async function end(daemon: ChildProcess): Promise<void> {
  const exited = once(daemon, "exit", { signal: AbortSignal.timeout(END_TIMEOUT_MS) });
  daemon.kill("SIGINT");
  const [status, signal] = (await exited) as [number | null, NodeJS.Signals | null];
  if (status !== 0)
    throw new Error(`stratisd ended with ${signal ?? `status ${status ?? "none"}`} after an interrupt`);
}

async function main(): Promise<void> {
  const address = systemBusAddress(process.env);
  const program = join(packageRoot, "build/Release/stratisd");
  const daemon = spawn(program, ["--sim"], { stdio: ["ignore", STANDARD_ERROR, STANDARD_ERROR] });
  try {
    await serving(daemon, address);
    const tracer = await Tracer.open(address);
    await runOperations(tracer);
    tracer.close();
    await end(daemon);
    console.log(JSON.stringify(tracer.operations));
  } catch (error) {
    daemon.kill("SIGKILL");
    throw error;
  }
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
