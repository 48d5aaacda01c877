/**
 * An encrypted pool with metadata of version 1, each of whose devices has its own LUKS2 header: made beside the daemon,
 * taken over, locked and unlocked, changed on all devices at once, grown, destroyed.
 */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { STRATIS_TOP } from "../guest/bus";
import { beforeStep, startCountedDaemon } from "../guest/crash-points";
import { daemonLog, killDaemon, startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevLooksAt, udevSettled } from "../guest/udev";
import {
  callStratis,
  closeBus,
  dmDevices,
  managedObjects,
  luksHeader,
  managerProperty,
  mustRun,
  poolProperties,
  PROJECT,
  requireBlank,
  run,
  startPoolByBus,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
  until,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POOL = "locked";
const WAIT_MILLISECONDS = 120_000;
/** The first device is a part of a disk, so that it can become larger. */
const LARGER = "case-larger";
const SECTORS_PER_GIB = 2 * 1024 * 1024;
const HEADER_SECTORS = 32768;
const kept = new KeptFile(POOL, "home");

async function sizeTo(gib: number): Promise<void> {
  const table = `0 ${gib * SECTORS_PER_GIB} linear ${await disk("d0")} 0`;
  const exists = (await run("dmsetup", ["info", LARGER])).status === 0;
  await mustRun("dmsetup", [exists ? "load" : "create", LARGER, "--table", table]);
  if (exists) await mustRun("dmsetup", ["resume", LARGER]);
  await udevSettled();
}

before(async () => {
  for (const serial of ["d0", "d1", "d2"]) await wipeDisk(await disk(serial));
  await sizeTo(4);
  await writeFile("/run/case-key-one", "the first key");
  await writeFile("/run/case-key-two", "another key");
  await startDaemon();
  for (const name of ["one", "two"])
    await stratis("key", "set", "--keyfile-path", `/run/case-key-${name}`, name);
});
after(async () => {
  await unmountAll();
  for (const name of ["one", "two"]) await stratisCommand("key", "unset", name);
  await closeBus();
  await stopDaemon();
  await run("dmsetup", ["remove", "--retry", "--deferred", LARGER]);
});

async function blockDevices(): Promise<Record<string, unknown>[]> {
  const found = Object.values(await managedObjects()).map(
    (interfaces) => interfaces["org.storage.stratis3.blockdev.r9"],
  );
  return found.filter((properties) => properties !== undefined);
}

const larger = (): string => `/dev/mapper/${LARGER}`;

const mappings = async (): Promise<string[]> =>
  (await dmDevices()).filter((name) => /^stratis-1-private-.*-crypt$/.test(name));

test("stratis-legacy-pool makes it as stratisd did, and the daemon has it by itself", async () => {
  const tool = `echo Yes | ${process.execPath} ${PROJECT}/dist/bin/stratis-legacy-pool.js ${POOL} ${larger()}`;
  assert.notEqual((await run("sh", ["-c", `${tool} --key-desc missing`])).status, 0);
  assert.deepEqual(await mappings(), []);
  await mustRun("sh", ["-c", `${tool} --key-desc one`]);
  await until(
    "the daemon takes the pool over",
    async () => (await stratisCommand("pool", "list", "--name", POOL)).status === 0,
    WAIT_MILLISECONDS,
  );
  const { tokens, keyslots, segments, config } = await luksHeader(larger());
  assert.deepEqual(config, { json_size: "12288", keyslots_size: "16744448" });
  assert.deepEqual([segments["0"]?.offset, segments["0"]?.size], ["16777216", "dynamic"]);
  assert.deepEqual(Object.keys(keyslots), ["0"]);
  assert.deepEqual(tokens["1"], {
    type: "luks2-keyring",
    keyslots: ["0"],
    key_description: "stratis-1-key-one",
  });
  assert.deepEqual([tokens["0"]?.type, tokens["0"]?.pool_name], ["stratis", POOL]);
  const pool = await poolProperties(POOL);
  assert.deepEqual(
    [
      "Encrypted",
      "KeyDescriptions",
      "ClevisInfos",
      "FreeTokenSlots",
      "VolumeKeyLoaded",
      "MetadataVersion",
    ].map((name) => pool[name]),
    [true, [true, [true, "one"]], [true, [false, ["", ""]]], [false, 0], false, 1n],
  );
  const [device] = await blockDevices();
  assert.ok(device !== undefined);
  assert.match(String(device["Devnode"]), /^\/dev\/dm-\d+$/);
  assert.equal(device["TotalPhysicalSize"], String((4 * SECTORS_PER_GIB - HEADER_SECTORS) * 512));
});

test("devices that are added are encrypted too, for data and for a cache", async () => {
  await stratis("filesystem", "create", POOL, "home", "--size", "1GiB");
  await kept.write(20);
  await stratis("key", "unset", "one");
  assert.match(
    await stratisFails("pool", "add-data", POOL, await disk("d1")),
    /could not be used to perform encryption operations.*one.*not currently set/,
  );
  await stratis("key", "set", "--keyfile-path", "/run/case-key-one", "one");
  await stratis("pool", "add-data", POOL, await disk("d1"));
  await stratis("pool", "init-cache", POOL, await disk("d2"));
  assert.equal((await mappings()).length, 3);
  for (const serial of ["d1", "d2"]) {
    const { tokens } = await luksHeader(await disk(serial));
    assert.equal(tokens["1"]?.key_description, "stratis-1-key-one");
    assert.equal(tokens["0"]?.pool_name, POOL);
  }
  await kept.compare();
});

test("another key and another name are written on every device", async () => {
  await stratis("pool", "rebind", "keyring", POOL, "two");
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [true, [true, "two"]]);
  assert.match(await stratisFails("pool", "bind", "keyring", POOL, "one"), /already been bound/);
  assert.match(await stratisFails("pool", "unbind", "keyring", POOL), /No Clevis binding was found/);
  assert.match(
    await stratisFails("pool", "rebind", "keyring", "--token-slot", "1", POOL, "one"),
    /not supported in V1 pools/,
  );
  await stratis("pool", "rename", POOL, "renamed");
  for (const device of [larger(), await disk("d1"), await disk("d2")]) {
    const { tokens, keyslots } = await luksHeader(device);
    assert.equal(tokens["1"]?.key_description, "stratis-1-key-two");
    assert.deepEqual(tokens["1"].keyslots, Object.keys(keyslots));
    assert.equal(tokens["0"]?.pool_name, "renamed");
  }
  await stratis("pool", "rename", "renamed", POOL);
});

