/**
 * A user's machine from the installation of the package to its removal: Debian's packages alone, and a root disk that keeps
 * what is written to it from boot to boot.
 */
import assert from "node:assert/strict";
import { after, before } from "node:test";
import {
  active,
  addToFstab,
  AS_NOBODY,
  bootMachine,
  DEVICE,
  DEVICE_DROP_INS,
  endMachine,
  installPackage,
  machine,
  makePools,
  mountedAt,
  POOLS,
  reboot,
  settled,
  snapshotMade,
  sh,
  timeOf,
  until,
  waitLonger,
} from "../../harness/user-machine";
import { monitoringSteps } from "./system/monitoring";
import { rescueSteps } from "./system/rescue";
import { step } from "./system/step";
import { unlockingSteps } from "./system/unlocking";

const GONE = "11111111-2222-4333-8444-555555555555";
const FILESYSTEMS_EACH = 4;
/** How long stratis-fstab-setup may wait for a pool, and then some. */
const TRIED_SECONDS = 240;
/** systemd's points, as the units argue them. */
const MOST_EXPOSED = 5.6;

const UNITS = ["stratisd", "stratisd-min-postinitrd", `stratis-fstab-setup@${GONE}`]
  .map((name) => `${name}.service`)
  .concat(
    `stratis-fstab-setup-with-network@${GONE}.service`,
    "stratis-metrics.service",
    "stratis-metrics.timer",
  );

/** What the system itself writes in the course of time, and what installing any package does. */
const NOT_OURS = [
  "/var/lib/dpkg",
  "/var/lib/apt",
  "/var/cache",
  "/var/log",
  "/var/tmp",
  "/var/lib/systemd",
  "/tmp",
  "/root",
  "/etc/fstab",
  "/usr/share/mime",
];

let filesBefore: string[] = [];

async function allFiles(): Promise<string[]> {
  const pruned = NOT_OURS.map((folder) => `-path ${folder} -prune -o`).join(" ");
  return (
    await sh(
      `find / /run -xdev \\( -path /run/systemd -o -path /run/udev -o -path /run/log -o -path /run/mount -o -path /run/user -o -path /run/initctl \\) -prune -o ${pruned} -print`,
    )
  )
    .split("\n")
    .sort();
}

before(() => bootMachine());
after(endMachine);

step("the package installs on a fresh system, and the daemon runs", async () => {
  await settled();
  filesBefore = await allFiles();
  await installPackage();
  assert.equal(await active("stratisd"), "active");
  assert.match(await sh("stratis daemon version"), /^3\.9\.2/);
  await snapshotMade();
  await reboot();
  assert.equal(await active("stratisd"), "active", "it starts at boot");
  await until("journalctl -b -u stratisd | grep -q 'This start was from the snapshot'", TRIED_SECONDS);
});

step("systemd and udev find nothing wrong", async () => {
  const units = await machine().exec([
    "systemd-analyze",
    "verify",
    "--man=no",
    "--recursive-errors=no",
    ...UNITS,
  ]);
  assert.deepEqual({ status: units.status, text: units.stdout + units.stderr }, { status: 0, text: "" });
  const rules = await machine().exec("udevadm verify /usr/lib/udev/rules.d/61-stratisd.rules");
  assert.equal(rules.status, 0, rules.stdout + rules.stderr);
  const security = await sh("systemd-analyze security --no-pager stratisd.service | tail -n 1");
  process.stdout.write(`# ${security}`);
  const [, points] = /exposure level for stratisd\.service: ([\d.]+)/.exec(security) ?? [];
  assert.ok(Number(points) <= MOST_EXPOSED, security);
});

step("nothing of the daemon is for others to read or write", async () => {
  const open = await sh("find /run/stratisd /run/stratisd.pid -perm /022 ! -type l");
  assert.equal(open.trim(), "");
  const readable = await sh("find /run/stratisd -perm /044 \\( -type f -o -type s \\)");
  assert.equal(readable.trim(), "");
  const seen = await machine().exec(`${AS_NOBODY} ls /run/stratisd/ns_mounts`);
  assert.match(seen.stderr, /Permission denied/);
  await sh(`${AS_NOBODY} stratis pool list`);
  const refused = await machine().exec(`${AS_NOBODY} stratis pool create nobodys ${DEVICE}-plain`);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /insufficient permissions/);
  const mounts = await sh("cat /proc/self/mounts");
  assert.doesNotMatch(mounts, /\.mdv-/, "the metadata volumes are mounted for the daemon alone");
});

