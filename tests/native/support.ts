/** What the tests of the addon and of the compiled programs share. */
import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { TestContext } from "node:test";
import { isNativeError, packageRoot } from "../../src/native";

/** A compiled program of the build that is under test. */
export function builtProgram(name: string): string {
  return path.join(process.env["STRATIS_NATIVE_BUILD"] ?? path.join(packageRoot, "build", "Release"), name);
}

/** A folder that goes away with the test. */
export function temporaryFolder(context: TestContext): string {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "stratis-native-test-"));
  context.after(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export function runSync(file: string, args: string[], env?: NodeJS.ProcessEnv): SpawnSyncReturns<string> {
  const result = spawnSync(file, args, { encoding: "utf8", ...(env === undefined ? {} : { env }) });
  if (result.error !== undefined) throw result.error;
  return result;
}

/** A control node alone says nothing: libdevmapper makes one where there is none. Opening it may load the driver. */
export function kernelHasDeviceMapper(): boolean {
  try {
    fs.closeSync(fs.openSync("/dev/mapper/control", "r"));
    return true;
  } catch {
    return false;
  }
}

/** Calls a function of the addon as JavaScript without types can. */
export function callUntyped(owner: object, name: string, ...args: unknown[]): Promise<unknown> {
  return (Reflect.get(owner, name) as (...values: unknown[]) => Promise<unknown>).apply(owner, args);
}

export interface ExpectedFailure {
  code: string;
  syscall?: string;
  target?: string;
}

/** What Node's table lacks. */
const ERRNO: Record<string, number> = { ...os.constants.errno, ENOTBLK: 15, ENOKEY: 126 };

/** Checks the members of NativeError; for assert.rejects and assert.throws. */
export function failsWith(expected: ExpectedFailure): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isNativeError(error), `not a NativeError: ${String(error)}`);
    assert.equal(error.code, expected.code, error.message);
    assert.equal(error.errno, ERRNO[expected.code]);
    if (expected.syscall !== undefined) assert.equal(error.syscall, expected.syscall);
    if (expected.target !== undefined) assert.equal(error.target, expected.target);
    assert.ok(error.message.length > 0);
    return true;
  };
}

/**
 * A loop device on a new file of `bytes`, or undefined where this machine grants none (no root, no loop driver):
 * callers then assert on what they can do without.
 */
export function loopDevice(context: TestContext, bytes: number): string | undefined {
  const file = path.join(temporaryFolder(context), "disk.img");
  fs.writeFileSync(file, "");
  fs.truncateSync(file, bytes);
  const made = spawnSync("losetup", ["--find", "--show", file], { encoding: "utf8" });
  if (made.error !== undefined || made.status !== 0) return undefined;
  const device = made.stdout.trim();
  context.after(() => {
    runSync("losetup", ["--detach", device]);
  });
  return device;
}
