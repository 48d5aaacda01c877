/** What the cases of Clevis share: one pool that is bound to something, and its bindings. */
import assert from "node:assert/strict";
import { Tang } from "../guest/clevis";
import {
  callStratis,
  dmDevices,
  managedObjects,
  mountPoint,
  mustRun,
  sha256,
  stratis,
  unmountAll,
} from "../cases/support";

export const POOL = "sealed";
export const KEY_FILE = "/run/case-key";
/** One program of Clevis may take three minutes; the rest of an operation some more. */
const BOUNDED_MILLISECONDS = 300_000;
export const tang = new Tang("/run/case-tang", 8099);
let hash = "";

interface PoolObject {
  path: string;
  properties: Record<string, unknown>;
}
async function pool(): Promise<PoolObject> {
  for (const [path, interfaces] of Object.entries(await managedObjects())) {
    const properties = interfaces["org.storage.stratis3.pool.r9"];
    if (properties?.["Name"] === POOL) return { path, properties };
  }
  throw new Error(`There is no pool ${POOL}`);
}

type Bindings = [slot: number, binding: [pin: string, config: string]][];
export const clevisInfos = async (): Promise<Bindings> => {
  const found = (await pool()).properties["ClevisInfos"] as Bindings;
  return [...found].sort(([a], [b]) => a - b);
};
export const keyDescriptions = async (): Promise<unknown> => (await pool()).properties["KeyDescriptions"];

export async function bindClevis(pin: string, config: object): Promise<string | null> {
  const { path } = await pool();
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

interface Header {
  tokens: Record<string, { type: string; keyslots: string[] }>;
  keyslots: Record<string, object>;
}
export async function header(): Promise<Header> {
  const { stdout } = await mustRun("cryptsetup", ["luksDump", "--dump-json-metadata", await container()]);
  return JSON.parse(stdout) as Header;
}

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

const written = async (): Promise<string> => `${await mountPoint("home")}/written`;
export async function mountAndCompare(): Promise<void> {
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, await mountPoint("home")]);
  assert.equal(await sha256(await written()), hash);
}
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
  const at = await mountPoint("home");
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
  await mustRun("dd", [
    "if=/dev/urandom",
    `of=${at}/written`,
    "bs=1M",
    "count=5",
    "conv=fsync",
    "status=none",
  ]);
  hash = await sha256(await written());
}
