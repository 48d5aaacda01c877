/** `stratis doctor` on a machine that is a directory, with a stratisd that says what the test has it say. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { useHarness, type World } from "./cli-support/harness";
import { FakeMachine } from "./cli-support/machine";
import { runStratis } from "./cli-support/run";
import {
  DATA,
  DATA_UUID,
  ok,
  property,
  propertiesOf,
  sampleObjects,
  SNAPSHOT,
  STOPPED_UUIDS,
  stopped,
  stoppedPools,
  variant,
  VAULT,
  VAULT_UUID,
  WWW_UUID,
} from "./cli-support/world";

const harness = useHarness();

let machine: FakeMachine;
beforeEach(async () => {
  machine = await FakeMachine.make();
});
afterEach(() => machine.end());

interface Finding {
  check: string;
  level: "ok" | "note" | "warning" | "error";
  message: string;
  advice: string | null;
}

const REPORT = { name_to_pool_uuid_map: {}, partially_constructed_pools: [], stopped_pools: [] };

/** The sample without anything that is not in order. */
function healthy(): World {
  const objects = sampleObjects();
  const data = propertiesOf(objects, DATA);
  data["AvailableActions"] = variant("s", "fully_operational");
  data["NoAllocSpace"] = variant("b", false);
  for (const path of Object.keys(objects)) {
    const properties = propertiesOf(objects, path);
    if ("NewPhysicalSize" in properties) properties["NewPhysicalSize"] = variant("(bs)", [false, ""]);
  }
  propertiesOf(objects, SNAPSHOT)["MergeScheduled"] = variant("b", false);
  return {
    objects,
    answers: {
      "Get Version": property("s", "3.9.2"),
      "Get StoppedPools": stopped({}),
      EngineStateReport: ok("s", JSON.stringify(REPORT)),
    },
  };
}

/** What is found, and the exit code, which must fit to it. */
async function found(world: World = healthy()): Promise<Finding[]> {
  const { code, stdout, stderr } = await harness().run(["doctor", "--root", machine.root, "--json"], world);
  assert.equal(stderr, "");
  const {
    version,
    healthy: isHealthy,
    findings,
  } = JSON.parse(stdout) as {
    version: number;
    healthy: boolean;
    findings: Finding[];
  };
  assert.equal(version, 1);
  assert.equal(code, isHealthy ? 0 : 1);
  assert.equal(
    isHealthy,
    findings.every(({ level }) => level === "ok" || level === "note"),
  );
  return findings;
}

/** Exactly one finding has the message; its level. */
function levelOf(findings: Finding[], message: RegExp): string {
  const matching = findings.filter((finding) => message.test(finding.message));
  assert.equal(matching.length, 1, `${message.source}:\n${JSON.stringify(findings, null, 1)}`);
  return matching[0]?.level ?? "";
}

test("a machine in order", async () => {
  const findings = await found();
  assert.deepEqual(
    findings.filter(({ level }) => level !== "ok").map(({ message }) => message),
    ["Clevis is not installed, so that no pool can be bound to it or unlocked by it"],
  );
  assert.equal(levelOf(findings, /^stratisd 3\.9\.2 answers/), "ok");
  assert.equal(levelOf(findings, /^mkfs\.xfs is \/usr\/sbin\/mkfs\.xfs, version 6\.1\.2$/), "ok");
  assert.equal(levelOf(findings, /the module dm_thin_pool, which it loads/), "ok");
  const { code, stdout } = await harness().run(["doctor", "--root", machine.root], healthy());
  assert.equal(code, 0);
  assert.match(stdout, /^ok {7}daemon {9}stratisd 3\.9\.2 answers on the message bus$/m);
  const quiet = await harness().run(["doctor", "--root", machine.root, "--quiet"], healthy());
  assert.deepEqual(quiet, { code: 0, stdout: "", stderr: "" });
});