step(
  "filesystems of /etc/fstab are there after a boot: of a plain, an early and a stopped pool",
  async () => {
    const lines = await makePools(FILESYSTEMS_EACH, (pool, uuid) =>
      pool === "plain"
        ? "defaults,nofail,x-systemd.after=stratisd.service"
        : `defaults,x-systemd.requires=stratis-fstab-setup@${uuid}.service`,
    );
    lines.push(
      `/dev/stratis/gone/fs /data/gone xfs defaults,nofail,x-systemd.device-timeout=40,x-systemd.requires=stratis-fstab-setup@${GONE}.service 0 2`,
    );
    await addToFstab(lines);
    // As long as the package has it, unless /etc/fstab says otherwise.
    const timeout = "systemctl show --value --property=JobRunningTimeoutUSec";
    assert.equal(
      await sh(`${timeout} dev-stratis-early-fs1.device dev-stratis-gone-fs.device`),
      "6min\n\n40s\n",
    );
    await waitLonger();
    for (const pool of POOLS)
      await sh(`mount /dev/stratis/${pool}/fs1 /mnt && echo ${pool} > /mnt/name && umount /mnt`);
    await sh("stratis pool stop --name=stopped");
    await reboot();
    for (const pool of POOLS) {
      for (let index = 1; index <= FILESYSTEMS_EACH; index += 1)
        await sh(`findmnt --mountpoint /data/${pool}${index}`);
      assert.equal(await sh(`cat /data/${pool}1/name`), `${pool}\n`);
    }
    assert.equal((await machine().exec("findmnt --mountpoint /data/gone")).status, 1);
    assert.equal(await active("local-fs.target"), "active");
    assert.equal(await active("stratisd"), "active");
    assert.equal(await active("stratisd-min-postinitrd"), "inactive", "stratisd has taken over");
    const list = await sh("stratis pool list");
    for (const pool of POOLS) assert.match(list, new RegExp(`^${pool} `, "m"));
    const missing = [`stratis-fstab-setup@${GONE}.service`];
    await tried(missing);
    assert.deepEqual(await ourFailed(), missing);
    await showTimes();

    await sh("systemctl restart data-early1.mount");
    assert.equal(await sh("cat /data/early1/name"), "early\n", "mounted while stratisd runs");
    const result = "systemctl show --value --property=Result stratisd-min-postinitrd";
    assert.equal((await sh(result)).trim(), "exec-condition", "skipped");
    // With that mount comes all of local-fs.target once more.
    await tried(missing);
    assert.deepEqual(await ourFailed(), missing);
  },
);

const tried = (units: readonly string[]): Promise<unknown> =>
  until(`! systemctl is-active ${units.join(" ")} | grep -q activating`, TRIED_SECONDS);

/** Units of Stratis and of its filesystems that systemd shows as failed, because of which the system is "degraded". */
async function ourFailed(): Promise<string[]> {
  const lines = (await sh("systemctl --failed --plain --no-legend")).split("\n");
  return lines.map((line) => line.replace(/ .*/, "")).filter((unit) => /stratis|^data-/.test(unit));
}

/** How long the boot took, for people. */
async function showTimes(): Promise<void> {
  const mounted = (pool: string): Promise<number> => mountedAt(pool, FILESYSTEMS_EACH);
  const times = {
    "stratisd-min begins": await timeOf("stratisd-min-postinitrd", "ExecMainStart"),
    "stratisd-min is ready": await timeOf("stratisd-min-postinitrd", "ActiveEnter"),
    "early pool mounted": await mounted("early"),
    "stopped pool mounted": await mounted("stopped"),
    "stratisd begins": await timeOf("stratisd", "ExecMainStart"),
    "stratisd is ready": await timeOf("stratisd", "ActiveEnter"),
    "plain pool mounted": await mounted("plain"),
  };
  for (const [what, seconds] of Object.entries(times))
    process.stdout.write(`# ${seconds.toFixed(2).padStart(7)} s  ${what}\n`);
}

