/** What cases share: commands, what device-mapper holds, mounts, and calls that the command line can't make. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readFile } from "node:fs/promises";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Variant } from "dbus-next";
import { main } from "../../../cli/main";
import { STRATIS_TOP, SystemBus, type ManagedObjects } from "../guest/bus";
import { mustRun, PROJECT, run, type Outcome } from "../guest/command";

export { mustRun, PROJECT, run } from "../guest/command";

const MOUNTS = "/run/stratis-cases";
export const STRATIS = path.join(PROJECT, "dist", "cli", "stratis.js");

/** An emulated guest takes its time for what a key costs; in milliseconds. */
const PATIENT = { ...process.env, STRATIS_DBUS_TIMEOUT: "600000" };

/**
 * A run of the command line within this process, because the start of a process takes seconds in an emulated guest.
 * That the program itself works is what life-cycle.test.ts looks at.
 */
export async function stratisCommand(...args: string[]): Promise<Outcome> {
  const outcome = { status: 0, stdout: "", stderr: "" };
  const print = (name: "stdout" | "stderr"): { write: (text: string) => void } => ({
    write: (text) => {
      outcome[name] += text;
    },
  });
  outcome.status = await main(args, { stdout: print("stdout"), stderr: print("stderr"), env: PATIENT });
  return outcome;
}

/** The command line; its standard output. */
export async function stratis(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await stratisCommand(...args);
  assert.equal(status, 0, `stratis ${args.join(" ")} ended with ${status ?? "a signal"}: ${stdout}${stderr}`);
  return stdout;
}

/** The command line, which is expected to fail; what it said on standard error. */
export async function stratisFails(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await stratisCommand(...args);
  assert.equal(status, 1, `stratis ${args.join(" ")}: ${stdout}${stderr}`);
  return stderr;
}

const WAIT_MILLISECONDS = 90_000;
const LOOK_MILLISECONDS = 300;

/** Waits for what comes by itself. */
export async function until(
  what: string | (() => string),
  reached: () => Promise<boolean>,
  milliseconds = WAIT_MILLISECONDS,
): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await reached())) {
    if (Date.now() >= end)
      assert.fail(`${typeof what === "string" ? what : what()}: not within ${milliseconds} ms`);
    await sleep(LOOK_MILLISECONDS);
  }
}

/** Names of all Stratis devices of device-mapper, sorted. */
export async function dmDevices(): Promise<string[]> {
  const { stdout } = await mustRun("dmsetup", ["ls"]);
  return stdout
    .split("\n")
    .map((line) => line.split(/\s/)[0] ?? "")
    .filter((name) => name.startsWith("stratis-1-"))
    .sort();
}

/** Sectors of the live devices whose names match. */
export async function dmLength(name: RegExp): Promise<bigint> {
  const { stdout } = await mustRun("dmsetup", ["table"]);
  let total = 0n;
  for (const line of stdout.split("\n")) {
    const [device = "", , length = "0"] = line.split(" ");
    if (name.test(device)) total += BigInt(length);
  }
  return total;
}

export async function mountPoint(name: string): Promise<string> {
  const folder = path.join(MOUNTS, name);
  await mkdir(folder, { recursive: true });
  return folder;
}

export async function unmountAll(): Promise<void> {
  const mounts = (await readFile("/proc/self/mountinfo", "utf8"))
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((at) => at.startsWith(MOUNTS));
  for (const at of mounts.reverse()) await mustRun("umount", [at]);
}

export function sha256(file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    const stream = createReadStream(file);
    stream.on("data", (chunk) => hash.update(chunk));
    stream.on("error", reject);
    // Not at its end, when the file is still open, which keeps it from being unmounted.
    stream.on("close", () => {
      if (!stream.errored) resolve(hash.digest("hex"));
    });
  });
}

const START_BYTES = 12 * 1024 * 1024;

