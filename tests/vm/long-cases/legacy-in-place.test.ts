/**
 * Headers of an encrypted pool with metadata of version 1 that are changed when the daemon is killed: unlock methods, and
 * the volume keys, while filesystems are written. The next daemon takes back or goes on, and nothing is lost.
 *
 * STRATIS_CRASH_KILLS: how often the daemon is killed in the re-encryption, if that lasts; default 2.
 */
import assert from "node:assert/strict";
import { readdir, rm, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import {
  closeBus,
  luksHeader,
  mountPoint,
  mustRun,
  poolProperties,
  PROJECT,
  run,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
  until,
} from "../cases/support";
import { Churn } from "../guest/churn";
import { daemonLog, killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import { begin, digestsOf, isWorking, killAtWork, LIMIT_MILLISECONDS, reached } from "./in-place-support";

const POOL = "legacy";
const KILLS = Number(process.env["STRATIS_CRASH_KILLS"] ?? 2);
const TEST_OPTIONS = { timeout: 2 * LIMIT_MILLISECONDS };
const WAIT_MILLISECONDS = 120_000;
const SECTORS_PER_MIB = 2048;
const PARTS = { "case-legacy-0": 1088, "case-legacy-1": 1056 };
const DEVICES = Object.keys(PARTS).map((name) => `/dev/mapper/${name}`);
let churn: Churn;

before(async () => {
  for (const serial of ["d0", "d1"]) await wipeDisk(await disk(serial));
  for (const [index, [name, mib]] of Object.entries(PARTS).entries()) {
    const table = `0 ${mib * SECTORS_PER_MIB} linear ${await disk(`d${index}`)} 0`;
    await mustRun("dmsetup", ["create", name, "--table", table]);
  }
  await udevSettled();
  await startDaemon();
  for (const name of ["one", "two"]) {
    await writeFile(`/run/case-key-${name}`, `the key ${name}`);
    await stratis("key", "set", "--keyfile-path", `/run/case-key-${name}`, name);
  }
  const tool = `${process.execPath} ${PROJECT}/dist/bin/stratis-legacy-pool.js`;
  await mustRun("sh", ["-c", `echo Yes | ${tool} ${POOL} ${DEVICES.join(" ")} --key-desc one`]);
  await until("the daemon takes the pool over", runs, WAIT_MILLISECONDS);
  await stratis("filesystem", "create", POOL, "home", "--size", "512MiB");
  const at = await mountPoint("home");
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
  churn = new Churn(at);
});
after(async () => {
  await churn.stop();
  await unmountAll();
  for (const name of ["one", "two"]) await stratisCommand("key", "unset", name);
  await closeBus();
  await stopDaemon();
  for (const name of Object.keys(PARTS)) await run("dmsetup", ["remove", "--retry", "--deferred", name]);
});

const runs = async (): Promise<boolean> =>
  (await stratisCommand("pool", "list", "--name", POOL)).status === 0;

const keyOf = async (device: string): Promise<string> =>
  (await luksHeader(device)).tokens["1"]?.key_description ?? "";
const keys = (): Promise<string[]> => Promise.all(DEVICES.map(keyOf));
const copies = async (): Promise<string[]> =>
  (await readdir("/run/stratisd")).filter((name) => name.startsWith("headers-"));

/** All that was written is there. */
async function requireContent(): Promise<void> {
  await churn.stop();
  await churn.verify();
  churn = new Churn(await mountPoint("home"));
}

/** Killed when the first device has the new key, and the second one has not. */
async function killInRebind(): Promise<void> {
  const [first = ""] = DEVICES;
  await begin(POOL, "RebindKeyring", "s(bu)", ["two", [false, 0]]);
  await until(
    "the first device has another key",
    async () => (await keyOf(first)) === "stratis-1-key-two",
    WAIT_MILLISECONDS,
  );
  await killDaemon();
  assert.deepEqual(await keys(), ["stratis-1-key-two", "stratis-1-key-one"]);
  assert.equal((await copies()).length, 1);
}

test("a rebind that is killed between two devices is taken back", TEST_OPTIONS, async () => {
  await killInRebind();
  await startDaemon();
  assert.deepEqual(await keys(), ["stratis-1-key-one", "stratis-1-key-one"]);
  assert.deepEqual(await copies(), []);
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [true, [true, "one"]]);
  await requireContent();
});

test(
  "without copies the devices differ: the pool starts, and a rebind makes them the same",
  TEST_OPTIONS,
  async () => {
    await killInRebind();
    for (const name of await copies()) await rm(`/run/stratisd/${name}`, { recursive: true });
    await startDaemon();
    assert.match(await daemonLog(), /case-legacy-0|bound to key description "two"/);
    await churn.stop();
    await churn.verify();
    await unmountAll();
    await stratis("pool", "stop", "--name", POOL);
    // A passphrase opens one of them only.
    await stratis("pool", "start", "--name", POOL, "--keyfile-path", "/run/case-key-two");
    const { KeyDescriptions, AvailableActions } = await poolProperties(POOL);
    assert.equal((KeyDescriptions as [boolean, unknown])[0], false);
    assert.equal(AvailableActions, "fully_operational");
    await stratis("pool", "rebind", "keyring", POOL, "two");
    assert.deepEqual(await keys(), ["stratis-1-key-two", "stratis-1-key-two"]);
    assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [true, [true, "two"]]);
    const at = await mountPoint("home");
    await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
    await churn.verify();
    churn = new Churn(at);
  },
);

const digests = (): Promise<string[]> => Promise.all(DEVICES.map(digestsOf));

test("re-encrypted, killed meanwhile: other keys, the same unlock methods", TEST_OPTIONS, async () => {
  const before = await digests();
  await stratis("key", "unset", "two");
  const refused = await (await begin(POOL, "ReencryptPool")).reply;
  assert.equal(refused?.code, 1);
  assert.match(refused.message, /two not found/);
  assert.deepEqual(await digests(), before);
  await stratis("key", "set", "--keyfile-path", "/run/case-key-two", "two");
  const { reply } = await begin(POOL, "ReencryptPool");
  const isReencrypted = async (): Promise<boolean> =>
    ((await poolProperties(POOL))["LastReencryptedTimestamp"] as [boolean])[0];
  await reached("work in place", isWorking);
  assert.match(await stratisFails("pool", "rename", POOL, "other"), /re-encryption/);
  await killAtWork(POOL, KILLS, isReencrypted);
  if (KILLS === 0) assert.equal((await reply)?.code, 0);
  await reached("the end of the re-encryption", isReencrypted);
  await until("the helpers are gone", async () => !(await isWorking()), WAIT_MILLISECONDS);
  const now = await digests();
  now.forEach((digest, index) => {
    assert.notEqual(digest, before[index]);
  });
  for (const device of DEVICES) {
    const { stdout } = await mustRun("cryptsetup", ["luksDump", device]);
    assert.doesNotMatch(stdout, /online-reencrypt|stratis-reencryption|unbound/);
    const { tokens, keyslots } = await luksHeader(device);
    assert.deepEqual(Object.keys(tokens), ["0", "1"]);
    assert.deepEqual(tokens["1"]?.keyslots, Object.keys(keyslots));
  }
  assert.deepEqual(await copies(), []);
  await requireContent();
});

test("stopped and started with the key, it has all that was written", TEST_OPTIONS, async () => {
  await churn.stop();
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL, "--unlock-method", "any");
  const at = await mountPoint("home");
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
  await churn.verify();
  churn = new Churn(at);
});
