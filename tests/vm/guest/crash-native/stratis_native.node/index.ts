/**
 * The addon with a crash before every step that changes something: what a daemon loads whose STRATIS_NATIVE_BUILD names
 * the folder above. Steps are not listed anywhere: every call that is not known to only read is one, so that none can
 * be forgotten.
 *
 * The file named by STRATIS_CRASH_CONTROL says what to do: "N TOKEN" counts steps since the token was new, and kills
 * the process before step N (0: never; a negative N: step -N fails instead). The names of the steps that were passed are
 * in the file beside it, ".steps"; a process that kills itself makes a file ".died" before.
 * Two more lines are a regular expression and a command, which is run before the first step whose name matches; where it
 * fails, the step does.
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, readFileSync, unlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import { inspect } from "node:util";
import type { BlockFile, DmRequest, DmStep, NativeAddon } from "../../../../../src/native";

const control = process.env["STRATIS_CRASH_CONTROL"] ?? "";
/** "arm" changes but the daemon's own descriptor, which dies with it. */
const CHANGES_NOTHING = new Set(["info", "list", "table", "status", "deps", "version", "arm"]);
/** Functions about keys and encryption that change nothing outside of the process. */
const READS = new Set([
  ...[
    "cryptLoad",
    "cryptTest",
    "cryptVolumeKey",
    "cryptStatus",
    "cryptGenerateVolumeKey",
    "cryptHeaderBackup",
  ],
  ...["keyringHas", "keyringList", "volumeKeyHas", "volumeKeyUnset", "cryptLoadVolumeKey"],
]);

let token = "";
let passed = 0;
let hasRun = false;

const failureOf = (name: string): Error => {
  const [syscall = "", ...target] = name.split(" ");
  const members = { code: "EIO", errno: 5, syscall, target: target.join(" ") };
  return Object.assign(new Error(`${name} failed: EIO, as it was told to`), members);
};

function succeeds(command: string): boolean {
  try {
    execFileSync("sh", ["-c", command]);
    return true;
  } catch {
    return false;
  }
}

/** Called before every step. */
function step(name: string): void {
  const [order = "", pattern, command] = readFileSync(control, "utf8").split("\n");
  const [limit = "0", current = ""] = order.split(" ");
  if (current === "") return;
  if (current !== token) {
    token = current;
    passed = 0;
    hasRun = false;
    writeFileSync(`${control}.steps`, "");
  }
  passed += 1;
  if (passed === Number(limit)) {
    writeFileSync(`${control}.died`, "");
    process.kill(process.pid, "SIGKILL");
  }
  let fails = passed === -Number(limit);
  if (pattern !== undefined && command !== undefined && !hasRun && new RegExp(pattern).test(name)) {
    hasRun = true;
    fails ||= !succeeds(command);
  }
  appendFileSync(`${control}.steps`, `${name}\n`);
  if (fails) throw failureOf(name);
}

const build = path.resolve(__dirname, ..."../../../../../../build/Release/stratis_native.node".split("/"));
// eslint-disable-next-line @typescript-eslint/no-require-imports -- addons can only be required
const addon = require(build) as NativeAddon;

async function dmCall(request: DmRequest): ReturnType<NativeAddon["dmCall"]> {
  if (!CHANGES_NOTHING.has(request.op)) step(`${request.op} ${"name" in request ? request.name : ""}`);
  return await addon.dmCall(request);
}

/** One call for each step; what failed is undone as the addon does it. */
async function dmSequence(steps: DmStep[]): ReturnType<NativeAddon["dmSequence"]> {
  const replies: Awaited<ReturnType<NativeAddon["dmSequence"]>> = [];
  const undo: DmRequest[][] = [];
  try {
    for (const { request, undo: takesBack } of steps) {
      replies.push(await dmCall(request));
      undo.push(takesBack ?? []);
    }
  } catch (error) {
    for (const requests of undo.reverse()) for (const request of requests) await dmCall(request);
    throw error;
  }
  return replies;
}

/** Two steps, each a call of its own, so that the process also dies with the temporary file there. */
async function replaceFile(
  options: Parameters<NativeAddon["replaceFile"]>[0],
): ReturnType<NativeAddon["replaceFile"]> {
  const { path: file, temporary, data } = options;
  step(`write ${temporary}`);
  writeFileSync(temporary, data, { mode: 0o600, flush: true });
  try {
    step(`rename ${temporary} ${file}`);
  } catch (error) {
    unlinkSync(temporary);
    throw error;
  }
  await addon.replaceFile(options);
}

/** A block file whose writes are steps. */
async function openBlockFile(...args: Parameters<NativeAddon["openBlockFile"]>): Promise<BlockFile> {
  const file = await addon.openBlockFile(...args);
  return new Proxy(file, {
    get(target, key) {
      const member = Reflect.get(target, key, target) as unknown;
      if (typeof member !== "function") return member;
      return (...parameters: unknown[]): unknown => {
        if (["write", "zero", "discard"].includes(String(key))) step(`${String(key)} ${args[0]}`);
        return Reflect.apply(member, target, parameters) as unknown;
      };
    },
  });
}

const named =
  <A extends unknown[], R>(name: string, call: (...args: A) => R) =>
  (...args: A): R => {
    const described = args.map((arg) =>
      typeof arg === "string" ? arg : inspect(arg, { breakLength: Infinity }),
    );
    step(`${name} ${described.join(" ").replaceAll("\n", " ")}`);
    return call(...args);
  };

// What is not written by the addon is by Node's own functions. The module itself, not a copy of its names.
const fsPromises = createRequire(__filename)("node:fs/promises") as typeof import("node:fs/promises");
for (const name of ["rename", "unlink", "mkdir", "rmdir"] as const) {
  const original = fsPromises[name] as (...args: unknown[]) => unknown;
  Object.defineProperty(fsPromises, name, {
    value: named(name, original),
    configurable: true,
    writable: true,
  });
}

module.exports = new Proxy(addon, {
  get(target, key) {
    switch (key) {
      case "dmCall":
        return dmCall;
      case "dmSequence":
        return dmSequence;
      case "openBlockFile":
        return openBlockFile;
      case "replaceFile":
        return replaceFile;
      case "mount":
      case "unmount":
      case "removeFile":
      case "requestUevent":
      case "run":
        return named(key, Reflect.get(target, key) as (...args: unknown[]) => unknown);
      default: {
        const member = Reflect.get(target, key, target) as unknown;
        const isStep = /^(crypt|keyring|volumeKey)/.test(String(key)) && !READS.has(String(key));
        return isStep ? named(String(key), member as (...args: unknown[]) => unknown) : member;
      }
    }
  },
});
