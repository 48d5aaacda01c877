/**
 * The same operations, drawn by chance, asked of our daemon, of stratisd 3.9.2, and of both in turn, of which each
 * takes over at a restart what the other has left, running pools as well: the answers are the same, and clients see the
 * same afterwards.
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
import { startMaker, withDaemon, type Maker } from "../guest/upstream";
import { DISKS, operationsOf, type Kind, type Operation } from "./chance-operations";
import { Listener } from "./chance-listener";
import { seen } from "./chance-picture";
import { carryOut, destroyAll, prepareKeys, type World } from "./chance-world";

const SEED = Number(process.env["STRATIS_CHANCE_SEED"] ?? Math.floor(Math.random() * 1e6));
const STEPS = Number(process.env["STRATIS_CHANCE_STEPS"] ?? 60);

/** What is compared with stratisd alone. */
const OTHERS: readonly [Maker, ...Maker[]][] = [["ours"], ["ours", "3.9.2"], ["3.9.2", "ours"]];

interface Step {
  operation: Operation;
  answer: string;
  seen: string[];
  /** What the daemon said of its failure. */
  errors: string[];
}

/** What has to be the same, which the words of errors need not be. */
const comparable = ({ operation, answer, seen }: Step): Omit<Step, "errors"> => ({ operation, answer, seen });

/** `makers`: of the daemon at first, and after each restart; they come again. */
async function stepsOf(
  makers: readonly [Maker, ...Maker[]],
  operations: readonly Operation[],
  version: 1 | 2,
): Promise<Step[]> {
  for (const serial of DISKS) await wipeDisk(await disk(serial));
  let restarts = 0;
  let maker = makers[0];
  const listener = new Listener();
  const world: World = {
    version,
    errors: [],
    restart: async () => {
      await listener.end();
      await stopDaemon();
      restarts += 1;
      maker = makers[restarts % makers.length] ?? makers[0];
      await startMaker(maker);
    },
  };
  const steps: Step[] = [];
  try {
    await withDaemon(makers[0], async () => {
      await prepareKeys();
      for (const operation of operations) {
        // A device that udev has open makes stratisd's StopPool fail.
        await udevSettled();
        // What is listened to is that all changes are announced, which 3.9.2 does not do (engine.md §26).
        if (maker === "ours") await listener.begin();
        const answer = await carryOut(operation, world);
        await listener.check();
        steps.push({ operation, answer, seen: await seen(), errors: world.errors.splice(0) });
      }
      await destroyAll(world);
      await listener.check();
    });
  } finally {
    await listener.end();
  }
  assert.deepEqual(await dmDevices(), [], `${makers.join(" and ")} left devices`);
  return steps;
}

async function compared(context: TestContext, kind: Kind, version: 1 | 2): Promise<void> {
  context.diagnostic(`STRATIS_CHANCE_SEED=${SEED}`);
  const operations = operationsOf(kind, SEED, STEPS);
  const theirs = await stepsOf(["3.9.2"], operations, version);
  for (const makers of OTHERS) {
    const steps = await stepsOf(makers, operations, version);
    for (const [index, expected] of theirs.entries()) {
      const step = steps[index];
      assert.ok(step !== undefined);
      const said = [...step.errors, ...expected.errors].join("; ");
      const where = `${makers.join(" and ")}, seed ${SEED}, step ${index}, ${said}`;
      assert.deepEqual(
        comparable(step),
        comparable(expected),
        `${where}, after ${JSON.stringify(operations.slice(0, index))}`,
      );
    }
  }
  const changing = theirs.filter(({ answer }) => /^(code 0|set|status 0|restarted)/.test(answer));
  context.diagnostic(`${changing.length} of ${theirs.length} operations succeeded`);
  assert.ok(changing.length > 0);
}

after(() => closeBus());

test("operations by chance on pools with metadata of version 2", (context) => compared(context, "plain", 2));
test("operations by chance on pools with metadata of version 1", (context) => compared(context, "plain", 1));
test("operations by chance on encrypted pools with metadata of version 2", (context) =>
  compared(context, "encrypted", 2));
test("operations by chance on encrypted pools with metadata of version 1", (context) =>
  compared(context, "encrypted", 1));
