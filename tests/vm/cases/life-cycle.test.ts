/** A pool's whole life, by the command line and by D-Bus, with the real engine. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import {
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  rmdir,
  symlink,
  writeFile,
} from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, stopDaemon, killDaemon, daemonPid } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevLooksAt, udevSettled } from "../guest/udev";
import {
  callStratis,
  closeBus,
  dmDevices,
  managedObjects,
  mountPoint,
  mustRun,
  poolObject,
  poolProperties,
  run,
  sha256,
  STRATIS,
  stopPoolByBus,
  stratis,
  stratisFails,
  succeeded,
  unmountAll,
  until,
} from "./support";

const FS = "/dev/stratis/life/home";
const POOL = "org.storage.stratis3.pool.r9";
const FILESYSTEM = "org.storage.stratis3.filesystem.r9";

before(async () => {
  await startDaemon();
});
after(async () => {
  await closeBus();
  await unmountAll();
  await stopDaemon();
});

test("the daemon answers through the command line", async () => {
  const { stdout } = await mustRun(process.execPath, [STRATIS, "daemon", "version"]);
  assert.equal(stdout, "3.9.2\n");
  assert.match(await stratis("pool", "list"), /^Name +Total \/ Used \/ Free +Properties +UUID +Alerts/);
});

test("a pool on two disks has exactly the device-mapper stack of stratisd", async () => {
  const disks = [await disk("d0"), await disk("d1")];
  for (const path of disks) await wipeDisk(path);
  await stratis("pool", "create", "life", ...disks);
  const list = await stratis("pool", "list");
  assert.match(list, /life +24 GiB \/ /);
  const names = (await dmDevices()).map((name) => name.replace(/[0-9a-f]{32}/, "U"));
  assert.deepEqual(names.sort(), [
    "stratis-1-private-U-flex-mdv",
    "stratis-1-private-U-flex-thindata",
    "stratis-1-private-U-flex-thinmeta",
    "stratis-1-private-U-physical-cache",
    "stratis-1-private-U-physical-originsub",
    "stratis-1-private-U-thinpool-pool",
  ]);
  const blockdevs = await stratis("blockdev", "list", "life");
  for (const path of disks) assert.ok(blockdevs.includes(` ${await realpath(path)} `), blockdevs);
});

test("creating it again with the same disks is no error, with others it is", async () => {
  const disks = [await disk("d0"), await disk("d1")];
  const again = await run(process.execPath, [STRATIS, "pool", "create", "life", ...disks]);
  assert.notEqual(again.stdout + again.stderr, "", "the command line says that nothing changed");
  const other = await disk("d2");
  await wipeDisk(other);
  await stratisFails("pool", "create", "life", other);
});

test("a filesystem has its link when the command returns, and keeps what is written", async () => {
  await stratis("filesystem", "create", "life", "home");
  assert.ok(existsSync(FS), "link");
  assert.match(await readlink(FS), /dm-\d+$/);
  const at = await mountPoint("home");
  await mustRun("mount", [FS, at]);
  await writeFile(`${at}/kept`, "what was written first\n");
  await mustRun("sync", []);
  assert.match(await stratis("filesystem", "list", "life"), /home +1 TiB \/ /);
});

test("private devices have no links, so that nobody takes them for his", async () => {
  const { stdout } = await mustRun("sh", [
    "-c",
    "udevadm settle --timeout=60; for link in /dev/disk/*/*; do echo $link $(dmsetup info -c --noheadings -o name $(readlink -f $link) 2> /dev/null); done",
  ]);
  const links = stdout.split("\n").filter((line) => line.includes("stratis-1-"));
  assert.ok(links.length > 0, "those of the filesystem");
  for (const line of links) assert.match(line, /stratis-1-[0-9a-f]{32}-thin-fs-[0-9a-f]{32}$/);
});

