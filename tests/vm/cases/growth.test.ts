/** The thin pool grows by itself before it is full, and a filesystem before it is full. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  callStratis,
  closeBus,
  dmLength,
  mountPoint,
  mustRun,
  poolObject,
  poolProperties,
  run,
  setProperty,
  sha256,
  stratis,
  succeeded,
  unmountAll,
  until,
} from "./support";

const POOL_INTERFACE = "org.storage.stratis3.pool.r9";

before(async () => {
  await startDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

test("a pool that is given a disk grows into it, because less than the low-water mark is free", async () => {
  const [first, second] = [await disk("d0"), await disk("d1")];
  for (const path of [first, second]) await wipeDisk(path);
  await stratis("pool", "create", "grows", first);
  const start = await dmLength(/flex-thindata/);
  assert.ok(start > 0n);
  await stratis("filesystem", "create", "grows", "data", "--size", "2GiB");
  const at = await mountPoint("data");
  await mustRun("mount", ["/dev/stratis/grows/data", at]);
  await mustRun("dd", ["if=/dev/urandom", `of=${at}/written`, "bs=1M", "count=200", "status=none"]);
  await mustRun("sync", []);
  const hash = await sha256(`${at}/written`);

  await stratis("pool", "add-data", "grows", second);
  await until("the thin data device is larger", async () => (await dmLength(/flex-thindata/)) > start);
  const { stdout } = await mustRun("dmsetup", ["status", "--target", "thin-pool"]);
  assert.match(stdout, / rw /, stdout);
  assert.equal(await dmLength(/thinpool-pool/), await dmLength(/flex-thindata/));
  assert.equal(await sha256(`${at}/written`), hash);
});

test("space that was just added can become thin metadata, for a higher limit of filesystems", async () => {
  const [first, second] = [await disk("d2"), await disk("d3")];
  for (const path of [first, second]) await wipeDisk(path);
  await stratis("pool", "create", "limits", first);
  const { path } = await poolObject("limits");
  await until(
    "all space is given out",
    async () => (await poolProperties("limits"))["NoAllocSpace"] === true,
  );
  const raise = (limit: bigint): Promise<void> => setProperty(path, POOL_INTERFACE, "FsLimit", "t", limit);
  await assert.rejects(raise(1000n), /Not enough unallocated space/);
  await succeeded(callStratis(path, POOL_INTERFACE, "AddDataDevs", "as", [[second]]));
  await raise(1000n);
  assert.equal((await poolProperties("limits"))["FsLimit"], 1000n);
  await stratis("pool", "destroy", "limits");
});

test("a mounted filesystem that is more than half full is doubled, up to its limit", async () => {
  await stratis("filesystem", "create", "grows", "small", "--size", "512MiB", "--size-limit", "1GiB");
  const at = await mountPoint("small");
  await mustRun("mount", ["/dev/stratis/grows/small", at]);
  const size = async (): Promise<number> =>
    Number((await mustRun("df", ["--output=size", "-B1", at])).stdout.split("\n")[1]);
  // It may grow while it is still being written.
  const before = await size();
  await mustRun("dd", ["if=/dev/zero", `of=${at}/half`, "bs=1M", "count=300", "status=none"]);
  await mustRun("sync", []);
  await until("the filesystem is larger", async () => (await size()) > 1.8 * before);
  assert.match(await stratis("filesystem", "list", "grows"), /small +1 GiB \/ /);

  await mustRun("dd", ["if=/dev/zero", `of=${at}/more`, "bs=1M", "count=350", "status=none"]);
  await sleep(15_000);
  assert.match(await stratis("filesystem", "list", "grows"), /small +1 GiB \/ /, "not beyond its limit");
});

test("a filesystem that has grown is sound", async () => {
  await unmountAll();
  for (const name of ["small", "data"]) {
    const check = await run("xfs_repair", ["-n", `/dev/stratis/grows/${name}`]);
    assert.equal(check.status, 0, check.stdout + check.stderr);
  }
});