const restarts = async (): Promise<number> =>
  Number(await sh("systemctl show --value --property=NRestarts stratisd"));

/** Until systemd has started the daemon so many times again. */
const restarted = (times: number): Promise<string> =>
  sh(
    `for i in $(seq 300); do [ "$(systemctl show --value --property=NRestarts stratisd)" -ge ${times} ] && systemctl is-active -q stratisd && exit 0; sleep 1; done; systemctl status stratisd; exit 1`,
  );

/** Writes so many files, a tenth of a second apart, and their sums. */
const writeFiles = (name: string, count: number): Promise<string> =>
  sh(
    `cd /data/early1 && for i in $(seq ${count}); do head -c 1M /dev/urandom > ${name}$i && sync ${name}$i && sha256sum ${name}$i >> /data/sums; sleep 0.1; done`,
  );

const compareFiles = (): Promise<string> =>
  sh("cd /data/early1 && echo 3 > /proc/sys/vm/drop_caches && sha256sum --check --quiet /data/sums");

step("a daemon that is killed under I/O comes back, takes its pools over, and nothing is lost", async () => {
  const writing = writeFiles("killed", 60);
  for (let round = 1; round <= 3; round += 1) {
    await sh("systemctl kill --signal=KILL stratisd");
    await restarted(round);
    assert.equal(await restarts(), round);
  }
  await writing;
  await sh("stratis filesystem create early again && stratis filesystem snapshot early fs1 copy");
  await compareFiles();
  await sh(
    "mount -o nouuid /dev/stratis/early/copy /mnt && cd /mnt && sha256sum --check --quiet /data/sums && cd / && umount /mnt",
  );
  await sh("stratis filesystem destroy early again copy");
});

step("a restart, and the package installed once more, leave what is mounted and written alone", async () => {
  const mounts = await sh("findmnt --noheadings --output=TARGET,SOURCE --types=xfs | sort");
  const writing = writeFiles("restarted", 60);
  await sh("systemctl restart stratisd");
  await sh(
    "DEBIAN_FRONTEND=noninteractive apt-get install -y --reinstall /project/build/package/stratis-node_*.deb",
  );
  await writing;
  assert.equal(await active("stratisd"), "active");
  assert.equal(await sh("findmnt --noheadings --output=TARGET,SOURCE --types=xfs | sort"), mounts);
  assert.match(await sh("stratis pool list"), /^early /m);
  await compareFiles();
});

step("a daemon that answers no more is started again by systemd's watchdog", async () => {
  const dropIns = "/run/systemd/system/stratisd.service.d";
  await sh(
    `mkdir -p ${dropIns} && printf '[Service]\\nWatchdogSec=20\\nTimeoutAbortSec=10\\n' > ${dropIns}/soon.conf && systemctl daemon-reload && systemctl restart stratisd`,
  );
  const before = await restarts();
  await sh("kill -STOP $(systemctl show --value --property=MainPID stratisd)");
  await restarted(before + 1);
  await sh(`rm -r ${dropIns} && systemctl daemon-reload && systemctl restart stratisd`);
  assert.match(await sh("stratis pool list"), /^early /m);
  await compareFiles();
});

monitoringSteps();
rescueSteps();
unlockingSteps();

step("purging leaves no file, and the pools as they are", async () => {
  await sh(`rm -r ${DEVICE_DROP_INS}`);
  await sh("DEBIAN_FRONTEND=noninteractive apt-get purge -y stratis-node");
  await sh("cd /data/early1 && sha256sum --check --quiet /data/sums");
  assert.match(await sh("dmsetup ls"), /^stratis-1-/m);
  const own = /^\/(data|mnt)(\/|$)|\/__pycache__|^\/run\/(credentials|fsck|lock|systemd)/;
  const left = (await allFiles()).filter((file) => !filesBefore.includes(file) && !own.test(file));
  assert.deepEqual(left, []);
  assert.equal((await machine().exec("systemctl cat stratisd")).status, 1);
});