test("a snapshot of the mounted filesystem holds its content, and goes its own way", async () => {
  await stratis("filesystem", "snapshot", "life", "home", "monday");
  const at = await mountPoint("monday");
  await mustRun("mount", ["/dev/stratis/life/monday", at]);
  assert.equal(await readFile(`${at}/kept`, "utf8"), "what was written first\n");
  await writeFile(`${at}/kept`, "changed in the snapshot\n");
  assert.equal(await readFile(`${await mountPoint("home")}/kept`, "utf8"), "what was written first\n");
  await mustRun("umount", [at]);
  const check = await run("xfs_repair", ["-n", "/dev/stratis/life/monday"]);
  assert.equal(check.status, 0, check.stdout + check.stderr);
});

test("a snapshot of an unmounted filesystem is sound too", async () => {
  await stratis("filesystem", "create", "life", "quiet", "--size", "600MiB");
  await stratis("filesystem", "snapshot", "life", "quiet", "quiet-snap");
  for (const name of ["quiet", "quiet-snap"]) {
    const check = await run("xfs_repair", ["-n", `/dev/stratis/life/${name}`]);
    assert.equal(check.status, 0, check.stdout + check.stderr);
  }
  const at = await mountPoint("quiet-snap");
  await mustRun("mount", ["/dev/stratis/life/quiet-snap", at]);
  await mustRun("umount", [at]);
});

test("a renamed filesystem has its new link at once, and loses the old one to udev", async () => {
  await stratis("filesystem", "rename", "life", "quiet", "silent");
  assert.ok(existsSync("/dev/stratis/life/silent"));
  await udevSettled();
  assert.ok(!existsSync("/dev/stratis/life/quiet"));
  await stratis("pool", "rename", "life", "living");
  assert.ok(existsSync("/dev/stratis/living/silent"));
  assert.ok(existsSync("/dev/stratis/living/home"));
  await udevSettled();
  assert.ok(!existsSync("/dev/stratis/life"));
  await stratis("pool", "rename", "living", "life");
});

test("links are right at every reply while names change hands faster than udev follows", async () => {
  const linkOf = (name: string): Promise<string> => readlink(`/dev/stratis/life/${name}`);
  const objectOf = async (name: string): Promise<string> => {
    const found = Object.entries(await managedObjects()).find(
      ([, interfaces]) => interfaces[FILESYSTEM]?.["Name"] === name,
    );
    assert.ok(found !== undefined, name);
    return found[0];
  };
  const [monday, silent] = [await linkOf("monday"), await linkOf("silent")];
  const [mondayObject, silentObject] = [await objectOf("monday"), await objectOf("silent")];
  const rename = async (object: string, name: string, target: string): Promise<void> => {
    await succeeded(callStratis(object, FILESYSTEM, "SetName", "s", [name]));
    assert.equal(await linkOf(name), target, name);
  };
  for (let round = 0; round < 3; round += 1) {
    await rename(mondayObject, "other", monday);
    await rename(silentObject, "monday", silent);
    await rename(mondayObject, "silent", monday);
    await rename(silentObject, "other", silent);
    await rename(mondayObject, "monday", monday);
    await rename(silentObject, "silent", silent);
  }
  await udevSettled();
  assert.equal(await linkOf("monday"), monday);
  assert.equal(await linkOf("silent"), silent);
  assert.deepEqual((await readdir("/dev/stratis/life")).sort(), ["home", "monday", "quiet-snap", "silent"]);
});

test("size limits are set, listed and removed", async () => {
  await stratis("filesystem", "set-size-limit", "life", "silent", "2GiB");
  assert.match(await stratis("filesystem", "list", "life", "--name", "silent"), /Size Limit: 2 GiB/);
  const refused = await stratisFails("filesystem", "set-size-limit", "life", "silent", "512MiB");
  assert.match(refused, /smaller than the current size/);
  await stratis("filesystem", "unset-size-limit", "life", "silent");
});

test("a mounted filesystem is not destroyed, nor anything asked for with it", async () => {
  assert.match(await stratisFails("filesystem", "destroy", "life", "silent", "home"), /in use/);
  const left = await stratis("filesystem", "list", "life");
  for (const name of ["home", "monday", "silent", "quiet-snap"]) assert.ok(left.includes(name), left);
});