test("without a daemon", async () => {
  const { code, stdout } = await runStratis("unix:path=/nonexistent/bus", ["doctor", "--root", machine.root]);
  assert.equal(code, 1);
  assert.match(stdout, /^error {4}daemon .*the message bus cannot be reached/m);
  assert.match(stdout, /the pools are not known without stratisd/);
  const denied = { error: "org.freedesktop.DBus.Error.AccessDenied", message: "no" };
  const world = healthy();
  const findings = await found({ ...world, answers: { ...world.answers, GetManagedObjects: denied } });
  assert.equal(levelOf(findings, /this user may not ask stratisd everything/), "warning");
  const gone = { error: "org.freedesktop.DBus.Error.ServiceUnknown", message: "no" };
  await machine.file("proc/77/comm", "stratisd\n");
  const absent = await found({ ...world, answers: { ...world.answers, GetManagedObjects: gone } });
  assert.equal(levelOf(absent, /a process stratisd runs, but it is not on the message bus/), "error");
});

test("files that are missing, or wrong", async () => {
  await machine.remove(
    "usr/lib/systemd/system/stratisd.service",
    "usr/share/dbus-1/system.d/stratisd.conf",
    "run/udev/control",
    "usr/lib/udev/stratis-str-cmp",
    "usr/sbin/thin_check",
    "usr/bin/thin_metadata_size",
  );
  await machine.program("usr/bin/clevis", "");
  const findings = await found();
  assert.equal(levelOf(findings, /systemd has no stratisd\.service/), "warning");
  assert.equal(levelOf(findings, /the policy of the message bus/), "error");
  assert.equal(levelOf(findings, /udev does not run/), "warning");
  assert.equal(levelOf(findings, /the program stratis-str-cmp, which the rules of udev call/), "error");
  assert.equal(levelOf(findings, /thin_check is missing, .*stratisd does not start without it/), "error");
  assert.equal(levelOf(findings, /thin_metadata_size is missing/), "note");
  assert.equal(levelOf(findings, /programs are missing: clevis-luks-bind, .*jose/), "note");

  await machine.file("etc/dbus-1/system.d/stratisd.conf", "<busconfig/>");
  // What is in /etc shadows what the package has installed.
  await machine.file("etc/udev/rules.d/61-stratisd.rules", "");
  const shadowed = await found();
  assert.equal(
    levelOf(shadowed, /\/etc\/dbus-1\/system\.d\/stratisd\.conf does not let stratisd own its name/),
    "error",
  );
  assert.equal(levelOf(shadowed, /rules\.d\/61-stratisd\.rules is empty/), "error");
  await machine.remove("etc/udev/rules.d", "usr/lib/udev/rules.d");
  assert.equal(levelOf(await found(), /the rules of udev, 61-stratisd\.rules, are in none of/), "error");
});

