/** A disk that is pulled out from under a pool in use, and comes back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { GIB, Guest } from "../../harness/guest";

const DISK = "/dev/disk/by-id/virtio-pulled";
const WAIT_MILLISECONDS = 120_000;
let guest: Guest;

before(async () => {
  guest = await Guest.boot({ disks: [] });
});
after(async () => {
  await guest.shutdown();
});

async function until(what: string, command: string): Promise<void> {
  const end = Date.now() + WAIT_MILLISECONDS;
  while ((await guest.exec(command)).status !== 0) {
    assert.ok(Date.now() < end, `${what}: not within ${WAIT_MILLISECONDS} ms`);
    await sleep(1000);
  }
}

/** A mounted pool with a file, whose disk is pulled under a writer. Returns what sha256sum says of the file. */
async function pullUnderWriter(): Promise<string> {
  await guest.plug({ serial: "pulled", sizeBytes: 12 * GIB });
  await guest.mustExec(`stratis pool create pulled ${DISK} && stratis filesystem create pulled home`);
  await guest.mustExec("mount /dev/stratis/pulled/home /mnt");
  const sum = await guest.mustExec(
    "head -c 20M /dev/urandom > /mnt/data && sync -f /mnt && sha256sum /mnt/data",
  );
  await guest.unplug("pulled");
  await guest.exec("dd if=/dev/zero of=/mnt/lost bs=1M count=20 conv=fsync");
  await until("the pool permits less", "stratis pool list | grep -q EM00");
  return sum;
}

/** That the pool is whole, and that it can be destroyed. */
async function compareAndDestroy(sum: string): Promise<void> {
  assert.match(await guest.mustExec("stratis pool list"), /^pulled /m);
  assert.doesNotMatch(await guest.mustExec("stratis pool list"), /EM00/);
  assert.equal(
    await guest.mustExec("mount /dev/stratis/pulled/home /mnt && sha256sum /mnt/data && umount /mnt"),
    sum,
  );
  await guest.mustExec("stratis filesystem destroy pulled home && stratis pool destroy pulled");
}

test("it shows in what the pool permits; with the disk back, a stop and a start heal it", async () => {
  await guest.mustExec("systemctl start stratisd");
  const sum = await pullUnderWriter();
  await guest.plug({ serial: "pulled", sizeBytes: 12 * GIB });
  await guest.mustExec("umount --lazy /mnt");
  await until("the pool is stopped", "stratis pool stop --name pulled");
  await guest.mustExec("stratis pool start --name pulled");
  await compareAndDestroy(sum);
  await guest.unplug("pulled");
});

test("stopped while the disk is gone, the pool leaves no device; it is set up when the disk comes back", async () => {
  const sum = await pullUnderWriter();
  await guest.mustExec("umount --lazy /mnt");
  await until("the pool is stopped", "stratis pool stop --name pulled");
  assert.equal((await guest.mustExec("dmsetup ls")).trim(), "No devices found");
  await guest.plug({ serial: "pulled", sizeBytes: 12 * GIB });
  await until("the pool is set up", "stratis pool list | grep -q '^pulled '");
  await compareAndDestroy(sum);
});