test("after kill -9 the next daemon takes over what is there, with mounts undisturbed", async () => {
  const before = await dmDevices();
  await killDaemon();
  await writeFile(`${await mountPoint("home")}/meanwhile`, "written without a daemon\n");
  await startDaemon();
  assert.deepEqual(await dmDevices(), before);
  assert.match(await stratis("filesystem", "list", "life"), /home/);
  assert.equal(await readFile(`${await mountPoint("home")}/meanwhile`, "utf8"), "written without a daemon\n");
});

test("a start leaves links that are there to udev, and makes those that are gone or lead elsewhere", async () => {
  const target = await readlink(FS);
  const restarted = async (): Promise<void> => {
    await stopDaemon();
    await startDaemon();
    assert.equal(await readlink(FS), target);
    // What any other event of the device leaves of it.
    await udevLooksAt(FS);
    assert.equal(await readlink(FS), target);
  };
  await restarted();
  await rm(FS);
  await restarted();
  await rm(FS);
  await symlink("../../null", FS);
  await restarted();
});

test("a pool with a mounted filesystem does not stop, and stays as it was", async () => {
  await stratisFails("pool", "stop", "--name", "life");
  const hash = await sha256(`${await mountPoint("home")}/kept`);
  assert.equal(hash.length, 64);
});

test("a stopped pool is listed, starts again, and has its content", async () => {
  await unmountAll();
  // As udev does, or any program that looks for what is on a device.
  const look = await open(FS);
  const stopped = succeeded(stopPoolByBus("life"));
  await sleep(100);
  await look.close();
  await stopped;
  assert.deepEqual(await dmDevices(), []);
  assert.match(await stratis("pool", "list", "--stopped"), /life/);
  assert.ok(!existsSync("/dev/stratis/life"), "links are gone");
  await stopDaemon();
  await startDaemon();
  assert.match(await stratis("pool", "list", "--stopped"), /life/, "it stays stopped over a restart");
  await stratis("pool", "start", "--name", "life");
  assert.ok(existsSync(FS));
  const at = await mountPoint("home");
  await mustRun("mount", [FS, at]);
  assert.equal(await readFile(`${at}/kept`, "utf8"), "what was written first\n");
  await mustRun("umount", [at]);
});

/** As udev is when a device was written to while it still looked at it because of an earlier write. */
async function letUdevForget(device: string): Promise<void> {
  const rules = "/run/udev/rules.d/99-case-forget.rules";
  await mkdir("/run/udev/rules.d", { recursive: true });
  await writeFile(rules, 'ENV{ID_FS_TYPE}=="stratis", ENV{ID_FS_TYPE}="", ENV{ID_FS_USAGE}=""\n');
  await mustRun("udevadm", ["control", "--reload"]);
  await udevLooksAt(device);
  await rm(rules);
  await mustRun("udevadm", ["control", "--reload"]);
}

const knownToUdev = async (device: string): Promise<boolean> =>
  (await mustRun("udevadm", ["info", device])).stdout.includes("ID_FS_TYPE=stratis");

test("a stopped pool is known by its name and starts, though udev names nothing on one of its disks", async () => {
  await stratis("pool", "stop", "--name", "life");
  await stopDaemon();
  const device = await disk("d1");
  await letUdevForget(device);
  assert.ok(!(await knownToUdev(device)));
  await startDaemon();
  await until("udev knows the device", () => knownToUdev(device));
  await stratis("pool", "start", "--name", "life");
  assert.ok(existsSync(FS));
});

test("a third disk makes the pool larger, and is taken once however often it is named", async () => {
  const third = await disk("d2");
  await wipeDisk(third);
  const { path } = await poolObject("life");
  const names = [third, third, third.replace("/dev/", "/dev/../dev/")];
  const added = await succeeded(callStratis(path, POOL, "AddDataDevs", "as", [names]));
  const [changed, devices] = added.result as [boolean, string[]];
  assert.deepEqual([changed, devices.length], [true, 1]);
  assert.match(await stratis("pool", "list"), /life +36 GiB \/ /);
});