test("a device that has become larger is used to its end, inside its encryption", async () => {
  await sizeTo(5);
  const now = String((5 * SECTORS_PER_GIB - HEADER_SECTORS) * 512);
  await until(
    "the daemon notices",
    async () =>
      (await blockDevices()).some(
        (device) => JSON.stringify(device["NewPhysicalSize"]) === `[true,"${now}"]`,
      ),
    WAIT_MILLISECONDS,
  );
  // It takes what opens the device, whose mapping has to be made larger.
  await stratis("key", "unset", "two");
  assert.match(await stratisFails("pool", "extend-data", POOL), /two.*not currently set/);
  assert.equal(
    (await blockDevices()).some((device) => device["TotalPhysicalSize"] === now),
    false,
  );
  await stratis("key", "set", "--keyfile-path", "/run/case-key-two", "two");
  await stratis("pool", "extend-data", POOL);
  const sizes = (await blockDevices()).map((device) => device["TotalPhysicalSize"]);
  assert.ok(sizes.includes(now), sizes.join(" "));
  const { stdout } = await mustRun("dmsetup", ["table", "--target", "crypt"]);
  assert.match(stdout, new RegExp(`: 0 ${5 * SECTORS_PER_GIB - HEADER_SECTORS} crypt `));
});

test("the next daemon takes it over", async () => {
  await killDaemon();
  await startDaemon();
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [true, [true, "two"]]);
  await kept.compare();
});

