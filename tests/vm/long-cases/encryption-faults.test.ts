/**
 * What goes wrong around encryption: damaged headers, what others keep in them, keys of odd names and lengths, a keyring
 * that takes no more, a key that goes while the pool runs.
 */
import assert from "node:assert/strict";
import { open, readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  closeBus,
  dmDevices,
  luksHeader,
  mustRun,
  poolProperties,
  run,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POOL = "fragile";
const KEY = `it's "odd" \\ key, of blanks`;
const KEY_FILE = "/run/case-key";
/** The longest key that there may be, of every kind of byte. */
const SECRET = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 37) % 256));
const MAX_KEYS = "/proc/sys/kernel/keys/root_maxkeys";
/** Where of a disk the header of the pool's encryption can be. */
const SEARCHED_BYTES = 64 * 1024 * 1024;
const COPY_BYTES = 4096;
const kept = new KeptFile(POOL, "home");

before(async () => {
  await wipeDisk(await disk("d0"));
  await writeFile(KEY_FILE, SECRET);
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await stratisCommand("key", "unset", KEY);
  await closeBus();
  await stopDaemon();
});

const setKey = (): Promise<string> => stratis("key", "set", "--keyfile-path", KEY_FILE, KEY);
const startAny = (): string[] => ["pool", "start", "--name", POOL, "--unlock-method", "any"];

async function stop(): Promise<void> {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
}

async function opens(): Promise<void> {
  await stratis(...startAny());
  await kept.mountAndCompare();
  await stop();
}

/** The device that has the header, while the pool runs. */
async function container(): Promise<string> {
  const name = (await dmDevices()).find((device) => device.endsWith("-physical-cache"));
  assert.ok(name !== undefined);
  return `/dev/mapper/${name}`;
}

test("a key of 64 bytes and an odd name makes a pool; one of 65, or of none, is refused", async () => {
  await writeFile("/run/case-long", Buffer.alloc(65, 1));
  await writeFile("/run/case-empty", "");
  assert.match(await stratisFails("key", "set", "--keyfile-path", "/run/case-long", "long"), /64/);
  assert.match(
    await stratisFails("key", "set", "--keyfile-path", "/run/case-empty", "empty"),
    /empty|no bytes/i,
  );
  assert.match(await stratisFails("key", "set", "--keyfile-path", KEY_FILE, "a;b"), /a;b contains a ';'/);
  await setKey();
  assert.equal((await stratis("key", "list")).trim().split("\n").pop()?.trim(), KEY);
  await stratis("pool", "create", "--key-desc", KEY, POOL, await disk("d0"));
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [[0, KEY]]);
  await stratis("filesystem", "create", POOL, "home", "--size", "1GiB");
  await kept.write(5);
  await stop();
});

test("tokens and keyslots of others stay, and their slots are not given away", async () => {
  const foreign = { type: "somebody-else", keyslots: [], note: "kept" };
  await stratis(...startAny());
  const device = await container();
  await writeFile("/run/case-token", JSON.stringify(foreign));
  await mustRun("cryptsetup", [
    ...["token", "import", "--token-id", "1", "--json-file", "/run/case-token", device],
  ]);
  await writeFile("/run/case-other", "a passphrase of somebody else");
  await mustRun("cryptsetup", [
    ...["luksAddKey", "--batch-mode", "--key-file", KEY_FILE, "--pbkdf", "pbkdf2"],
    ...["--pbkdf-force-iterations", "1000", "--key-slot", "1", device, "/run/case-other"],
  ]);
  await stop();
  await stratis(...startAny());
  await stratis("key", "set", "--keyfile-path", "/run/case-other", "second");
  await stratis("pool", "bind", "keyring", POOL, "second");
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [
    [0, KEY],
    [2, "second"],
  ]);
  const refusal = await stratisFails("pool", "unbind", "keyring", "--token-slot", "1", POOL);
  assert.match(refusal, /./);
  await stratis("pool", "unbind", "keyring", "--token-slot", "2", POOL);
  await stratis("key", "unset", "second");
  assert.match(
    await stratisFails("pool", "encryption", "reencrypt", "--in-place", "--name", POOL),
    /keyslot 1 is none of its unlock methods, and would be lost by it/,
  );
  const { tokens, keyslots } = await luksHeader(await container());
  assert.deepEqual(
    [tokens["1"], Object.keys(tokens), Object.keys(keyslots)],
    [foreign, ["0", "1"], ["0", "1"]],
  );
  await stop();
});

