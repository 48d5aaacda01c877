/**
 * A pool that is encrypted, re-encrypted and decrypted in place, under filesystems that are written meanwhile, with
 * kill -9 in the middle of each: the next daemon goes on, and nothing that was written is lost.
 *
 * STRATIS_CRASH_KILLS: how often the daemon is killed in each operation, if that lasts; default 2.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  closeBus,
  createPoolByBus,
  dmDevices,
  managedObjects,
  mountPoint,
  mustRun,
  poolProperties,
  run,
  sha256,
  stratis,
  stratisCommand,
  stratisFails,
  succeeded,
  unmountAll,
  until,
  type Reply,
} from "../cases/support";
import { Churn } from "../guest/churn";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import {
  begin,
  container,
  digestsOf,
  isWorking,
  killAtWork,
  LIMIT_MILLISECONDS,
  reached,
} from "./in-place-support";

const POOL = "inplace";
const DEVICE = "case-in-place";
const KILLS = Number(process.env["STRATIS_CRASH_KILLS"] ?? 2);
const SECTORS_PER_GIB = 2 * 1024 * 1024;
const OPERATION_INTERFACE = "org.storage.stratis3.operation";
const TEST_OPTIONS = { timeout: 2 * LIMIT_MILLISECONDS };
let hash = "";
let churn: Churn;
let sectorsOfDevice = 1.5 * SECTORS_PER_GIB;

const tableOfDevice = async (): Promise<string> => `0 ${sectorsOfDevice} linear ${await disk("d0")} 0`;

before(async () => {
  await wipeDisk(await disk("d0"));
  await writeFile("/run/case-key", "a key in place");
  await mustRun("dmsetup", ["create", DEVICE, "--table", await tableOfDevice()]);
  await udevSettled();
  await startDaemon();
  await stratis("key", "set", "--keyfile-path", "/run/case-key", "one");
  await stratis("key", "set", "--keyfile-path", "/run/case-key", "two");
  await succeeded(createPoolByBus(POOL, [`/dev/mapper/${DEVICE}`]));
  await stratis("filesystem", "create", POOL, "home", "--size", "1GiB");
  const at = await mountPoint("home");
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
  await mustRun("dd", [
    "if=/dev/urandom",
    `of=${at}/still`,
    "bs=1M",
    "count=40",
    "conv=fsync",
    "status=none",
  ]);
  hash = await sha256(`${at}/still`);
  churn = new Churn(at);
});
after(async () => {
  await churn.stop();
  await unmountAll();
  for (const name of ["one", "two"]) await stratisCommand("key", "unset", name);
  await closeBus();
  await stopDaemon();
});

type Properties = Record<string, unknown>;

/** The object that tells of progress. */
async function operation(): Promise<Properties | undefined> {
  const objects = Object.values(await managedObjects());
  return objects.map((interfaces) => interfaces[OPERATION_INTERFACE]).find((found) => found !== undefined);
}
const poolProperty = async (name: string): Promise<unknown> => (await poolProperties(POOL))[name];

const crypt = async (): Promise<string | undefined> =>
  (await dmDevices()).find((name) => name.endsWith("-crypt"));
const tableOf = async (name: string): Promise<string> => (await mustRun("dmsetup", ["table", name])).stdout;
async function answer(member: string, signature = "", body: unknown[] = []): Promise<Reply> {
  const { reply } = await begin(POOL, member, signature, body);
  return (await reply) ?? { code: -1, message: "no answer", result: null };
}

/** Nothing is under way, nothing is left, and all that was written is there. */
async function requireSettled(devices: number): Promise<void> {
  await reached("the end of the operation's object", async () => (await operation()) === undefined);
  const live = await dmDevices();
  assert.equal(live.length, devices, live.join(" "));
  assert.doesNotMatch((await mustRun("dmsetup", ["ls"])).stdout, /temporary-cryptsetup/);
  const { stdout } = await mustRun("dmsetup", ["info", "-c", "--noheadings", "-o", "suspended,name"]);
  assert.doesNotMatch(stdout, /^Suspended.*stratis/m);
  const at = await mountPoint("home");
  await churn.stop();
  await churn.verify();
  assert.equal(await sha256(`${at}/still`), hash);
  churn = new Churn(at);
}

