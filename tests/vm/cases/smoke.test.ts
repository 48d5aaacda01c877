/** What every other case takes for granted of the place where it runs. Also shows how a case is written. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { SystemBus } from "../guest/bus";
import { disk, wipeDisk } from "../guest/disks";
import { mustRun, run } from "./support";

after(async () => {
  await run("dmsetup", ["remove", "smoke"]);
});

test("device-mapper and udev work together", async () => {
  const device = await disk("d0");
  await wipeDisk(device);
  await mustRun("dmsetup", ["create", "smoke", "--table", `0 2097152 linear ${device} 0`]);
  // dmsetup waits for udev through the cookie, so the link is there at once.
  await mustRun("test", ["-b", "/dev/mapper/smoke"]);
  await mustRun("mkfs.xfs", ["-q", "-f", "/dev/mapper/smoke"]);
  assert.match((await mustRun("blkid", ["-p", "/dev/mapper/smoke"])).stdout, /TYPE="xfs"/);
});

test("the kernel has the targets that Stratis needs", async () => {
  for (const module of ["dm_thin_pool", "dm_cache", "dm_crypt", "xfs"]) await mustRun("modprobe", [module]);
  const { stdout } = await mustRun("dmsetup", ["targets"]);
  for (const target of ["linear", "thin-pool", "thin", "cache", "crypt"])
    assert.match(stdout, new RegExp(`^${target} `, "m"));
});

test("the system bus answers", async () => {
  const bus = await SystemBus.open();
  try {
    assert.equal(await bus.hasOwner("org.freedesktop.DBus"), true);
  } finally {
    await bus.close();
  }
});
