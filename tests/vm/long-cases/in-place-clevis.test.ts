/**
 * Encryption, re-encryption and decryption in place of a pool that only a tang server opens, with a cache below, while the
 * daemon is stopped in order and started again, from the snapshot of itself.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { KeptFile } from "../cases/kept-file";
import {
  closeBus,
  createPoolByBus,
  dmDevices,
  mustRun,
  poolProperties,
  run,
  stratis,
  stratisFails,
  succeeded,
  unmountAll,
  until,
} from "../cases/support";
import { Tang } from "../guest/clevis";
import { daemonPid, SNAPSHOT, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import { begin, container, digestsOf, isWorking, LIMIT_MILLISECONDS, reached } from "./in-place-support";

const POOL = "networked";
const DEVICE = "case-in-place";
const SECTORS = 1.25 * 2 * 1024 * 1024;
const CRYPT_HEADER_BYTES = 34816 * 512;
const TEST_OPTIONS = { timeout: 2 * LIMIT_MILLISECONDS };
const tang = new Tang("/run/case-tang", 8099);
const kept = new KeptFile(POOL, "home");

before(async () => {
  for (const serial of ["d0", "d1"]) await wipeDisk(await disk(serial));
  await mustRun("dmsetup", ["create", DEVICE, "--table", `0 ${SECTORS} linear ${await disk("d0")} 0`]);
  await udevSettled();
  await tang.makeKeys();
  await tang.start();
  await startDaemon();
  await succeeded(createPoolByBus(POOL, [`/dev/mapper/${DEVICE}`]));
  await stratis("pool", "init-cache", POOL, await disk("d1"));
  await stratis("filesystem", "create", POOL, "home", "--size", "600MiB");
  await kept.write(20);
  await reached("a snapshot of the daemon", () => Promise.resolve(existsSync(SNAPSHOT)));
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
  tang.stop();
});

/** The daemon ends in order in the middle of the work, and another one goes on. */
async function restartAtWork(): Promise<void> {
  await reached("work in place", isWorking);
  await stopDaemon();
  await startDaemon();
  assert.match(await readFile(`/proc/${await daemonPid()}/cmdline`, "utf8"), /\0--snapshot-blob=/);
}

/** Nothing is under way any more, and the file is what it was. */
async function settled(): Promise<void> {
  await reached("the end of the work", async () => !(await isWorking()));
  await kept.compare();
}

async function startsByTangAlone(): Promise<void> {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
  const start = ["pool", "start", "--name", POOL, "--unlock-method", "any"];
  tang.stop();
  assert.match(await stratisFails(...start), /Clevis pin tang/);
  await tang.start();
  await stratis(...start);
  await kept.mountAndCompare();
}

test("encrypted by a tang server alone", TEST_OPTIONS, async () => {
  const config = JSON.stringify({ url: tang.url, "stratis:tang:trust_url": true });
  await begin(POOL, "EncryptPool", "a((bu)s)a((bu)ss)", [[], [[[false, 0], "tang", config]]]);
  await restartAtWork();
  await reached("encryption", async () => (await poolProperties(POOL))["Encrypted"] === true);
  await settled();
  const { KeyDescriptions, ClevisInfos } = await poolProperties(POOL);
  assert.deepEqual(KeyDescriptions, []);
  const bound = JSON.stringify({ thp: await tang.thumbprint(), url: tang.url });
  assert.deepEqual(ClevisInfos, [[0, ["tang", bound]]]);
  await startsByTangAlone();
});

test("re-encrypted: another volume key, the same binding", TEST_OPTIONS, async () => {
  const before = await digestsOf(await container());
  await begin(POOL, "ReencryptPool");
  await restartAtWork();
  await reached("re-encryption", async () => {
    const [known] = (await poolProperties(POOL))["LastReencryptedTimestamp"] as [boolean, string];
    return known;
  });
  await settled();
  assert.notEqual(await digestsOf(await container()), before);
  await startsByTangAlone();
});

test("decrypted: nothing of the header is left", TEST_OPTIONS, async () => {
  await begin(POOL, "DecryptPool");
  await restartAtWork();
  await reached("decryption", async () => (await poolProperties(POOL))["Encrypted"] === false);
  await settled();
  // The pool is not encrypted any more a moment before.
  const compare = ["-n", String(CRYPT_HEADER_BYTES), await container(), "/dev/zero"];
  await until("the header is wiped", async () => (await run("cmp", compare)).status === 0);
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
  await kept.mountAndCompare();
});
