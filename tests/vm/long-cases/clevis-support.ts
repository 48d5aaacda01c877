/** What the cases of Clevis share: one pool that is bound to something, and its bindings. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { Tang } from "../guest/clevis";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  callStratis,
  closeBus,
  dmDevices,
  luksHeader,
  poolObject,
  poolProperties,
  stratis,
  stratisCommand,
  unmountAll,
  type LuksHeader,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

export const POOL = "sealed";
const KEY_FILE = "/run/case-key";
/** One program of Clevis may take three minutes; the rest of an operation some more. */
const BOUNDED_MILLISECONDS = 300_000;
export const tang = new Tang("/run/case-tang", 8099);
const kept = new KeptFile(POOL, "home");

/** A blank disk d0, a key "k" that is set, a tang server with keys, and a daemon. */
export async function prepare(): Promise<void> {
  await wipeDisk(await disk("d0"));
  await writeFile(KEY_FILE, "a key of the keyring");
  await tang.makeKeys();
  await startDaemon();
  await stratis("key", "set", "--keyfile-path", KEY_FILE, "k");
}

export async function cleanUp(): Promise<void> {
  await unmountAll();
  await stratisCommand("key", "unset", "k");
  await closeBus();
  await stopDaemon();
  tang.stop();
}

type Bindings = [slot: number, binding: [pin: string, config: string]][];
export const clevisInfos = async (): Promise<Bindings> => {
  const found = (await poolProperties(POOL))["ClevisInfos"] as Bindings;
  return [...found].sort(([a], [b]) => a - b);
};
export const keyDescriptions = async (): Promise<unknown> => (await poolProperties(POOL))["KeyDescriptions"];

export async function bindClevis(pin: string, config: object): Promise<string | null> {
  const { path } = await poolObject(POOL);
  const { code, message } = await callStratis(path, "org.storage.stratis3.pool.r9", "BindClevis", "ss(bu)", [
    pin,
    JSON.stringify(config),
    [false, 0],
  ]);
  return code === 0 ? null : message;
}

/** What has the LUKS2 header. */
export async function container(): Promise<string> {
  const name = (await dmDevices()).find((device) => device.endsWith("-physical-cache"));
  assert.ok(name !== undefined);
  return `/dev/mapper/${name}`;
}

export const header = async (): Promise<LuksHeader> => await luksHeader(await container());

/** The work, which must be done, or refused, in bounded time. */
export async function bounded<T>(work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const result = await work();
  const took = Date.now() - started;
  assert.ok(took < BOUNDED_MILLISECONDS, `it took ${took} ms`);
  return result;
}

export async function refused(work: () => Promise<string | null>, why: RegExp): Promise<void> {
  const before = await header();
  assert.match((await bounded(work)) ?? "", why);
  assert.deepEqual(await header(), before, "the header is as before");
}

export const mountAndCompare = (): Promise<void> => kept.mountAndCompare();
export const startAny = (): Promise<string> =>
  stratis("pool", "start", "--name", POOL, "--unlock-method", "any");
export async function stop(): Promise<void> {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
}

/** A filesystem with a file, which mountAndCompare() finds again. */
export async function makeFilesystem(): Promise<void> {
  await stratis("filesystem", "create", POOL, "home", "--size", "1GiB");
  await kept.write(5);
}
