/** A guest that is a user's machine: Debian's packages, ours, three disks. There is one at a time. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { SNAPSHOT } from "../guest/daemon";
import { GIB, Guest } from "./guest";
import { PROJECT } from "./image";

export const DEVICE = "/dev/disk/by-id/virtio";
export const POOLS = ["plain", "early", "stopped"];
/** Whoever may do nothing. */
export const AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups";

export const DEVICE_DROP_INS = "/etc/systemd/system/dev-stratis-.device.d";
const COMMAND_MILLISECONDS = 900_000;
const JOBS_SECONDS = 600;
const LIMIT_SECONDS = 5400;
const SNAPSHOT_SECONDS = 600;

const PACKAGE_FOLDER = "build/package";

let booted: Guest | null = null;

export function machine(): Guest {
  assert.ok(booted !== null, "the guest has not been booted");
  return booted;
}

export async function bootMachine(limitSeconds = LIMIT_SECONDS): Promise<void> {
  const disks = POOLS.map((serial) => ({ serial, sizeBytes: 12 * GIB }));
  booted = await Guest.boot({ fresh: true, disks, limitSeconds });
  // The image leaves out the pages and the documentation of packages, which a user's machine has of ours.
  await sh("rm -f /etc/dpkg/dpkg.cfg.d/99mmdebstrap");
}

/** Builds the package, and installs it from what a user would download. */
export async function installPackage(): Promise<void> {
  const file = execFileSync("sh", ["packaging/deb.sh", PACKAGE_FOLDER], { cwd: PROJECT, encoding: "utf8" });
  await sh(
    `cp /project/${file.trim()} /tmp/ && cd /tmp && DEBIAN_FRONTEND=noninteractive apt-get install -y ./stratis-node_*.deb`,
  );
}

/** Adds lines to /etc/fstab. */
export async function addToFstab(lines: readonly string[]): Promise<void> {
  await machine().mustExec("cat >> /etc/fstab && systemctl daemon-reload", {
    input: `${lines.join("\n")}\n`,
  });
}

/**
 * Makes a pool on each disk, with filesystems fs1, fs2, ..., whose mount points are /data/POOL1, /data/POOL2, ...
 * Returns their lines of /etc/fstab.
 */
export async function makePools(
  filesystemsEach: number,
  optionsOf: (pool: string, uuid: string) => string,
): Promise<string[]> {
  const lines: string[] = [];
  for (const pool of POOLS) {
    await sh(`stratis pool create ${pool} ${DEVICE}-${pool}`);
    const options = optionsOf(pool, await uuidOf(pool));
    for (let index = 1; index <= filesystemsEach; index += 1) {
      await sh(`stratis filesystem create ${pool} fs${index}`);
      lines.push(`/dev/stratis/${pool}/fs${index} /data/${pool}${index} xfs ${options} 0 2`);
    }
  }
  return lines;
}

/** An emulated machine takes minutes to boot: systemd waits for devices longer than on a user's. */
export async function waitLonger(): Promise<void> {
  await sh(
    `mkdir -p ${DEVICE_DROP_INS} && printf '[Unit]\\nJobRunningTimeoutSec=30min\\n' > ${DEVICE_DROP_INS}/20-slow.conf && ` +
      "systemctl daemon-reload",
  );
}

export async function endMachine(): Promise<void> {
  await booted?.shutdown();
}

/** Runs a script in the guest, which has to succeed. Returns its standard output. */
export const sh = (script: string): Promise<string> =>
  machine().mustExec(script, { timeoutMs: COMMAND_MILLISECONDS });

/** Runs `condition` in the guest once a second until it succeeds. */
export const until = (condition: string, seconds: number): Promise<string> =>
  sh(`for i in $(seq ${seconds}); do ${condition} && exit 0; sleep 1; done; exit 1`);

/** What every start of the daemon but the first begins with. */
export const snapshotMade = (): Promise<string> => until(`test -e ${SNAPSHOT}`, SNAPSHOT_SECONDS);

export const active = async (unit: string): Promise<string> =>
  (await machine().exec(["systemctl", "is-active", unit])).stdout.trim();

export const uuidOf = async (pool: string): Promise<string> =>
  (await sh(`stratis pool list --no-header --columns=name,uuid | awk '$1 == "${pool}" { print $2 }'`)).trim();

/** What units are waited for, and what the daemon and the devices of pools are at. */
const SITUATION =
  "systemctl list-jobs --no-pager; systemctl --no-pager status stratisd.service; " +
  "journalctl -b -u stratisd.service --no-pager | tail -n 40; ls -lR /dev/stratis";

/** Until nothing starts any more. Throws when the boot has ended in emergency mode. */
export async function settled(): Promise<void> {
  await sh(
    `for i in $(seq ${JOBS_SECONDS}); do systemctl is-active -q emergency.target && exit 0; ` +
      `systemctl list-jobs --no-legend | grep -q . || exit 0; sleep 1; done; { ${SITUATION}; } >&2; exit 1`,
  );
  assert.equal(await active("emergency.target"), "inactive", "the boot ended in emergency mode");
}

export async function reboot(): Promise<void> {
  await machine().powerOff();
  await machine().bootAgain();
  await settled();
}

/** When a unit reached a point of its life, in seconds since the kernel began. */
export const timeOf = async (unit: string, property: string): Promise<number> =>
  Number(await sh(`systemctl show --value --property=${property}TimestampMonotonic ${unit}`)) / 1e6;

/** When the last filesystem of a pool was mounted. */
export async function mountedAt(pool: string, filesystems: number): Promise<number> {
  const times: number[] = [];
  for (let index = 1; index <= filesystems; index += 1)
    times.push(await timeOf(`data-${pool}${index}.mount`, "ActiveEnter"));
  return Math.max(...times);
}