/** Only a daemon that has the volume key of now makes the encrypted device larger. */
async function requireGrowth(): Promise<void> {
  const lengthOf = async (device: string): Promise<bigint> =>
    BigInt((await tableOf(device)).split(" ")[1] ?? "0");
  const encrypted = (await crypt()) ?? "";
  const before = await lengthOf(encrypted);
  sectorsOfDevice += 0.125 * SECTORS_PER_GIB;
  await mustRun("dmsetup", ["reload", DEVICE, "--table", await tableOfDevice()]);
  await mustRun("dmsetup", ["resume", DEVICE]);
  await stratis("pool", "extend-data", POOL);
  await until("the encrypted device grows", async () => (await lengthOf(encrypted)) > before);
  assert.equal(await lengthOf(encrypted), (await lengthOf(await container())) - 34816n);
}

const PLAIN_DEVICES = 7;
const ENCRYPTED_DEVICES = 8;

test("a key that is not set, and no unlock method at all, are refused, and nothing is changed", async () => {
  const refused = async (keys: unknown[]): Promise<string> => {
    const { code, message } = await answer("EncryptPool", "a((bu)s)a((bu)ss)", [keys, []]);
    assert.equal(code, 1);
    return message;
  };
  assert.match(await refused([]), /No unlock methods provided/);
  assert.match(await refused([[[false, 0], "missing"]]), /missing not found/);
  await requireSettled(PLAIN_DEVICES);
});

test("encrypted, killed meanwhile, and taken up by the next daemon", TEST_OPTIONS, async () => {
  const keys = [
    [[false, 0], "one"],
    [[true, 5], "two"],
  ];
  const { reply } = await begin(POOL, "EncryptPool", "a((bu)s)a((bu)ss)", [keys, []]);
  const isEncrypted = async (): Promise<boolean> => (await poolProperty("Encrypted")) === true;
  await killAtWork(POOL, KILLS, isEncrypted);
  if (KILLS === 0) assert.equal((await reply)?.code, 0);
  await reached("encryption", isEncrypted);
  await requireSettled(ENCRYPTED_DEVICES);
  const { KeyDescriptions, VolumeKeyLoaded, FreeTokenSlots } = await poolProperties(POOL);
  assert.deepEqual(
    [KeyDescriptions, VolumeKeyLoaded, FreeTokenSlots],
    [
      [
        [0, "one"],
        [5, "two"],
      ],
      true,
      [true, 13],
    ],
  );
  assert.match(await tableOf((await crypt()) ?? ""), /^0 \d+ crypt aes-xts-plain64 :64:\S+ 0 \d+:\d+ 34816/);
  const { stdout } = await mustRun("cryptsetup", ["luksDump", await container()]);
  assert.doesNotMatch(stdout, /online-reencrypt/);
});

test("encrypted already, there is nothing to do", async () => {
  const keys = [[[false, 0], "one"]];
  const { code, result } = await answer("EncryptPool", "a((bu)s)a((bu)ss)", [keys, []]);
  assert.deepEqual([code, result], [0, false]);
});

test("re-encrypted, killed meanwhile: another key, the same unlock methods", TEST_OPTIONS, async () => {
  const before = await digestsOf(await container());
  assert.deepEqual(await poolProperty("LastReencryptedTimestamp"), [false, ""]);
  await begin(POOL, "ReencryptPool");
  const isReencrypted = async (): Promise<boolean> => {
    const [known] = (await poolProperty("LastReencryptedTimestamp")) as [boolean, string];
    return known;
  };
  await killAtWork(POOL, KILLS, isReencrypted);
  await reached("re-encryption", isReencrypted);
  await requireSettled(ENCRYPTED_DEVICES);
  assert.notEqual(await digestsOf(await container()), before);
  const { KeyDescriptions, VolumeKeyLoaded } = await poolProperties(POOL);
  assert.deepEqual(
    [KeyDescriptions, VolumeKeyLoaded],
    [
      [
        [0, "one"],
        [5, "two"],
      ],
      true,
    ],
  );
  const { stdout } = await mustRun("cryptsetup", ["luksDump", await container()]);
  assert.doesNotMatch(stdout, /online-reencrypt|stratis-reencryption|unbound/);
});

