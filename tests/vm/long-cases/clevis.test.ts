/**
 * Pools that Clevis opens: bound to a tang server, to a TPM, to shares of several; and what comes of servers that are
 * away, hang, lie or have other keys, and of a TPM that is not there.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { hangingServer, lyingServer, startTpm, Tang } from "../guest/clevis";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  callStratis,
  closeBus,
  dmDevices,
  managedObjects,
  mountPoint,
  mustRun,
  run,
  sha256,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
} from "../cases/support";

const POOL = "sealed";
const KEY_FILE = "/run/case-key";
/** One program of Clevis may take a minute; what is done by several, and the rest of a start, some more. */
const BOUNDED_MILLISECONDS = 240_000;
const tang = new Tang("/run/case-tang", 8099);
let hash = "";
let endTpm: () => void = () => undefined;

before(async () => {
  for (const serial of ["d0", "d1"]) await wipeDisk(await disk(serial));
  await writeFile(KEY_FILE, "a key of the keyring");
  await tang.makeKeys();
  await startDaemon();
  await stratis("key", "set", "--keyfile-path", KEY_FILE, "k");
});
after(async () => {
  await unmountAll();
  await stratisCommand("key", "unset", "k");
  await closeBus();
  await stopDaemon();
  tang.stop();
  endTpm();
});

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
const clevisInfos = async (): Promise<Bindings> => {
  const found = (await pool()).properties["ClevisInfos"] as Bindings;
  return [...found].sort(([a], [b]) => a - b);
};
const keyDescriptions = async (): Promise<unknown> => (await pool()).properties["KeyDescriptions"];

async function bindClevis(pin: string, config: object): Promise<string | null> {
  const { path } = await pool();
  const { code, message } = await callStratis(path, "org.storage.stratis3.pool.r9", "BindClevis", "ss(bu)", [
    pin,
    JSON.stringify(config),
    [false, 0],
  ]);
  return code === 0 ? null : message;
}

/** What has the LUKS2 header. */
async function container(): Promise<string> {
  const name = (await dmDevices()).find((device) => device.endsWith("-physical-cache"));
  assert.ok(name !== undefined);
  return `/dev/mapper/${name}`;
}

interface Header {
  tokens: Record<string, { type: string; keyslots: string[] }>;
  keyslots: Record<string, object>;
}
async function header(): Promise<Header> {
  const { stdout } = await mustRun("cryptsetup", ["luksDump", "--dump-json-metadata", await container()]);
  return JSON.parse(stdout) as Header;
}

/** The work, which must be done, or refused, in bounded time. */
async function bounded<T>(work: () => Promise<T>): Promise<T> {
  const started = Date.now();
  const result = await work();
  const took = Date.now() - started;
  assert.ok(took < BOUNDED_MILLISECONDS, `it took ${took} ms`);
  return result;
}

async function refused(work: () => Promise<string | null>, why: RegExp): Promise<void> {
  const before = await header();
  assert.match((await bounded(work)) ?? "", why);
  assert.deepEqual(await header(), before, "the header is as before");
}

const written = async (): Promise<string> => `${await mountPoint("home")}/written`;
async function mountAndCompare(): Promise<void> {
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, await mountPoint("home")]);
  assert.equal(await sha256(await written()), hash);
}
const startAny = (): Promise<string> => stratis("pool", "start", "--name", POOL, "--unlock-method", "any");
async function stop(): Promise<void> {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
}

test("without a server, and with the wrong thumbprint, no pool is made, and the disk is free", async () => {
  const device = await disk("d0");
  const create = (...options: string[]): Promise<string> =>
    bounded(() => stratisFails("pool", "create", "--clevis", "tang", ...options, POOL, device));
  assert.match(await create("--tang-url", tang.url, "--trust-url"), /clevis luks bind.*adv/s);
  await tang.start();
  assert.match(await create("--tang-url", tang.url, "--thumbprint", "wrong"), /clevis luks bind/);
  assert.deepEqual(await dmDevices(), []);
  assert.equal((await run("blkid", ["-p", device])).stdout, "");
});

test("a pool is made with a server that is trusted, and has nothing but that binding", async () => {
  const device = await disk("d0");
  await stratis("pool", "create", "--clevis", "tang", "--tang-url", tang.url, "--trust-url", POOL, device);
  const config = JSON.stringify({ thp: await tang.thumbprint(), url: tang.url });
  assert.deepEqual(await clevisInfos(), [[0, ["tang", config]]]);
  assert.deepEqual(await keyDescriptions(), []);
  const { tokens, keyslots } = await header();
  assert.deepEqual(Object.keys(keyslots), tokens["0"]?.keyslots, "the key that authorised it is gone");
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
});

test("Clevis's own tools know the binding, and its passphrase opens the header", async () => {
  const device = await container();
  assert.match((await mustRun("clevis", ["luks", "list", "-d", device])).stdout, /^\d+: tang/);
  const slot = (await header()).tokens["0"]?.keyslots[0] ?? "";
  const pass = `clevis luks pass -d ${device} -s ${slot}`;
  await mustRun("sh", ["-c", `${pass} | cryptsetup open --test-passphrase --key-file - ${device}`]);
});

test("stopped, it starts while the server is there, and only then", async () => {
  await stop();
  tang.stop();
  const why = await bounded(() => stratisFails("pool", "start", "--name", POOL, "--unlock-method", "any"));
  assert.match(why, /token slot 0 \(Clevis pin tang\).*Failed to retrieve Clevis passphrase/);
  assert.deepEqual(await dmDevices(), []);
  await tang.start();
  await startAny();
  await mountAndCompare();
});

