/** An encrypted pool and its keys: made, taken over, stopped, opened by one key or the other, grown, destroyed. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  closeBus,
  dmDevices,
  mustRun,
  poolProperties,
  requireBlank,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
  until,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POOL = "secret";
const kept = new KeptFile(POOL, "home");

before(async () => {
  for (const serial of ["d0", "d1", "d2"]) await wipeDisk(await disk(serial));
  await writeFile("/run/case-key-one", "the first key");
  await writeFile("/run/case-key-two", "another key");
  await startDaemon();
});
after(async () => {
  await unmountAll();
  for (const name of ["one", "two"]) await stratisCommand("key", "unset", name);
  await closeBus();
  await stopDaemon();
});

test("keys are set, listed, changed and unset", async () => {
  assert.equal((await stratis("key", "list")).includes("one"), false);
  await stratis("key", "set", "--keyfile-path", "/run/case-key-one", "one");
  assert.match(await stratisFails("key", "set", "--keyfile-path", "/run/case-key-one", "one"), /./);
  await stratis("key", "set", "--keyfile-path", "/run/case-key-one", "two");
  await stratis("key", "reset", "--keyfile-path", "/run/case-key-two", "two");
  assert.match(await stratis("key", "list"), /^one +\ntwo +$/m);
  await stratis("key", "set", "--keyfile-path", "/run/case-key-two", "three");
  await stratis("key", "unset", "three");
  assert.doesNotMatch(await stratis("key", "list"), /three/);
});

test("a pool is made with a key that is set, and not with one that is not", async () => {
  const path = await disk("d0");
  assert.match(await stratisFails("pool", "create", "--key-desc", "missing", POOL, path), /missing/);
  await stratis("pool", "create", "--key-desc", "one", POOL, path);
  const { KeyDescriptions, Encrypted, VolumeKeyLoaded, FreeTokenSlots } = await poolProperties(POOL);
  assert.deepEqual(
    [KeyDescriptions, Encrypted, VolumeKeyLoaded, FreeTokenSlots],
    [[[0, "one"]], true, true, [true, 14]],
  );
  const { stdout } = await mustRun("dmsetup", ["table", "--target", "crypt"]);
  assert.match(
    stdout,
    /^stratis-1-private-[0-9a-f]{32}-crypt: 0 \d+ crypt aes-xts-plain64 :64:\S+ 0 \d+:\d+ 34816/,
  );
  const container = (await dmDevices()).find((name) => name.endsWith("-physical-cache"));
  const dump = (await mustRun("cryptsetup", ["luksDump", `/dev/mapper/${container ?? ""}`])).stdout;
  assert.match(dump, /luks2-keyring/);
  assert.match(dump, /Metadata area:\s+65536 \[bytes\]/);
  assert.match(dump, /Keyslots area:\s+16744448 \[bytes\]/);
  await stratis("filesystem", "create", POOL, "home", "--size", "1GiB");
  await kept.write(20);
});

test("the next daemon takes it over with its volume key", async () => {
  await killDaemon();
  await startDaemon();
  assert.equal((await poolProperties(POOL))["VolumeKeyLoaded"], true);
  await kept.compare();
});

test("it grows into another device", async () => {
  const before = (await poolProperties(POOL))["AllocatedSize"];
  await stratis("pool", "add-data", POOL, await disk("d1"));
  await until("the pool grows", async () => (await poolProperties(POOL))["AllocatedSize"] !== before);
  const sizes = (await mustRun("dmsetup", ["table"])).stdout.split("\n");
  const lengthOf = (role: RegExp): bigint => {
    const line = sizes.find((text) => role.test(text)) ?? "";
    return BigInt(line.split(" ")[2] ?? "0");
  };
  assert.equal(lengthOf(/-crypt:/), lengthOf(/-physical-cache:/) - 34816n);
  await kept.compare();
});

test("a second key is bound, and the first is unbound, but never the last", async () => {
  await stratis("pool", "bind", "keyring", POOL, "two");
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [
    [0, "one"],
    [1, "two"],
  ]);
  await stratis("pool", "unbind", "keyring", "--token-slot", "0", POOL);
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [[1, "two"]]);
  assert.match(
    await stratisFails("pool", "unbind", "keyring", POOL),
    /one remaining unlock method|remaining/,
  );
  await stratis("pool", "rebind", "keyring", POOL, "one");
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [[1, "one"]]);
  await stratis("pool", "rebind", "keyring", POOL, "two");
});

test("stopped, it starts with its key only", async () => {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
  assert.match(await stratis("pool", "list", "--stopped"), new RegExp(POOL));
  assert.match(await stratisFails("pool", "start", "--name", POOL), /unlock/i);
  await stratis("key", "unset", "two");
  assert.match(
    await stratisFails("pool", "start", "--name", POOL, "--unlock-method", "any"),
    /two.*not currently set/,
  );
  assert.deepEqual(await dmDevices(), [], "nothing is left of a start that failed");
  await stratis("key", "set", "--keyfile-path", "/run/case-key-one", "two");
  assert.match(await stratisFails("pool", "start", "--name", POOL, "--unlock-method", "any"), /two/);
  await stratis("key", "reset", "--keyfile-path", "/run/case-key-two", "two");
  await stratis("pool", "start", "--name", POOL, "--unlock-method", "any");
  await kept.mountAndCompare();
});

test("after a boot it waits for somebody to open it", async () => {
  await unmountAll();
  await stopDaemon();
  for (const name of (await dmDevices()).filter((device) => device.includes("-thin-fs-")))
    await mustRun("dmsetup", ["remove", "--retry", name]);
  const order = [
    "thinpool-pool",
    "flex-thindata",
    "flex-thinmeta",
    "flex-mdv",
    "crypt",
    "physical-cache",
    "physical-originsub",
  ];
  for (const role of order)
    for (const name of (await dmDevices()).filter((device) => device.endsWith(role)))
      await mustRun("dmsetup", ["remove", "--retry", name]);
  await startDaemon();
  assert.match(await stratis("pool", "list", "--stopped"), new RegExp(POOL));
  assert.deepEqual(await dmDevices(), []);
  await stratis("pool", "start", "--name", POOL, "--keyfile-path", "/run/case-key-two");
  await kept.mountAndCompare();
});

test("with a cache it is still encrypted above it", async () => {
  await stratis("pool", "init-cache", POOL, await disk("d2"));
  await kept.compare();
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL, "--token-slot", "1");
  await kept.mountAndCompare();
});

test("destroyed, nothing of it is left on the disks", async () => {
  await unmountAll();
  await stratis("filesystem", "destroy", POOL, "home");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
  for (const serial of ["d0", "d1", "d2"]) await requireBlank(await disk(serial));
});
