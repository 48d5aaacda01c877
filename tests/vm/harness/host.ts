/** Cases on this machine itself, on loop devices, where it has device-mapper and its user agrees by calling as root. */
import { spawn, spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import type { ExecOptions, ExecResult } from "./agent-client";
import type { Place } from "./cases";
import { CASE_DISKS } from "./guest";
import { PROJECT } from "./image";

const DEFAULT_MILLISECONDS = 120_000;

function refuseUnlessUsable(): void {
  if (process.getuid?.() !== 0)
    throw new Error("--host needs root: loop devices, device-mapper and mounts do");
  try {
    closeSync(openSync("/dev/mapper/control", "r+"));
  } catch (error) {
    throw new Error(`--host needs device-mapper in this machine's kernel: ${String(error)}`, {
      cause: error,
    });
  }
  if (spawnSync("busctl", ["--quiet", "status", "org.storage.stratis3"]).status === 0)
    throw new Error("A stratisd runs on this machine; its pools would be in danger. --host refuses");
  const devices = spawnSync("dmsetup", ["ls"], { encoding: "utf8" });
  if (/^stratis-1-/m.test(devices.stdout))
    throw new Error("This machine has Stratis pools set up; cases remove such devices. --host refuses");
}

function exec(command: string[] | string, options: ExecOptions = {}): Promise<ExecResult> {
  const argv = typeof command === "string" ? ["/bin/bash", "-c", command] : command;
  return new Promise((resolve, reject) => {
    const child = spawn(argv[0] ?? "", argv.slice(1), {
      cwd: options.cwd ?? "/",
      env: { ...process.env, ...options.env, STRATIS_CASES_ON_HOST: "1" },
    });
    const result: ExecResult = { status: null, signal: null, timedOut: false, stdout: "", stderr: "" };
    const timer = setTimeout(() => {
      result.timedOut = true;
      child.kill("SIGKILL");
    }, options.timeoutMs ?? DEFAULT_MILLISECONDS);
    child.stdout.on("data", (chunk: Buffer) => {
      result.stdout += chunk.toString();
      options.onOutput?.(chunk.toString(), "out");
    });
    child.stderr.on("data", (chunk: Buffer) => {
      result.stderr += chunk.toString();
      options.onOutput?.(chunk.toString(), "err");
    });
    child.stdin.end(options.input ?? "");
    child.on("error", reject);
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      resolve({ ...result, status, signal });
    });
  });
}

function losetup(args: string[]): string {
  const result = spawnSync("losetup", args, { encoding: "utf8" });
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw new Error(`losetup ${args.join(" ")} failed: ${result.stderr}`);
  return result.stdout.trim();
}

export async function onThisMachine<T>(use: (place: Place) => Promise<T>): Promise<T> {
  refuseUnlessUsable();
  const folder = mkdtempSync(path.join(tmpdir(), "stratis-host-"));
  const disks: Record<string, string> = {};
  try {
    for (const { serial, sizeBytes, sectorBytes } of CASE_DISKS) {
      const file = path.join(folder, `${serial}.img`);
      const descriptor = openSync(file, "wx");
      ftruncateSync(descriptor, sizeBytes);
      closeSync(descriptor);
      disks[serial] = losetup(["--find", "--show", `--sector-size=${sectorBytes ?? 512}`, file]);
    }
    return await use({ project: PROJECT, node: process.execPath, disks, exec });
  } finally {
    for (const device of Object.values(disks)) losetup(["--detach", device]);
    rmSync(folder, { recursive: true, force: true });
  }
}
