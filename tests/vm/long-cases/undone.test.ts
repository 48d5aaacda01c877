/**
 * A step of an operation fails, and the daemon goes on: everything is as it was before, and the operation can be done
 * then. What a step is, the addon's stand-in knows (guest/crash-native).
 *
 * STRATIS_UNDONE_POINTS: how many steps of each operation fail, one at a time; left out: 6 of them, drawn anew.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { failStep, failStepNamed, startCountedDaemon, stepsSoFar, countSteps } from "../guest/crash-points";
import { stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevLooksAt, udevSettled } from "../guest/udev";
import {
  closeBus,
  mustRun,
  requireBlank,
  stratis,
  stratisCommand,
  stratisFails,
  unmountAll,
  until,
} from "../cases/support";
import { KeptFile } from "../cases/kept-file";

const POINTS = Number(process.env["STRATIS_UNDONE_POINTS"] ?? 6);
const POOL = "undone";
const LIMIT_MILLISECONDS = 3600_000;
const kept = new KeptFile(POOL, "fs");
const [first, second] = ["d0", "d1"];

before(async () => {
  for (const serial of [first, second]) await wipeDisk(await disk(serial));
  await startCountedDaemon();
});
after(async () => {
  await unmountAll();
  await closeBus();
  await stopDaemon();
});

interface Operation {
  perform: string[];
  /** Command lines that take it back. */
  takeBack: string[][];
  /** The device that it needs, which is blank before. */
  device?: string;
}

/** Tables of all devices; a suspended one says so. */
async function layers(): Promise<string[]> {
  const stratisLines = (text: string): string[] =>
    text.split("\n").filter((line) => line.includes("stratis-1-"));
  const tables = stratisLines((await mustRun("dmsetup", ["table"])).stdout);
  const info = (await mustRun("dmsetup", ["info", "-c", "--noheadings", "-o", "name,suspended"])).stdout;
  return [...tables, ...stratisLines(info)].sort();
}

/** Numbers of steps to fail, of `count`. */
function drawn(count: number): number[] {
  const points = Math.min(POINTS, count);
  return Array.from(
    { length: points },
    (_, index) => 1 + Math.floor((count * (index + Math.random())) / points),
  );
}

async function failThroughout({ perform, takeBack, device }: Operation): Promise<string> {
  const undo = async (): Promise<void> => {
    for (const line of takeBack) await stratis(...line);
  };
  countSteps(0);
  await stratis(...perform);
  const steps = stepsSoFar();
  await undo();
  let before = await layers();
  const outcomes: string[] = [];
  for (const point of drawn(steps.length)) {
    failStep(point);
    const { status } = await stratisCommand(...perform);
    const failed = stepsSoFar()[point - 1] ?? "none";
    outcomes.push(
      `${status === 0 ? "done without" : "refused at"} step ${point} of ${steps.length}: ${failed}`,
    );
    await udevSettled();
    if (status !== 0) assert.deepEqual(await layers(), before, outcomes.at(-1));
    else {
      // What it can do without, it does without.
      await undo();
      before = await layers();
    }
    if (device !== undefined) {
      const path = await disk(device);
      await until("the device is blank", async () => {
        await udevSettled();
        return (await mustRun("sh", ["-c", `blkid -p ${path} || true`])).stdout === "";
      });
      await requireBlank(path);
    }
  }
  return outcomes.join("; ");
}

const OPTIONS = { timeout: LIMIT_MILLISECONDS };

test("creation of a pool", OPTIONS, async (context) => {
  const outcome = await failThroughout({
    perform: ["pool", "create", POOL, await disk(first)],
    takeBack: [["pool", "destroy", POOL]],
    device: first,
  });
  context.diagnostic(outcome);
});

test("creation and snapshot of a filesystem", OPTIONS, async (context) => {
  await stratis("pool", "create", POOL, await disk(first));
  await stratis("filesystem", "create", POOL, "fs", "--size", "600MiB");
  await kept.write(8);
  for (const what of [
    ["create", POOL, "new", "--size", "600MiB"],
    ["snapshot", POOL, "fs", "new"],
  ])
    context.diagnostic(
      await failThroughout({
        perform: ["filesystem", ...what],
        takeBack: [["filesystem", "destroy", POOL, "new"]],
      }),
    );
  await kept.compare();
  await unmountAll();
});

test(
  "a pool that could not be stopped wholly is cleaned up by the next stop, and stays down",
  OPTIONS,
  async () => {
    const stop = ["pool", "stop", "--name", POOL];
    failStepNamed(/^remove .*-thinpool-pool$/);
    assert.match(await stratisFails(...stop), /some component devices were not torn down/);
    assert.notDeepEqual(await layers(), []);
    stepsSoFar();
    await stratis(...stop);
    assert.deepEqual(await layers(), []);
    await udevLooksAt(await disk(first));
    // Answered after the event.
    assert.match(await stratis("pool", "list", "--stopped"), new RegExp(POOL));
    assert.deepEqual(await layers(), []);
    await stratis("pool", "start", "--name", POOL);
    await kept.mountAndCompare();
    await unmountAll();
  },
);

test(
  "filesystems have their own devices back when those of others could not be removed",
  OPTIONS,
  async () => {
    const names = ["a", "b", "c"];
    const files = names.map((name) => new KeptFile(POOL, name));
    for (const name of names) await stratis("filesystem", "create", POOL, name, "--size", "600MiB");
    for (const file of files) await file.write(1);
    await unmountAll();
    const compare = async (files: KeptFile[]): Promise<void> => {
      await udevSettled();
      for (const file of files) await file.mountAndCompare();
      await unmountAll();
    };
    const destroy = ["filesystem", "destroy", POOL, ...names];

    failStep(2);
    assert.match(await stratisFails(...destroy), /Failed to remove the device of filesystem "[abc]"/);
    await compare(files);
    failStep(2);
    assert.match(await stratisFails("pool", "stop", "--name", POOL), /Failed to take down the filesystems/);
    await compare(files);
    // Behind the removals of the devices: the first record, and the second.
    failStep(names.length + 1);
    assert.match(await stratisFails(...destroy), /Failed to remove the record of filesystem/);
    await compare(files);
    failStep(names.length + 3);
    assert.match(await stratisFails(...destroy), /that were to be destroyed only "[abc]" are/);
    const left = (await stratis("filesystem", "list", POOL)).split("\n").flatMap((line) => {
      const name = line.trim().split(/\s+/)[1] ?? "";
      return names.includes(name) ? [name] : [];
    });
    assert.equal(left.length, 2, left.join(" "));
    await compare(files.filter((_, index) => left.includes(names[index] ?? "")));
    await stratis("filesystem", "destroy", POOL, ...left);
    await kept.mountAndCompare();
    await unmountAll();
  },
);

test("a cache that is put in", OPTIONS, async (context) => {
  const outcome = await failThroughout({
    perform: ["pool", "init-cache", POOL, await disk(second)],
    takeBack: [
      ["pool", "stop", "--name", POOL],
      ["pool", "start", "--name", POOL, "--remove-cache"],
    ],
    device: second,
  });
  context.diagnostic(outcome);
  await kept.mountAndCompare();
  await unmountAll();
});