test("a kernel without what pools are made of", async () => {
  await machine.file("lib/modules/6.1.0/modules.dep", "kernel/drivers/md/dm-cache.ko: \n");
  const findings = await found();
  assert.equal(levelOf(findings, /kernel 6\.1\.0 lacks thin provisioning \(module dm_thin_pool\)/), "error");
  assert.equal(
    levelOf(findings, /kernel 6\.1\.0 lacks device-mapper's encryption .*encrypted pools/),
    "warning",
  );
  assert.equal(levelOf(findings, /has device-mapper's cache, as the module/), "ok");
  await machine.remove("lib/modules");
  assert.equal(
    levelOf(await found(), /it cannot be told whether kernel 6\.1\.0 has thin provisioning/),
    "note",
  );
  await machine.file("boot/config-6.1.0", "CONFIG_DM_THIN_PROVISIONING=y\nCONFIG_BLK_DEV_DM=y\n");
  const configured = await found();
  assert.equal(levelOf(configured, /^the kernel has thin provisioning$/), "ok");
  assert.equal(levelOf(configured, /lacks device-mapper's cache/), "warning");
});

test("lines of fstab", async () => {
  const setup = (uuid: string): string => `x-systemd.requires=stratis-fstab-setup@${uuid}.service,nofail`;
  await machine.file(
    "etc/fstab",
    [
      "/dev/sda1 / ext4 defaults 0 1",
      "/dev/stratis/data/www /good xfs defaults,x-systemd.after=stratisd.service,nofail 0 0",
      "/dev/stratis/data/www /early xfs defaults 0 0",
      "/dev/stratis/data/none /none xfs x-systemd.requires=stratisd.service,nofail 0 0",
      "/dev/stratis/nope/x /nope ext4 x-systemd.requires=stratisd.service,nofail 0 0",
      `/dev/mapper/stratis-1-${DATA_UUID}-thin-fs-${WWW_UUID} /mapper xfs x-systemd.requires=stratisd.service,nofail 0 0`,
      `UUID=${WWW_UUID.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")} /uuid xfs nofail 0 0`,
      `/dev/stratis/data/www /own xfs ${setup(DATA_UUID)} 0 0`,
      `/dev/stratis/data/www /other xfs ${setup(VAULT_UUID)} 0 0`,
      "/dev/stratis/data/www /unit xfs x-systemd.requires=stratisd,nofail 0 0",
      `/dev/stratis/data/www /net xfs x-systemd.requires=stratis-fstab-setup-with-network@${DATA_UUID}.service,nofail 0 0`,
      "/dev/stratis/data/www /later xfs noauto 0 0",
      "/dev/stratis/backup/b /stopped\\040pool xfs x-systemd.requires=stratisd.service,nofail 0 0",
      "/dev/stratis/data/www /cycle xfs defaults,x-systemd.requires=stratisd.service 0 0",
    ].join("\n"),
  );
  const world = healthy();
  const answers = { ...world.answers, "Get StoppedPools": stopped(stoppedPools()) };
  const findings = (await found({ ...world, answers })).filter(({ check }) => check === "fstab");
  const at = (line: number, place: string, rest: string): RegExp =>
    new RegExp(`^/etc/fstab, line ${line} \\(${place}\\) ${rest}`);
  assert.equal(levelOf(findings, at(2, "/good", "is in order")), "ok");
  assert.equal(levelOf(findings, at(3, "/early", "does not wait for stratisd")), "warning");
  assert.equal(levelOf(findings, at(3, "/early", "has not the option nofail")), "note");
  assert.equal(
    levelOf(findings, at(4, "/none", 'is about filesystem "none", which pool "data" does not have')),
    "error",
  );
  assert.equal(levelOf(findings, at(5, "/nope", "has the type ext4")), "error");
  assert.equal(
    levelOf(findings, at(5, "/nope", 'is about pool "nope", which stratisd does not know')),
    "warning",
  );
  const mapped = findings.find(({ message }) => at(6, "/mapper", "names /dev/mapper").test(message));
  assert.deepEqual([mapped?.level, mapped?.advice], ["warning", "Write /dev/stratis/data/www instead."]);
  assert.equal(levelOf(findings, at(7, "/uuid", "does not wait for stratisd")), "warning");
  assert.equal(levelOf(findings, at(8, "/own", "is in order")), "ok");
  assert.equal(levelOf(findings, at(9, "/other", "requires .* which starts another pool")), "error");
  assert.equal(
    levelOf(findings, at(10, "/unit", 'requires "stratisd", which is no name of a unit')),
    "warning",
  );
  assert.equal(levelOf(findings, at(11, "/net", "requires .* lacks the option _netdev")), "error");
  assert.equal(levelOf(findings, at(12, "/later", "is in order")), "ok");
  assert.equal(
    levelOf(findings, at(13, "/stopped pool", 'is about pool "backup", which is stopped')),
    "warning",
  );
  assert.equal(levelOf(findings, at(14, "/cycle", "requires .* lacks the option nofail")), "error");
  assert.equal(levelOf(findings, at(14, "/cycle", "requires .* is unmounted when")), "warning");
  assert.ok(!findings.some(({ message }) => at(14, "/cycle", "has not").test(message)));
});

test("pools with alerts, nearly full, and with a revert", async () => {
  const world = healthy();
  const objects = sampleObjects();
  propertiesOf(objects, VAULT)["TotalPhysicalUsed"] = variant("(bs)", [true, "2000000000000"]);
  const findings = (await found({ ...world, objects })).filter(({ check }) => check === "pools");
  assert.equal(levelOf(findings, /pool "data" has the alert EM001/), "error");
  assert.equal(levelOf(findings, /pool "data" has the alert WS001/), "warning");
  assert.equal(levelOf(findings, /pool "data" has the alert IDS001/), "note");
  assert.equal(levelOf(findings, /pool "vault" is nearly full: 1\.82 TiB of 2\.00 TiB/), "warning");
  assert.equal(levelOf(findings, /snapshot "www-snap" of pool "data" will replace its origin/), "note");
});

test("stopped pools, and why they are", async () => {
  const world = healthy();
  const pools = stoppedPools();
  const mixed = "e".repeat(32);
  pools[mixed] = {
    ...pools[STOPPED_UUIDS.plain],
    name: variant("s", "mixed"),
    metadata_version: variant("(bi)", [false, 0]),
  };
  const report = {
    ...REPORT,
    name_to_pool_uuid_map: { twin: [STOPPED_UUIDS.plain, DATA_UUID] },
    partially_constructed_pools: [{ pool_uuid: STOPPED_UUIDS.old, devices: [] }],
  };
  const answers = {
    ...world.answers,
    "Get StoppedPools": stopped(pools),
    EngineStateReport: ok("s", JSON.stringify(report)),
  };
  const findings = (await found({ ...world, answers })).filter(({ check }) => check === "stopped pools");
  assert.equal(levelOf(findings, /pool "backup" is stopped and encrypted/), "note");
  assert.equal(
    levelOf(findings, /the pool with UUID bbbb.* its metadata cannot be read .*\/dev\/sdf/),
    "warning",
  );
  assert.equal(
    levelOf(findings, /pool "old" could not be started with the devices that are there: \/dev\/sdg/),
    "warning",
  );
  assert.equal(
    levelOf(findings, /pool "plain" is stopped, because another pool has the same name/),
    "warning",
  );
  assert.equal(levelOf(findings, /pool "mixed" cannot be started: .* disagree/), "warning");
});

test("thin pools whose metadata is nearly full, or that have failed", async (context) => {
  const status = (uuid: string, text: string): string =>
    `stratis-1-private-${uuid}-thinpool-pool: 0 2097152 thin-pool ${text}`;
  const working = (used: number, mode: string, check: string): string =>
    `0 ${used}/100 5/1000 - ${mode} no_discard_passdown queue_if_no_space ${check} 1024`;
  await machine.program(
    "usr/sbin/dmsetup",
    `cat <<END\n${[
      status(DATA_UUID, working(95, "rw", "-")),
      status(VAULT_UUID, working(10, "out_of_data_space", "needs_check")),
      status("f".repeat(32), "Fail"),
      "other: 0 100 thin-pool 0 99/100 1/2 - rw no_discard_passdown queue_if_no_space - 1",
    ].join("\n")}\nEND`,
  );
  const findings = (await found()).filter(({ check }) => check === "thin pools");
  if (process.geteuid?.() !== 0) {
    context.diagnostic("only root may ask the kernel");
    assert.equal(levelOf(findings, /only root can see/), "note");
    return;
  }
  assert.equal(findings.length, 5);
  assert.equal(levelOf(findings, /the thin metadata of pool "data" is 95 % full/), "warning");
  assert.equal(levelOf(findings, /the thin metadata of pool "vault" is 10 % full/), "ok");
  assert.equal(levelOf(findings, /the thin pool of pool "vault" is marked to be checked/), "error");
  assert.equal(levelOf(findings, /the thin pool of pool "vault" has no space left/), "error");
  assert.equal(levelOf(findings, /the thin pool of the pool with UUID ffff.* has failed/), "error");
});

test("devices with a header of Stratis that belong to no pool", async () => {
  const gib = 1024n ** 3n;
  await machine.device("sdb", "8:16", 4n * gib, "E:ID_FS_TYPE=stratis\n");
  await machine.device("sdx", "8:32", 4n * gib, "E:ID_FS_TYPE=stratis\n");
  await machine.device("sdy", "8:48", 4n * gib, "E:ID_FS_TYPE=stratis\n");
  await machine.file("sys/class/block/sdy/holders/dm-5", "");
  await machine.device("sdz", "8:64", 4n * gib, "E:ID_FS_TYPE=xfs\n");
  const findings = (await found()).filter(({ check }) => check === "devices");
  assert.equal(findings.length, 1);
  assert.equal(levelOf(findings, /^\/dev\/sdx \(4 GiB\) carries a header of Stratis/), "warning");
});