test("with what is inside of a device found, and not yet the device, it waits for that", async () => {
  await unmountAll();
  await killDaemon();
  const d1 = await disk("d1");
  // As if udev had not come to the device yet: its header is not to be seen.
  await mustRun("dd", [`if=${d1}`, "of=/run/case-header", "bs=4096", "count=8", "status=none"]);
  await mustRun("dd", [
    "if=/dev/zero",
    `of=${d1}`,
    "bs=4096",
    "count=8",
    "conv=fsync,notrunc",
    "status=none",
  ]);
  await udevSettled();
  await startDaemon();
  assert.notEqual((await stratisCommand("pool", "list", "--name", POOL)).status, 0);
  await mustRun("dd", ["if=/run/case-header", `of=${d1}`, "bs=4096", "conv=fsync,notrunc", "status=none"]);
  await udevLooksAt(d1);
  await until(
    "the daemon takes the pool over",
    async () => (await stratisCommand("pool", "list", "--name", POOL)).status === 0,
    WAIT_MILLISECONDS,
  );
  assert.deepEqual((await poolProperties(POOL))["KeyDescriptions"], [true, [true, "two"]]);
  await kept.mountAndCompare();
});

interface Stopped {
  key_description: [boolean, [boolean, string]];
  devs: { devnode: string }[];
  name: string;
}
const lockedPools = async (): Promise<Stopped[]> =>
  Object.values((await managerProperty("r0", "LockedPools")) as Record<string, Stopped>);

const allDevicesKnown = (): Promise<void> =>
  until(
    "all devices of the locked pool are known",
    async () => (await lockedPools()).some(({ devs }) => devs.length === 3),
    WAIT_MILLISECONDS,
  );

test("stopped, it is locked: listed with its bindings, and started with its key only", async () => {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  assert.deepEqual(await dmDevices(), []);
  assert.doesNotMatch(await daemonLog(), /device-gone/, "that it closes its devices alarms nobody");
  const [locked, ...others] = await lockedPools();
  assert.ok(locked !== undefined && others.length === 0);
  assert.deepEqual([locked.name, locked.key_description], [POOL, [true, [true, "two"]]]);
  assert.equal(locked.devs.length, 3);
  assert.match(await stratisFails("pool", "start", "--name", POOL), /no unlock method was provided/);
  await stratis("key", "reset", "--keyfile-path", "/run/case-key-one", "two");
  assert.match(await stratisFails("pool", "start", "--name", POOL, "--unlock-method", "any"), /two/);
  assert.deepEqual(await dmDevices(), [], "nothing is left of a start that failed");
  assert.equal((await lockedPools()).length, 1);
  await stratis("pool", "start", "--name", POOL, "--keyfile-path", "/run/case-key-two");
  assert.deepEqual(await lockedPools(), []);
  await kept.mountAndCompare();
});

test("the oldest revision unlocks it, which starts it", async () => {
  await stratis("key", "reset", "--keyfile-path", "/run/case-key-two", "two");
  await unmountAll();
  const uuid = String((await poolProperties(POOL))["Uuid"]);
  await stratis("pool", "stop", "--name", POOL);
  const iface = "org.storage.stratis3.Manager.r0";
  const { code, message, result } = await callStratis(STRATIS_TOP, iface, "UnlockPool", "ss", [
    uuid,
    "keyring",
  ]);
  assert.equal(code, 0, message);
  const [changed, devices] = result as [boolean, string[]];
  assert.equal(changed, true);
  assert.equal(devices.length, 3);
  await kept.mountAndCompare();
});

test("a device that is pulled out of a locked pool is missing, and it starts when it is back", async () => {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await stopDaemon();
  // As if it had never been there: the daemon sees only what udev does.
  const d1 = await disk("d1");
  await mustRun("dd", [`if=${d1}`, "of=/run/case-header", "bs=4096", "count=8", "status=none"]);
  await mustRun("dd", ["if=/dev/zero", `of=${d1}`, "bs=4096", "count=8", "conv=fsync", "status=none"]);
  await udevSettled();
  await startDaemon();
  assert.match(
    await stratisFails("pool", "start", "--name", POOL, "--unlock-method", "any"),
    /waiting for device/,
  );
  assert.deepEqual(await dmDevices(), []);
  await mustRun("dd", ["if=/run/case-header", `of=${d1}`, "bs=4096", "conv=fsync,notrunc", "status=none"]);
  await udevSettled();
  await allDevicesKnown();
});

