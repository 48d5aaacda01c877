/**
 * The command that grows a filesystem fails: before XFS has grown, after it has, and so that its device can't be made
 * smaller again. A program of the case's own stands where the command is.
 */
import assert from "node:assert/strict";
import { chmod, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { KeptFile } from "../cases/kept-file";
import {
  closeBus,
  dmLength,
  mountPoint,
  mustRun,
  poolProperties,
  run,
  stratis,
  unmountAll,
  until,
} from "../cases/support";
import { FAIL_NEXT_STEP, startCountedDaemon } from "../guest/crash-points";
import { stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";

const POOL = "unwilling";
const COMMAND = "/usr/sbin/xfs_growfs";
const REAL = "/run/case-xfs-growfs";
const FAKE = "/run/case-failing-growfs";
const MIB = 2n * 1024n;
/** Longer than two of the daemon's checks. */
const TWO_CHECKS_MILLISECONDS = 25_000;
const kept = new KeptFile(POOL, "fs");

before(async () => {
  await wipeDisk(await disk("d0"));
  await mustRun("cp", [COMMAND, REAL]);
  await writeFile(FAKE, "");
  await chmod(FAKE, 0o755);
  await mustRun("mount", ["--bind", FAKE, COMMAND]);
  await startCountedDaemon();
  await stratis("pool", "create", POOL, await disk("d0"));
  await stratis("filesystem", "create", POOL, "fs", "--size", "512MiB");
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
  await mustRun("umount", [COMMAND]);
});

/** From now on the command is this. */
const growWith = (script: string): Promise<void> => writeFile(FAKE, `#!/bin/sh\n${script}\n`);
const FAILS = "echo no >&2; exit 1";

const lengthOfDevice = (): Promise<bigint> => dmLength(/thin-fs/);
const sizeOfXfs = async (): Promise<number> =>
  Number((await mustRun("df", ["--output=size", "-B1M", await mountPoint("fs")])).stdout.split("\n")[1]);

const hasFailed = async (text: RegExp): Promise<boolean> =>
  text.test((await mustRun("cat", ["/run/stratis-cases/stratisd.log"])).stdout);

async function restartPool(): Promise<void> {
  await unmountAll();
  await stratis("pool", "stop", "--name", POOL);
  await stratis("pool", "start", "--name", POOL);
}

test("XFS that did not grow has the device that it had", async () => {
  await growWith(FAILS);
  const at = await kept.write(300);
  await until("a growth fails", () =>
    hasFailed(/Growing filesystem "fs" .*not tried again for 10 s: .*xfs_growfs/),
  );
  await until("the device is as it was", async () => (await lengthOfDevice()) === 512n * MIB);
  assert.match(await stratis("filesystem", "list", POOL), /512 MiB/);
  assert.equal((await poolProperties(POOL))["AvailableActions"], "fully_operational");
  await writeFile(`${at}/more`, "still writable");
});

test("a device that can't be made smaller again stays as it is, and grows no further", async () => {
  await growWith(`${FAIL_NEXT_STEP}; ${FAILS}`);
  await until(
    "the pool says so",
    async () => (await poolProperties(POOL))["AvailableActions"] === "no_pool_changes",
  );
  assert.equal(await lengthOfDevice(), 1024n * MIB);
  await sleep(TWO_CHECKS_MILLISECONDS);
  assert.equal(await lengthOfDevice(), 1024n * MIB);
  assert.match(await stratis("filesystem", "list", POOL), / 1 GiB \/ /);
  await kept.compare();
});

test("its next growth covers both", async () => {
  await growWith(`exec ${REAL} "$@"`);
  await restartPool();
  assert.equal((await poolProperties(POOL))["AvailableActions"], "fully_operational");
  await kept.mountAndCompare();
  await until("XFS is larger", async () => (await sizeOfXfs()) > 1800);
  assert.equal(await lengthOfDevice(), 2048n * MIB);
});

test("a command that fails when XFS has grown has grown it", async () => {
  await growWith(`${REAL} "$@"; ${FAILS}`);
  const at = await mountPoint("fs");
  await mustRun("dd", [
    "if=/dev/zero",
    `of=${at}/filler`,
    "bs=1M",
    "count=1000",
    "conv=fsync",
    "status=none",
  ]);
  await until("XFS is larger", async () => (await sizeOfXfs()) > 3600);
  await until("it is told", () => hasFailed(/has grown although the command for it failed/));
  assert.equal(await lengthOfDevice(), 4096n * MIB);
  assert.match(await stratis("filesystem", "list", POOL), / 4 GiB \/ /);
  assert.equal((await poolProperties(POOL))["AvailableActions"], "fully_operational");
  await restartPool();
  await kept.mountAndCompare();
  await unmountAll();
  const check = await run("xfs_repair", ["-n", `/dev/stratis/${POOL}/fs`]);
  assert.equal(check.status, 0, check.stdout + check.stderr);
});
