/** What only the machine around the guest can do: disks that come, go and grow, and the power that fails. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { GIB, Guest } from "../harness/guest";

const DEVICE = "/dev/disk/by-id/virtio";
let guest: Guest;

before(async () => {
  guest = await Guest.boot({ disks: [{ serial: "first", sizeBytes: 12 * GIB }], cache: "durable" });
});
after(async () => {
  await guest.shutdown();
});

const sizeOf = async (serial: string): Promise<number> =>
  Number(await guest.mustExec(["blockdev", "--getsize64", `${DEVICE}-${serial}`]));

test("a disk that is plugged in appears, and one that is pulled goes", async () => {
  await guest.plug({ serial: "second", sizeBytes: 12 * GIB });
  assert.equal(await sizeOf("second"), 12 * GIB);
  await guest.unplug("second");
  const gone = await guest.exec(
    `for i in $(seq 100); do [ -e ${DEVICE}-second ] || exit 0; sleep 0.1; done; exit 1`,
  );
  assert.equal(gone.status, 0);
});

test("a disk grows while the guest runs", async () => {
  await guest.grow("first", 13 * GIB);
  assert.equal(await sizeOf("first"), 13 * GIB);
});

test("a pool and what was synced to it survive a power cut", async () => {
  await guest.mustExec("systemctl start stratisd");
  await guest.mustExec(`stratis pool create cut ${DEVICE}-first && stratis filesystem create cut home`);
  const sum = await guest.mustExec(
    "mount /dev/stratis/cut/home /mnt && head -c 20M /dev/urandom > /mnt/data && sync -f /mnt && sha256sum /mnt/data",
  );
  await guest.powerCut();
  await assert.rejects(guest.exec(["true"]), /its power was cut/);
  await guest.bootAgain();
  await guest.mustExec("systemctl start stratisd");
  assert.match(await guest.mustExec("stratis pool list"), /^cut /m);
  assert.equal(
    await guest.mustExec("mount /dev/stratis/cut/home /mnt && sha256sum /mnt/data && umount /mnt"),
    sum,
  );
  await guest.mustExec("stratis filesystem destroy cut home && stratis pool destroy cut");
});