/** The start of a device as it is on disk, where Stratis has its header and metadata, and others theirs. */
export async function startOf(device: string): Promise<Buffer> {
  await mustRun("blockdev", ["--flushbufs", device]);
  const file = await open(device);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(START_BYTES), 0, START_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** What of a LUKS2 header cases look at. */
export interface LuksHeader {
  tokens: Record<string, { type: string; keyslots: string[]; key_description?: string; pool_name?: string }>;
  keyslots: Record<string, object>;
  segments: Record<string, { offset: string; size: string }>;
  config: { json_size: string; keyslots_size: string };
}

export async function luksHeader(device: string): Promise<LuksHeader> {
  const { stdout } = await mustRun("cryptsetup", ["luksDump", "--dump-json-metadata", device]);
  return JSON.parse(stdout) as LuksHeader;
}

/** Nobody recognises anything on the device, and nothing of a LUKS header is left where one could have been. */
export async function requireBlank(device: string): Promise<void> {
  assert.equal((await run("blkid", ["-p", device])).stdout, "", device);
  const count = `dd if=${device} bs=1M count=24 status=none | grep -c LUKS || true`;
  assert.equal((await mustRun("sh", ["-c", count])).stdout.trim(), "0", `${device}: no LUKS header`);
}

let client: Promise<SystemBus> | undefined;

/** A connection to the system bus, one for all calls of a file of cases. closeBus() must end it. */
function bus(): Promise<SystemBus> {
  client ??= SystemBus.open();
  return client;
}

export interface Reply {
  /** 0: done */
  code: number;
  message: string;
  result: unknown;
}

/** A method of the Stratis API, whose reply ends in a return code and a text. */
export async function callStratis(
  object: string,
  iface: string,
  member: string,
  signature: string,
  body: unknown[],
): Promise<Reply> {
  const reply = await (await bus()).call(object, iface, member, signature, body);
  const [code, message] = reply.slice(-2) as [number, string];
  return { code, message, result: reply[0] };
}

/** Throws what the daemon answers when it refuses. `signature`: of the value. */
export async function setProperty(
  object: string,
  iface: string,
  name: string,
  signature: string,
  value: unknown,
): Promise<void> {
  const body = [iface, name, new Variant<unknown>(signature, value)];
  await (await bus()).call(object, "org.freedesktop.DBus.Properties", "Set", "ssv", body);
}

/** `keys`: descriptions of those that it is encrypted with. */
export function createPoolByBus(name: string, devices: string[], keys: string[] = []): Promise<Reply> {
  return callStratis(
    STRATIS_TOP,
    "org.storage.stratis3.Manager.r9",
    "CreatePool",
    "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)",
    [name, devices, keys.map((key) => [[false, 0], key]), [], [false, 0n], [false, ""], [false, false]],
  );
}

/**
 * Much faster than the command line is in a guest; of the revision before those that want a descriptor. `unlock`: by any
 * method that the pool has.
 */
export function startPoolByBus(
  id: { name: string } | { uuid: string },
  { unlock = false } = {},
): Promise<Reply> {
  const [idType, text] = Object.entries(id)[0] as [string, string];
  const body = [text, idType, [unlock, "any"]];
  return callStratis(STRATIS_TOP, "org.storage.stratis3.Manager.r7", "StartPool", "ss(bs)", body);
}

export const stopPoolByBus = (name: string): Promise<Reply> =>
  callStratis(STRATIS_TOP, "org.storage.stratis3.Manager.r9", "StopPool", "ss", [name, "name"]);

/** What a call that must succeed answered. */
export async function succeeded(reply: Promise<Reply>): Promise<Reply> {
  const { code, message } = await reply;
  assert.equal(code, 0, message);
  return reply;
}

/** A property of the daemon itself: "StoppedPools" of "r9". */
export const managerProperty = async (revision: string, name: string): Promise<unknown> =>
  (await bus()).get(STRATIS_TOP, `org.storage.stratis3.Manager.${revision}`, name);

export const managedObjects = async (): Promise<ManagedObjects> => (await bus()).managedObjects();

export interface FoundObject {
  path: string;
  properties: Record<string, unknown>;
}

/** Those that have the interface, with its properties. */
export const objectsOf = (objects: ManagedObjects, iface: string): FoundObject[] =>
  Object.entries(objects).flatMap(([at, interfaces]) => {
    const properties = interfaces[iface];
    return properties === undefined ? [] : [{ path: at, properties }];
  });

/** The pool with that name. */
export async function poolObject(name: string): Promise<FoundObject> {
  const pools = objectsOf(await managedObjects(), "org.storage.stratis3.pool.r9");
  const found = pools.find(({ properties }) => properties["Name"] === name);
  if (found === undefined) throw new Error(`There is no pool ${name}`);
  return found;
}

export const poolProperties = async (name: string): Promise<Record<string, unknown>> =>
  (await poolObject(name)).properties;

/** Closes the connection, so that the process can end. */
export async function closeBus(): Promise<void> {
  const open = await client;
  client = undefined;
  await open?.close();
}
