/** Requests that must be refused, with an error that names the thing, and every byte of the devices as it was. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, open, symlink, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import { closeBus, createPoolByBus, mustRun, startOf, stratis, unmountAll } from "./support";

before(async () => {
  await startDaemon();
  await wipeDisk(await disk("d0"));
  await wipeDisk(await disk("d1"));
});
after(async () => {
  await unmountAll();
  await stopDaemon();
  await closeBus();
});

async function unchanged(device: string, before: Buffer | undefined): Promise<void> {
  assert.ok(before?.equals(await startOf(device)), `the bytes of ${device} are as they were`);
}

/** Creation must fail with a text that matches, and leave the device as it was. */
async function refused(paths: string[], text: RegExp, name = "bad"): Promise<void> {
  const devices = paths.filter((path) => path.startsWith("/dev/") && existsSync(path));
  const before = await Promise.all(devices.map((path) => startOf(path)));
  const { code, message } = await createPoolByBus(name, paths);
  assert.equal(code, 1, message);
  assert.match(message, text);
  for (const [index, path] of devices.entries()) await unchanged(path, before[index]);
}

test("no device at all", () => refused([], /At least one blockdev/));
test("a relative path", () => refused(["dev/vda"], /dev\/vda.*not absolute/));
test("a path that does not exist", () => refused(["/dev/no-such-disk"], /\/dev\/no-such-disk/));
test("a regular file", async () => {
  await writeFile("/run/a-file", "x".repeat(4096));
  await refused(["/run/a-file"], /\/run\/a-file is not a block device/);
});
test("a directory", () => refused(["/run"], /\/run is not a block device/));
test("a character device", async () => {
  const { code, message } = await createPoolByBus("bad", ["/dev/null"]);
  assert.equal(code, 1);
  assert.match(message, /\/dev\/null is not a block device/);
});

test("a disk that is too small", async () => {
  const small = await disk("small");
  await refused([small], /less than the minimum/);
});

test("one device named twice", async () => {
  const device = await disk("d0");
  await refused([device, device], /named twice/);
  await symlink(device, "/run/another-name");
  await refused([device, "/run/another-name"], /named twice/);
});

test("a device with a filesystem", async () => {
  const device = await disk("d0");
  await mustRun("mkfs.ext4", ["-q", "-F", device, "100M"]);
  await udevSettled();
  await refused([device], /already in use.*ext4/);
  await refused([await disk("d1"), device], /already in use.*ext4/);
});

test("a device with signatures that contradict each other", async () => {
  const device = await disk("d0");
  await wipeDisk(device);
  await mustRun("mkfs.ext4", ["-q", "-F", device, "100M"]);
  await mustRun("sh", ["-c", `printf -- '-rom1fs-' | dd of=${device} conv=notrunc,fsync status=none`]);
  await udevSettled();
  // It is udev that says so, where it has made up its mind for one of them.
  await refused([device], /contradictory|udev found a \w+ signature/);
  await wipeDisk(device);
  await mustRun("mkfs.ext4", ["-q", "-F", device, "100M"]);
});

test("a mounted device", async () => {
  const device = await disk("d0");
  await mkdir("/run/mounted", { recursive: true });
  await mustRun("mount", [device, "/run/mounted"]);
  const { code, message } = await createPoolByBus("bad", [device]);
  await mustRun("umount", ["/run/mounted"]);
  assert.equal(code, 1);
  assert.ok(message.includes(device), message);
  await wipeDisk(device);
});

/** A master boot record with one Linux partition of 32 MiB behind the first MiB. */
function partitionTable(): Buffer {
  const sector = Buffer.alloc(512);
  sector.writeUInt8(0x83, 446 + 4);
  sector.writeUInt32LE(2048, 446 + 8);
  sector.writeUInt32LE(65536, 446 + 12);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

test("a device with a partition table", async () => {
  const device = await disk("d0");
  const handle = await open(device, "r+");
  await handle.write(partitionTable(), 0, 512, 0);
  await handle.sync();
  await handle.close();
  await udevSettled();
  await refused([device], /already in use.*dos/);
  await wipeDisk(device);
});

test("a device that is held by device-mapper", async () => {
  const device = await disk("d0");
  await mustRun("sh", ["-c", `echo "0 2048 linear ${device} 0" | dmsetup create holder`]);
  await refused([device], /already in use.*held/);
  await mustRun("dmsetup", ["remove", "holder"]);
});

test("a device with a damaged Stratis header", async () => {
  const device = await disk("d0");
  const { code, message } = await createPoolByBus("first", [device]);
  assert.equal(code, 0, message);
  await stratis("pool", "stop", "--name", "first");
  await refused([device], /pool/);
  // Both copies of the header, one byte of the uuid each: the checksum is wrong now.
  for (const sector of [1, 9])
    await mustRun("sh", [
      "-c",
      `printf x | dd of=${device} bs=1 seek=${sector * 512 + 40} conv=notrunc,fsync status=none`,
    ]);
  await udevSettled();
  const before = await startOf(device);
  const again = await createPoolByBus("second", [device]);
  assert.equal(again.code, 1, again.message);
  assert.ok(again.message.includes(device), again.message);
  await unchanged(device, before);
  await wipeDisk(device);
});

test("disks of different sector sizes", async () => {
  const odd = await disk("s4096");
  await refused([await disk("d1"), odd], /sector size/i);
});

const NAMES: [string, string][] = [
  ["empty", ""],
  ["too long", "n".repeat(256)],
  ["with a slash", "a/b"],
  ["with a control character", "a\u0007b"],
  ["with a blank at the start", " a"],
  ["with a blank at the end", "a "],
  ["one dot", "."],
  ["two dots", ".."],
];
for (const [what, name] of NAMES)
  test(`a pool name that is ${what}`, async () => {
    await refused([await disk("d1")], /Provided name/, name);
  });
