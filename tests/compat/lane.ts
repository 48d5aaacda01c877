/**
 * Runs in a namespace of its own (isolated.ts): a system bus, and on it the command of the arguments. Ends with the
 * command's exit status.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { startBus } from "../dbus/support/bus";

async function main(): Promise<void> {
  const [program, ...args] = process.argv.slice(2);
  if (program === undefined) throw new Error("usage: lane.js PROGRAM [ARGUMENT]...");
  const bus = await startBus();
  try {
    const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: bus.address };
    const child = spawn(program, args, { stdio: "inherit", env });
    const [status, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
    if (signal !== null) console.error(`${program} was ended by ${signal}`);
    process.exitCode = status ?? 1;
  } finally {
    await bus.stop();
  }
}

void main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
