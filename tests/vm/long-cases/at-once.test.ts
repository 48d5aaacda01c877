/** Requests that come at the same time: those that contend, and those that don't. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startDaemon, stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import {
  callStratis,
  closeBus,
  createPoolByBus,
  dmDevices,
  managedObjects,
  run,
  stopPoolByBus,
  stratis,
  stratisCommand,
  type Reply,
} from "../cases/support";

const DISKS = ["d0", "d1", "d2"];
const POOL = "org.storage.stratis3.pool.r9";

before(async () => {
  await startDaemon();
});
after(async () => {
  await closeBus();
  await stopDaemon();
  for (const serial of DISKS) await wipeDisk(await disk(serial));
});

const createFilesystem = (pool: string): Promise<Reply> =>
  callStratis(pool, POOL, "CreateFilesystems", "a(s(bs)(bs))", [
    [["f", [true, String(2n ** 29n)], [false, ""]]],
  ]);
const pathOf = ({ result }: Reply): string => (result as [boolean, [string]])[1][0];

test("two pools of one name at once: one is made, the other refused; one of another name is made beside it", async () => {
  const [a, b, c] = await Promise.all(DISKS.map(disk));
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  for (const path of [a, b, c]) await wipeDisk(path);
  const [first, second, other] = await Promise.all([
    createPoolByBus("same", [a]),
    createPoolByBus("same", [b]),
    createPoolByBus("other", [c]),
  ]);
  const [made, refused] = first.code === 0 ? [first, second] : [second, first];
  assert.deepEqual([made.code, refused.code, other.code], [0, 1, 0], `${first.message}; ${second.message}`);
  assert.match(refused.message, /Entry with name same already exists/);
  const objects = await managedObjects();
  assert.equal(Object.values(objects).filter((interfaces) => POOL in interfaces).length, 2);

  // One makes the filesystem, the other finds it there; on the other pool another of that name is made.
  const replies = await Promise.all([
    createFilesystem(pathOf(made)),
    createFilesystem(pathOf(made)),
    createFilesystem(pathOf(other)),
  ]);
  assert.deepEqual(
    replies.map(({ code, message }) => [code, message]),
    replies.map(() => [0, "Ok"]),
  );
  assert.deepEqual(
    replies.map(({ result }) => (result as [boolean])[0]),
    [true, false, true],
  );
});

test("a pool that is started while another of its name is made: one of them runs", async () => {
  const [made, free] = await Promise.all(
    DISKS.slice(0, 2).map(async (serial) => {
      const path = await disk(serial);
      return (await run("blkid", ["-p", path])).stdout === "" ? { free: path } : { made: path };
    }),
  ).then((found) => [found.find((it) => it.made)?.made, found.find((it) => it.free)?.free]);
  assert.ok(made !== undefined && free !== undefined);
  assert.equal((await stopPoolByBus("same")).code, 0);
  const [started, created] = await Promise.all([
    stratisCommand("pool", "start", "--name", "same"),
    createPoolByBus("same", [free]),
  ]);
  assert.equal(
    Number(started.status === 0) + Number(created.code === 0),
    1,
    started.stderr + created.message,
  );
  assert.match(
    started.status === 0 ? created.message : started.stderr,
    /Entry with name same already exists/,
  );
  const objects = await managedObjects();
  const running = Object.values(objects).filter((interfaces) => interfaces[POOL]?.["Name"] === "same");
  assert.equal(running.length, 1);
  if (created.code !== 0) return;
  // Back to the one that was there.
  await stratis("pool", "destroy", "same");
  await stratis("pool", "start", "--name", "same");
});

test("a pool that is stopped twice at once is stopped once, and the other call finds that done", async () => {
  const replies = await Promise.all([stopPoolByBus("same"), stopPoolByBus("same"), stopPoolByBus("other")]);
  assert.deepEqual(
    replies.map(({ code, message }) => [code, message]),
    replies.map(() => [0, "Ok"]),
  );
  assert.deepEqual(
    replies.map(({ result }) => (result as [boolean])[0]),
    [true, false, true],
  );
  assert.deepEqual(await dmDevices(), []);
  assert.deepEqual(await managedObjects(), {});
});