test("a header whose first or second copy is damaged still opens", async () => {
  const d1 = await disk("d1");
  for (const at of ["0", "4"]) {
    await mustRun("dd", [
      "if=/dev/urandom",
      `of=${d1}`,
      "bs=4096",
      `seek=${at}`,
      "count=1",
      "conv=fsync",
      "status=none",
    ]);
    await udevSettled();
    await allDevicesKnown();
    await stratis("pool", "start", "--name", POOL, "--unlock-method", "any");
    await kept.mountAndCompare();
    await unmountAll();
    await stratis("pool", "stop", "--name", POOL);
  }
});

test("started without its cache, whose device is blank then", async () => {
  await stratis("pool", "start", "--name", POOL, "--remove-cache", "--unlock-method", "any");
  await kept.mountAndCompare();
  assert.equal((await mappings()).length, 2);
  assert.equal((await run("blkid", ["-p", await disk("d2")])).stdout, "");
});

test("destroyed, nothing of it is left on the disks", async () => {
  await unmountAll();
  await stratis("filesystem", "destroy", POOL, "home");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
  for (const device of [larger(), await disk("d1"), await disk("d2")]) await requireBlank(device);
});

/** As at a boot: no device of Stratis is there. */
async function removeMappings(): Promise<void> {
  for (let pass = 0; pass < 10; pass += 1)
    for (const name of await dmDevices()) await run("dmsetup", ["remove", name]);
  assert.deepEqual(await dmDevices(), []);
}

const makeTwin = async (path: string): Promise<unknown> =>
  mustRun("sh", [
    "-c",
    `echo Yes | ${process.execPath} ${PROJECT}/dist/bin/stratis-legacy-pool.js twin ${path} --key-desc two`,
  ]);

test("unlocked while another one has its name, it is set up when that is free", async () => {
  const [first, second] = [await disk("d1"), await disk("d2")];
  for (const path of [first, second]) await wipeDisk(path);
  await stopDaemon();
  await makeTwin(first);
  await removeMappings();
  await makeTwin(second);
  await startDaemon();
  await stratis("pool", "list", "--name", "twin");
  const [uuid = ""] = Object.keys((await managerProperty("r9", "StoppedPools")) as object);
  const answer = await startPoolByBus({ uuid }, { unlock: true });
  assert.match(answer.message, /name twin already exists/);
  assert.equal((await mappings()).length, 2);
  await stratis("pool", "rename", "twin", "other");
  await mustRun("udevadm", ["trigger", "--action=change", "--settle", "--subsystem-match=block"]);
  await until("both run", async () => (await stratisCommand("pool", "list", "--name", "twin")).status === 0);
  for (const name of ["twin", "other"]) await stratis("pool", "destroy", name);
  for (const path of [first, second]) await requireBlank(path);
});

test("locked in the middle of its destruction, it is cleared away when its key has shown that", async () => {
  const device = await disk("d1");
  await stopDaemon();
  await makeTwin(device);
  await startCountedDaemon();
  beforeStep(/^cryptWipe/, "kill -9 $PPID");
  await stratisFails("pool", "destroy", "twin");
  await killDaemon();
  // As a power cut: what is locked doesn't tell.
  await removeMappings();
  await startDaemon();
  const [uuid = ""] = Object.keys((await managerProperty("r9", "StoppedPools")) as object);
  const answer = await startPoolByBus({ uuid }, { unlock: true });
  assert.match(answer.message, /was interrupted while being made or destroyed, and is gone/);
  assert.deepEqual(await managerProperty("r9", "StoppedPools"), {});
  assert.deepEqual(await dmDevices(), []);
  await requireBlank(device);
});
