/**
 * dfuzzer, a fuzzer of D-Bus services, against the service with the simulator: every method and property of every
 * object gets drawn arguments. Fails on what dfuzzer reports (a service that ended, or does not answer), and on memory
 * or descriptors that stay in use. Exit status as of suite.ts.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { BUS_NAME } from "../../src/dbus/names";
import { startBus } from "../dbus/support/bus";
import { DaemonProcess } from "../dbus/support/daemon-process";
import { populate } from "../dbus/support/populate";
import { RawClient } from "../dbus/support/raw-client";
import { endWith, NotRunError } from "./not-run";
import { cacheFolder, dfuzzerFolder } from "./sources";

const BUILD_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 1_800_000;
/** Two runs: what the first leaves is pools and filesystems that it made, and what is compiled and cached once. */
const RUNS = 2;
const FILESYSTEMS = 3;
const MORE_BYTES = 20e6;

function build(step: string, program: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: "utf8",
    timeout: BUILD_TIMEOUT_MS,
  });
  if (status === 0) return;
  throw new NotRunError(`${step} failed: ${error?.message ?? [stdout, stderr].join("\n").trim()}`);
}

/** The program, built in the cache when it is not there. Throws NotRunError when it cannot be had. */
function dfuzzerProgram(): string {
  const sources = dfuzzerFolder();
  const folder = join(cacheFolder(), "dfuzzer-build");
  const program = join(folder, "dfuzzer");
  if (existsSync(program)) return program;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(cacheFolder(), { recursive: true });
  build("Setting up the build of dfuzzer", "meson", [
    ...["setup", "--buildtype=release", "-Ddfuzzer-test-server=false", folder, sources],
  ]);
  build("Building dfuzzer", "ninja", ["-C", folder, "dfuzzer"]);
  return program;
}

/** Without its list of methods to spare: nothing here is real. Everything that it says goes to standard output. */
async function fuzz(program: string, address: string): Promise<void> {
  const child = spawn(program, ["--no-suppressions", `--bus=${BUS_NAME}`], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, DBUS_SESSION_BUS_ADDRESS: address, DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/nowhere" },
    timeout: RUN_TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  const [status, signal] = (await once(child, "exit")) as [number | null, string | null];
  assert.deepEqual({ status, signal }, { status: 0, signal: null }, "dfuzzer found something, see above");
}

async function main(): Promise<number> {
  const program = dfuzzerProgram();
  const bus = await startBus();
  const daemon = await DaemonProcess.start(bus.address);
  try {
    const client = await RawClient.connect(bus.address);
    await populate(client, { filesystems: FILESYSTEMS });
    client.close();
    const seen: { descriptors: number; used: number }[] = [];
    for (let run = 1; run <= RUNS; run++) {
      await fuzz(program, bus.address);
      assert.ok(daemon.isRunning, "the service ended");
      seen.push({ descriptors: daemon.descriptors, used: await daemon.used() });
      console.log(`run ${run}: ${JSON.stringify(seen.at(-1))}`);
    }
    const [first, last] = [seen[0], seen.at(-1)];
    assert.equal(last?.descriptors, first?.descriptors, "descriptors stay open");
    assert.ok((last?.used ?? 0) < (first?.used ?? 0) + MORE_BYTES, "memory stays in use");
    return 0;
  } finally {
    await daemon.stop();
    await bus.stop();
  }
}

endWith("dfuzzer", main);