test("stopped and started with either key", TEST_OPTIONS, async () => {
  await churn.stop();
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await stratis("key", "unset", "one");
  await stratis("pool", "start", "--name", POOL, "--token-slot", "5");
  await stratis("key", "set", "--keyfile-path", "/run/case-key", "one");
  const at = await mountPoint("home");
  await mustRun("mount", [`/dev/stratis/${POOL}/home`, at]);
  await churn.verify();
  churn = new Churn(at);
});

test(
  "a worker that is killed: the daemon finishes its piece, and says that the rest is not done",
  TEST_OPTIONS,
  async () => {
    const { reply } = await begin(POOL, "ReencryptPool");
    await reached("work in place", isWorking);
    await sleep(2000);
    await mustRun("pkill", ["-KILL", "-f", "stratisd-worker.js"]);
    const answered = await reply;
    assert.equal(answered?.code, 1);
    assert.match(answered.message, /ended before it was done/);
    assert.equal(await isWorking(), false);
    const written = churn.rounds;
    await reached("writing", () => Promise.resolve(churn.rounds > written + 2));
    const { code, message } = await answer("ReencryptPool");
    assert.equal(code, 0, message);
    await requireSettled(ENCRYPTED_DEVICES);
  },
);

test("decrypted, killed meanwhile: nothing of the header is left", TEST_OPTIONS, async () => {
  await begin(POOL, "DecryptPool");
  const isDecrypted = async (): Promise<boolean> => (await poolProperty("Encrypted")) === false;
  await killAtWork(POOL, KILLS, isDecrypted);
  await reached("decryption", isDecrypted);
  await requireSettled(PLAIN_DEVICES);
  assert.equal(await crypt(), undefined);
  const { KeyDescriptions, LastReencryptedTimestamp } = await poolProperties(POOL);
  assert.deepEqual([KeyDescriptions, LastReencryptedTimestamp], ["Unencrypted", [false, ""]]);
  const zeros = await run("cmp", ["-n", String(34816 * 512), await container(), "/dev/zero"]);
  assert.equal(zeros.status, 0, zeros.stdout + zeros.stderr);
  const { code, result } = await answer("DecryptPool");
  assert.deepEqual([code, result], [0, false]);
});

test("by the command line, with other operations meanwhile", TEST_OPTIONS, async () => {
  await stratis("pool", "encryption", "on", "--in-place", "--key-desc", "one", "--name", POOL);
  await reached("work in place", isWorking);
  let progress: Properties = {};
  // The object is there before the first word of whoever works on the data.
  await reached("progress on the bus", async () => {
    progress = (await operation()) ?? {};
    return "TotalBytes" in progress && BigInt(String(progress["TotalBytes"])) > 0n;
  });
  const { Kind, TotalBytes } = progress;
  assert.equal(Kind, "encrypt");
  assert.ok(BigInt(String(TotalBytes)) > 0n);
  assert.match(await stratisFails("pool", "bind", "keyring", POOL, "two"), /not encrypted|encryption/i);
  await stratis("filesystem", "create", POOL, "other", "--size", "512MiB");
  await stratis("filesystem", "snapshot", POOL, "home", "copy");
  await reached("encryption", async () => (await poolProperty("Encrypted")) === true);
  await stratis("filesystem", "destroy", POOL, "other", "copy");
  await requireSettled(ENCRYPTED_DEVICES);
  assert.match(
    await stratisFails("pool", "encryption", "on", "--in-place", "--key-desc", "one", "--name", POOL),
    /./,
  );
  await requireGrowth();
  await stratis("pool", "encryption", "reencrypt", "--in-place", "--wait", "--name", POOL);
  await requireGrowth();
  await stratis("pool", "encryption", "off", "--in-place", "--wait", "--name", POOL);
  await requireSettled(PLAIN_DEVICES);
});