test("bindings are added, made anew and removed, by slot and without", async () => {
  await stratis("pool", "bind", "keyring", POOL, "k");
  assert.deepEqual(await keyDescriptions(), [[1, "k"]]);
  const thumbprint = await tang.thumbprint();
  await stratis("pool", "bind", "tang", POOL, tang.url, "--thumbprint", thumbprint);
  assert.deepEqual(
    (await clevisInfos()).map(([slot]) => slot),
    [0, 2],
  );
  const before = await header();
  await stratis("pool", "rebind", "clevis", POOL, "--token-slot", "2");
  const later = await header();
  assert.notDeepEqual(later.tokens["2"], before.tokens["2"]);
  assert.deepEqual(later.tokens["0"], before.tokens["0"]);
  await stratis("pool", "unbind", "clevis", POOL, "--token-slot", "0");
  assert.deepEqual(
    (await clevisInfos()).map(([slot]) => slot),
    [2],
  );
  assert.equal(Object.keys((await header()).keyslots).length, 2, "no keyslot is left over");
});

test("a server that hangs, or says what makes no sense, is an error in bounded time, and changes nothing", async () => {
  const silent = await hangingServer();
  const trusted = { "stratis:tang:trust_url": true };
  await refused(() => bindClevis("tang", { url: silent.url, ...trusted }), /did not end|ETIMEDOUT|killed/);
  silent.close();
  const { stdout } = await run("pgrep", ["-x", "curl"]);
  assert.equal(stdout, "", "nothing of it goes on");
  await refused(() => bindClevis("tang", { url: "http://127.0.0.1:1", ...trusted }), /clevis luks bind/);
  await refused(() => bindClevis("tang", { url: tang.url }), /thumbprint or advertisement/);
});

test("a server that lies when the pool is to be opened is told, and the key still opens it", async () => {
  const lie = '{"kty":"EC","crv":"P-521","alg":"ECMR","x":"AA","y":"AA"}';
  const liar = await lyingServer(tang, lie);
  assert.equal(await bindClevis("tang", { url: liar.url, "stratis:tang:trust_url": true }), null);
  const slot = (await clevisInfos()).find(([, [, config]]) => config.includes(liar.url))?.[0] ?? -1;
  await stop();
  const by = (which: number): string[] => ["pool", "start", "--name", POOL, "--token-slot", String(which)];
  assert.match(await bounded(() => stratisFails(...by(slot))), /Failed to retrieve Clevis passphrase/);
  assert.deepEqual(await dmDevices(), []);
  await stratis(...by(1));
  await mountAndCompare();
  await stratis("pool", "unbind", "clevis", POOL, "--token-slot", String(slot));
  liar.close();
});

test("a server with other keys opens nothing; a new binding replaces the old one", async () => {
  tang.stop();
  await tang.makeKeys();
  await tang.start();
  // To bind anew takes what the old binding keeps.
  await refused(
    async () => (await stratisCommand("pool", "rebind", "clevis", POOL, "--token-slot", "2")).stderr,
    /clevis luks regen/,
  );
  await stop();
  const why = await bounded(() => stratisFails("pool", "start", "--name", POOL, "--token-slot", "2"));
  assert.match(why, /Failed to retrieve Clevis passphrase/);
  await startAny();
  await mountAndCompare();
  await stratis("pool", "unbind", "clevis", POOL, "--token-slot", "2");
  await stratis("pool", "bind", "tang", POOL, tang.url, "--trust-url");
  assert.equal((await clevisInfos()).length, 1);
});

test("without a TPM none can be bound; with one, it opens the pool alone", async () => {
  await refused(() => bindClevis("tpm2", {}), /TPM2/);
  endTpm = await startTpm("/run/case-tpm");
  await stratis("pool", "bind", "tpm2", POOL);
  await stratis("pool", "unbind", "keyring", POOL);
  for (const [slot, [pin]] of await clevisInfos())
    if (pin === "tang") await stratis("pool", "unbind", "clevis", POOL, "--token-slot", String(slot));
  assert.deepEqual(
    (await clevisInfos()).map(([, binding]) => binding),
    [["tpm2", "{}"]],
  );
  await stop();
  await startAny();
  await mountAndCompare();
});

test("shares of a server and a TPM, also nested, open it when enough of them are there", async () => {
  const thp = await tang.thumbprint();
  const nested = {
    t: 2,
    pins: { tpm2: {}, sss: { t: 1, pins: { tang: { url: tang.url, thp } } } },
  };
  assert.equal(await bindClevis("sss", nested), null);
  const [slot, [pin, config]] = (await clevisInfos()).find(([, [name]]) => name === "sss") ?? [-1, ["", ""]];
  assert.equal(pin, "sss");
  assert.deepEqual(JSON.parse(config), {
    t: 2,
    pins: { tpm2: [{}], sss: [{ t: 1, pins: { tang: [{ url: tang.url, thp }] } }] },
  });
  await stop();
  tang.stop();
  const by = ["pool", "start", "--name", POOL, "--token-slot", String(slot)];
  assert.match(await bounded(() => stratisFails(...by)), /Failed to retrieve Clevis passphrase/);
  await tang.start();
  await stratis(...by);
  await mountAndCompare();
  const bad = { t: 1, pins: { tang: { url: tang.url } } };
  await refused(() => bindClevis("sss", bad), /thumbprint or advertisement/);
});

test("nothing of a secret is in the daemon's log, and the pool is destroyed", async () => {
  const { stdout } = await mustRun("journalctl", ["-q", "--no-pager", "-o", "cat", "-u", "stratisd.service"]);
  assert.equal(stdout.includes("a key of the keyring"), false);
  await unmountAll();
  await stratis("filesystem", "destroy", POOL, "home");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
});