test("every thread of the daemon is in its own mount namespace, and the process is called stratisd", async () => {
  const pid = await daemonPid();
  assert.equal((await readFile(`/proc/${pid}/comm`, "utf8")).trim(), "stratisd");
  const root = await readlink("/proc/1/ns/mnt");
  const { stdout } = await mustRun("sh", ["-c", `for t in /proc/${pid}/task/*; do readlink $t/ns/mnt; done`]);
  const namespaces = stdout.trim().split("\n");
  assert.ok(namespaces.length > 4, `${namespaces.length} threads`);
  assert.equal(new Set(namespaces).size, 1, "all threads in one");
  assert.ok(!namespaces.includes(root), "and not in that of the system");
  const mounts = await readFile("/proc/self/mountinfo", "utf8");
  assert.ok(!mounts.includes(".mdv-"), "metadata volumes are not seen from outside");
});

test("what the host mounts and removes at the path of the daemon's mounts does not reach them", async () => {
  const uuid = String((await poolProperties("life"))["Uuid"]);
  const at = `/run/stratisd/ns_mounts/.mdv-${uuid}`;
  await mkdir(at, { recursive: true });
  await mustRun("mount", ["-t", "xfs", `/dev/mapper/stratis-1-private-${uuid}-flex-mdv`, at]);
  await mustRun("umount", [at]);
  await rmdir(at);
  await stratis("filesystem", "create", "life", "recorded");
  await stratis("filesystem", "destroy", "life", "recorded");
});

test("the history tells what was done to the pool, by whom, and what was refused", async () => {
  const told = await stratis("history", "--pool", "life", "--since", "1h", "--json");
  const { history } = JSON.parse(told) as { history: Record<string, unknown>[] };
  const line = (record: Record<string, unknown> | undefined): unknown[] =>
    ["operation", "object", "result", "uid", "command"].map((name) => record?.[name]);
  const recordOf = (operation: string, result: string) =>
    history.find((record) => record["operation"] === operation && record["result"] === result);
  const [first, second] = [await disk("d0"), await disk("d1")];
  const created = `pool life, block device ${first}, ${second}`;
  assert.deepEqual(line(recordOf("CreatePool", "ok")), ["CreatePool", created, "ok", 0, "stratis"]);
  const renamed = ["SetName", "pool life, to living", "ok", 0, "stratis"];
  assert.deepEqual(line(recordOf("SetName", "ok")), [
    "SetName",
    "filesystem quiet in pool life, to silent",
    ...renamed.slice(2),
  ]);
  assert.ok(
    history.some((record) => line(record).join() === renamed.join()),
    told,
  );
  const busy = recordOf("DestroyFilesystems", "failed");
  assert.equal(busy?.["object"], "filesystem silent, home in pool life");
  assert.match(String(busy["error"]), /in use/);
  for (const operation of ["StopPool", "StartPool", "AddDataDevs", "SnapshotFilesystem"])
    assert.equal(recordOf(operation, "ok")?.["pool"], "life", operation);
  const uuid = String(history[0]?.["pool_uuid"]);
  const { stdout } = await mustRun("journalctl", [
    "--output=cat",
    `POOL_UUID=${uuid}`,
    "STRATIS_RESULT=failed",
  ]);
  assert.match(
    stdout,
    /^DestroyFilesystems of .* asked for by stratis \(uid 0, pid \d+\): failed after \d+ ms: /m,
  );
});

test("everything is destroyed, and the disks are blank", async () => {
  await stratis("filesystem", "destroy", "life", "home", "monday", "silent", "quiet-snap");
  await stratis("pool", "destroy", "life");
  assert.deepEqual(await dmDevices(), []);
  for (const serial of ["d0", "d1", "d2"]) {
    const probe = await run("blkid", ["-p", await disk(serial)]);
    assert.equal(probe.status, 2, `${serial}: ${probe.stdout}`);
  }
});
