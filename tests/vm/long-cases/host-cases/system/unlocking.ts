/** Steps: an encrypted pool that nobody types a passphrase for, unlocked at boot by a tang server. */
import assert from "node:assert/strict";
import { GIB } from "../../../harness/guest";
import {
  active,
  addToFstab,
  DEVICE,
  machine,
  reboot,
  sh,
  until,
  uuidOf,
} from "../../../harness/user-machine";
import { step } from "./step";

const TANG = "http://127.0.0.1";
const DROP_INS = "/etc/systemd/system/tangd.socket.d";
/** A server on this machine stands for one in the network: it has to be there when the network is. */
const AS_IN_THE_NETWORK = "[Unit]\\nDefaultDependencies=no\\nBefore=network-online.target\\n";
const MOUNTED_SECONDS = 300;
/** Longer than the unlocking takes; when that has failed the job of the device goes on waiting alone. */
const DEVICE_SECONDS = 400;

async function setUpTang(): Promise<void> {
  await sh(`mkdir -p ${DROP_INS} && printf '${AS_IN_THE_NETWORK}' > ${DROP_INS}/early.conf`);
  await sh("/usr/libexec/tangd-keygen /var/lib/tang && chown _tang: /var/lib/tang/*");
  await sh("systemctl daemon-reload && systemctl enable --now tangd.socket");
  await until(`curl -sf -o /dev/null ${TANG}/adv`, MOUNTED_SECONDS);
}

async function removeTang(): Promise<void> {
  await sh("systemctl disable --now tangd.socket");
  await sh(`rm -rf ${DROP_INS} /var/lib/tang/*.jwk /var/lib/tang/.*.jwk && systemctl daemon-reload`);
}

export function unlockingSteps(): void {
  let unit = "";

  step("a pool that is bound to a tang server is unlocked and mounted at boot", async () => {
    await setUpTang();
    await machine().plug({ serial: "bound", sizeBytes: 12 * GIB });
    // In an emulated guest longer than the two minutes that clients wait.
    await sh(
      `export STRATIS_DBUS_TIMEOUT=600000 && stratis pool create --clevis tang --tang-url ${TANG} --trust-url bound ${DEVICE}-bound && stratis filesystem create bound fs`,
    );
    await sh(
      "mount /dev/stratis/bound/fs /mnt && echo sealed > /mnt/name && umount /mnt && mkdir -p /data/bound",
    );
    unit = `stratis-fstab-setup-with-network@${await uuidOf("bound")}.service`;
    const options = `defaults,_netdev,x-systemd.device-timeout=${DEVICE_SECONDS},x-systemd.requires=${unit}`;
    await addToFstab([`/dev/stratis/bound/fs /data/bound xfs ${options} 0 2`]);
    await sh("stratis pool stop --name=bound");
    await reboot();
    assert.equal(
      await sh("findmnt --mountpoint /data/bound > /dev/null && cat /data/bound/name"),
      "sealed\n",
    );
    assert.equal(await active("remote-fs.target"), "active");
    assert.match(await sh("stratis pool list --name=bound"), /tang/);
  });

  step(
    "without the server the boot goes on, says what it was, and the mount succeeds when the server is back",
    async () => {
      await sh("umount /data/bound && stratis pool stop --name=bound && systemctl disable tangd.socket");
      await reboot();
      assert.equal((await machine().exec("findmnt --mountpoint /data/bound")).status, 1);
      assert.equal(await active("multi-user.target"), "active");
      assert.equal(await active(unit), "failed");
      assert.match(
        await sh(`journalctl --boot --output=cat --unit=${unit}`),
        /starting pool [0-9a-f-]{36} by its Clevis bindings failed/,
      );
      assert.match(await sh("stratis pool list --stopped"), /^bound /m);
      await sh("systemctl start tangd.socket && systemctl start data-bound.mount");
      assert.equal(await sh("cat /data/bound/name"), "sealed\n");
      await sh("umount /data/bound && sed -i '\\, /data/bound ,d' /etc/fstab && systemctl daemon-reload");
      await sh("stratis filesystem destroy bound fs && stratis pool destroy bound");
      await removeTang();
    },
  );
}
