/** Which block devices look as if nothing used them, on a machine that is a directory. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { freeDevices } from "../../../../cli/complete/free-devices";

let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "stratis-machine-"));
});
after(() => rm(root, { recursive: true }));

async function file(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), content);
}

const GIB_SECTORS = 2097152;

/** `more`: further files of the device in sysfs. */
async function device(
  name: string,
  number: string,
  gib: number,
  more: string[] = [],
  udev = "",
): Promise<void> {
  await file(`sys/class/block/${name}/dev`, `${number}\n`);
  await file(`sys/class/block/${name}/size`, `${gib * GIB_SECTORS}\n`);
  await file(`sys/class/block/${name}/ro`, "0\n");
  for (const path of more) await file(`sys/class/block/${name}/${path}`, "");
  if (udev !== "") await file(`run/udev/data/b${number}`, udev);
}

test("devices that are large enough, empty, and in no use are free", async () => {
  await file("proc/self/mountinfo", "24 1 8:4 / / rw - xfs /dev/sdd rw\n");
  await file("proc/swaps", "Filename Type Size Used Priority\n/dev/sde partition 1 0 -2\n");
  await device("sda", "8:0", 8, ["sda1/partition"]);
  await device("sda1", "8:1", 8, [], "E:ID_FS_TYPE=ext4\n");
  await device("sdb", "8:2", 100, [], "E:ID_MODEL=Big_Disk\n");
  await device("sdc", "8:3", 8, ["holders/dm-0"]);
  await device("sdd", "8:4", 8);
  await device("sde", "8:5", 8);
  await device("sdf", "8:6", 0);
  await device("sdg", "8:7", 8, [], "E:ID_FS_TYPE=stratis\n");
  await device("sdh", "8:8", 8, [], "E:ID_PART_TABLE_TYPE=gpt\n");
  await device("sdi", "8:9", 8);
  await device("sdj1", "8:11", 3, [], "E:ID_PART_TABLE_TYPE=gpt\nE:ID_PART_ENTRY_DISK=8:10\n");
  await device("zram0", "252:0", 8);
  await device("cciss!c0d0", "104:0", 2);
  await device("dm-3", "253:3", 4);
  await file("sys/class/block/dm-3/dm/name", "vg-free\n");
  const found = await freeDevices(new Set(["/dev/sdi"]), root);
  assert.deepEqual(found, [
    { word: "/dev/cciss/c0d0", description: "2 GiB" },
    { word: "/dev/mapper/vg-free", description: "4 GiB" },
    { word: "/dev/sdb", description: "100 GiB Big_Disk" },
    { word: "/dev/sdj1", description: "3 GiB" },
  ]);
});
