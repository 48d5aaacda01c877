/** Devices that a dry run finds unfit, on a machine that is a directory. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { checkDevices } from "../../../../cli/output/dry-run-machine";
import { FakeMachine } from "../../../dbus/cli-support/machine";

const GIB = 1024n ** 3n;
/** By the paths of the test. */
const NUMBERS: Readonly<Record<string, string>> = {
  "/dev/empty": "8:0",
  "/dev/small": "8:16",
  "/dev/xfs": "8:32",
  "/dev/table": "8:48",
  "/dev/partition": "8:49",
  "/dev/locked": "8:64",
  "/dev/held": "8:80",
  "/dev/root": "8:96",
  "/dev/unknown": "9:9",
};

let machine: FakeMachine;
before(async () => {
  machine = await FakeMachine.make();
  await machine.device("sda", "8:0", 8n * GIB, "E:ID_MODEL=X\n");
  await machine.device("sdb", "8:16", GIB / 2n, "");
  await machine.device("sdc", "8:32", 8n * GIB, "E:ID_FS_TYPE=xfs\n");
  await machine.device("sdd", "8:48", 8n * GIB, "E:ID_PART_TABLE_TYPE=gpt\n");
  await machine.device("sdd1", "8:49", 4n * GIB, "E:ID_PART_TABLE_TYPE=gpt\nE:ID_PART_ENTRY_DISK=8:48\n");
  await machine.device("sde", "8:64", 8n * GIB, "");
  await machine.file("sys/class/block/sde/ro", "1\n");
  await machine.device("sdf", "8:80", 8n * GIB, "");
  await machine.file("sys/class/block/sdf/holders/dm-0", "");
  await machine.device("sdg", "8:96", 8n * GIB, "");
  await machine.file("proc/self/mountinfo", "24 1 8:96 / /mnt rw - xfs /dev/sdg rw\n");
});
after(() => machine.end());

const check = (...paths: string[]): Promise<void> =>
  checkDevices(paths, { root: machine.root, numberOf: (path) => Promise.resolve(NUMBERS[path] ?? "") });

test("empty devices are fit, and those of which nothing is known", async () => {
  await check("/dev/empty", "/dev/partition", "/dev/unknown");
});

test("what speaks against others is told", async () => {
  const cases: [string, string][] = [
    ["/dev/small", "The device /dev/small has 512 MiB, and stratisd demands at least 1 GiB"],
    ["/dev/xfs", "The device /dev/xfs is not empty: udev found xfs on it"],
    ["/dev/table", "The device /dev/table is not empty: it has a partition table"],
    ["/dev/locked", "The device /dev/locked can only be read"],
    ["/dev/held", "The device /dev/held is in use: other devices are made of it"],
    ["/dev/root", "The device /dev/root is mounted at /mnt"],
  ];
  for (const [path, message] of cases) await assert.rejects(check("/dev/empty", path), { message });
});

test("paths are of block devices", async () => {
  await assert.rejects(checkDevices(["/dev/null"]), { message: "/dev/null is not a block device" });
  await assert.rejects(checkDevices(["/nonexistent/device"]), {
    message: "There is no device /nonexistent/device",
  });
});
