/**
 * The same operations, drawn by chance, asked of our daemon and of stratisd 3.9.2, each on disks of its own: they give
 * the same answers, and clients see the same afterwards.
 *
 * STRATIS_CHANCE_SEED: a number that decides what is drawn; left out, it is drawn anew, and in the report.
 * STRATIS_CHANCE_STEPS: how many operations, default 60.
 */
import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { closeBus, dmDevices } from "../cases/support";
import { stopDaemon } from "../guest/daemon";
import { disk, wipeDisk } from "../guest/disks";
import { udevSettled } from "../guest/udev";
import { MAKERS, startMaker, withDaemon, type Maker } from "../guest/upstream";
import { DISKS, operationsOf, type Operation } from "./chance-operations";
import { carryOut, destroyAll, seen, type World } from "./chance-world";

const SEED = Number(process.env["STRATIS_CHANCE_SEED"] ?? Math.floor(Math.random() * 1e6));
const STEPS = Number(process.env["STRATIS_CHANCE_STEPS"] ?? 60);

interface Step {
  operation: Operation;
  answer: string;
  seen: string[];
}

async function stepsOf(maker: Maker, operations: readonly Operation[], version: 1 | 2): Promise<Step[]> {
  for (const serial of DISKS) await wipeDisk(await disk(serial));
  const world: World = {
    version,
    restart: async () => {
      await stopDaemon();
      await startMaker(maker);
    },
  };
  const steps: Step[] = [];
  await withDaemon(maker, async () => {
    for (const operation of operations) {
      // A device that udev has open makes stratisd's StopPool fail.
      await udevSettled();
      steps.push({ operation, answer: await carryOut(operation, world), seen: await seen() });
    }
    await destroyAll(world);
  });
  assert.deepEqual(await dmDevices(), [], `${maker} left devices`);
  return steps;
}

async function compared(context: TestContext, version: 1 | 2): Promise<void> {
  context.diagnostic(`STRATIS_CHANCE_SEED=${SEED}`);
  const operations = operationsOf(SEED, STEPS);
  const [ours, theirs] = [
    await stepsOf(MAKERS[0] ?? "ours", operations, version),
    await stepsOf(MAKERS[1] ?? "3.9.2", operations, version),
  ];
  for (const [index, step] of ours.entries())
    assert.deepEqual(
      step,
      theirs[index],
      `seed ${SEED}, step ${index}, after ${JSON.stringify(operations.slice(0, index))}`,
    );
  const changing = ours.filter(({ answer }) => /^(code 0|set|status 0|restarted)/.test(answer));
  context.diagnostic(`${changing.length} of ${ours.length} operations succeeded`);
  assert.ok(changing.length > 0);
}

after(() => closeBus());

test("operations by chance on pools with metadata of version 2", (context) => compared(context, 2));
test("operations by chance on pools with metadata of version 1", (context) => compared(context, 1));