test("the only key goes while the pool runs: it goes on, and starts again when the key is back", async () => {
  await stratis(...startAny());
  await stratis("key", "unset", KEY);
  await kept.mountAndCompare();
  await stratis("filesystem", "create", POOL, "more", "--size", "600MiB");
  await stratis("filesystem", "destroy", POOL, "more");
  await stop();
  assert.match(await stratisFails(...startAny()), /token slot 0 .*not currently set/s);
  assert.deepEqual(await dmDevices(), []);
  await setKey();
  await opens();
});

test("a keyring that takes no more keys is an error that says so, and nothing is left of the attempt", async () => {
  const limit = await readFile(MAX_KEYS, "utf8");
  const inUse = /^\s*0:\s+\d+\s+\S+\s+(\d+)\//m.exec(await readFile("/proc/key-users", "utf8"))?.[1] ?? "";
  try {
    await writeFile(MAX_KEYS, inUse);
    assert.match(await stratisFails("key", "set", "--keyfile-path", KEY_FILE, "one-more"), /quota/i);
    assert.doesNotMatch(await stratis("key", "list"), /one-more/);
    const started = await stratisCommand(...startAny());
    if (started.status === 0) await stop();
    else assert.match(started.stderr, /quota/i);
    assert.deepEqual(await dmDevices(), []);
  } finally {
    await writeFile(MAX_KEYS, limit);
  }
  await opens();
});

/** Where of the disk the copies of the header begin. */
async function headerCopies(): Promise<[first: number, second: number]> {
  const file = await open(await disk("d0"));
  try {
    const { buffer } = await file.read(Buffer.alloc(SEARCHED_BYTES), 0, SEARCHED_BYTES, 0);
    const [first, second] = ["LUKS\xba\xbe", "SKUL\xba\xbe"].map((magic) =>
      buffer.indexOf(magic, 0, "latin1"),
    );
    assert.ok(first !== undefined && second !== undefined && first > 0 && second > first);
    return [first, second];
  } finally {
    await file.close();
  }
}

async function overwrite(at: number, bytes: Buffer): Promise<void> {
  const device = await disk("d0");
  const file = await open(device, "r+");
  try {
    await file.write(bytes, 0, bytes.length, at);
    await file.sync();
  } finally {
    await file.close();
  }
  await mustRun("blockdev", ["--flushbufs", device]);
}

test("with one copy of the header damaged the pool opens; with both it is refused, and nothing is written", async () => {
  const copies = await headerCopies();
  const noise = Buffer.alloc(COPY_BYTES, 0x5a);
  for (const copy of copies) {
    await overwrite(copy, noise);
    await opens();
  }
  const file = await open(await disk("d0"));
  const whole = Buffer.alloc(SEARCHED_BYTES);
  await file.read(whole, 0, SEARCHED_BYTES, 0);
  await file.close();
  for (const copy of copies) await overwrite(copy, noise);
  const why = await stratisFails(...startAny());
  assert.match(why, /no header was found/);
  assert.deepEqual(await dmDevices(), []);
  assert.match(await stratis("pool", "list", "--stopped"), new RegExp(`^${POOL} `, "m"));
  for (const copy of copies) await overwrite(copy, whole.subarray(copy, copy + COPY_BYTES));
  await opens();
});

test("destroyed, nothing of it is left", async () => {
  await stratis(...startAny());
  await stratis("filesystem", "destroy", POOL, "home");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
  assert.equal((await run("blkid", ["-p", await disk("d0")])).stdout, "");
});
