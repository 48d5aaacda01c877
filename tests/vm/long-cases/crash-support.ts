/**
 * kill -9 before a step of every operation that has several, and then a start: the old state or the new one, nothing of
 * device-mapper that is not accounted for, data intact, and everything can be done again. What a step is, the addon's
 * stand-in knows (guest/crash-native): every call that changes something.
 *
 * STRATIS_CRASH_POINTS: how many points for each operation, or "all" (npm run test:long), or "at:N,N" for those. Left
 * out: one point for each of a few operations, drawn anew each time. STRATIS_CRASH_OPERATIONS: a regular expression that chooses operations by
 * their names. How many points there were and how long they took is in the report.
 */
import assert from "node:assert/strict";
import { after, before, test, type TestContext } from "node:test";
import { countSteps, startCountedDaemon, stepsSoFar } from "../guest/crash-points";
import { daemonLog, killDaemon } from "../guest/daemon";
import { closeBus, succeeded } from "../cases/support";
import { type Operation, operationsOf } from "./crash-operations";
import { CrashPool, type CrashPoolKind } from "./crash-pool";

const WANTED = process.env["STRATIS_CRASH_POINTS"];
const CHOSEN = new RegExp(process.env["STRATIS_CRASH_OPERATIONS"] ?? ".");
const DRAWN_OPERATIONS = 4;
const LIMIT_MILLISECONDS = 3 * 3600_000;

/** The steps to die at, of `count`. */
function pointsOf(count: number): number[] {
  if (WANTED === "all") return Array.from({ length: count }, (_, index) => index + 1);
  if (WANTED?.startsWith("at:") === true) return WANTED.slice(3).split(",").map(Number);
  const points = Number(WANTED ?? 1);
  return Array.from(
    { length: points },
    (_, index) => 1 + Math.floor((count * (index + Math.random())) / points),
  );
}

async function crashThroughout(
  context: TestContext,
  pool: CrashPool,
  { prepare, perform, leavesLockedPool }: Operation,
): Promise<void> {
  const started = Date.now();
  await prepare();
  countSteps(0);
  await succeeded(perform());
  const steps = stepsSoFar();
  assert.ok(steps.length > 0, "the operation has no step");
  await pool.requireNothingLeft();
  await pool.verifyData();
  const points = pointsOf(steps.length);
  const spent = { prepare: 0, perform: 0, restart: 0, verify: 0 };
  const timed = async <T>(what: keyof typeof spent, work: Promise<T>): Promise<T> => {
    const begin = Date.now();
    const result = await work;
    spent[what] += Date.now() - begin;
    return result;
  };
  for (const point of points) {
    await timed("prepare", prepare());
    countSteps(point);
    const answered = await timed(
      "perform",
      perform().catch(() => null),
    );
    assert.ok(
      answered === null || answered.code === 0,
      `point ${point}: refused: ${answered?.message ?? ""}`,
    );
    const died = stepsSoFar().at(-1) ?? "the first";
    await killDaemon();
    await timed("restart", startCountedDaemon());
    try {
      if (leavesLockedPool === true) await pool.settleDestruction();
      await timed("verify", pool.requireNothingLeft());
      await timed("verify", pool.verifyData());
    } catch (error) {
      throw new Error(
        `after dying at step ${point} of ${steps.length}, behind "${died}" (answered: ${JSON.stringify(answered)})\n${await daemonLog()}`,
        { cause: error },
      );
    }
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  const names = steps.map((step) => step.replace(/stratis-1-private-[0-9a-f]{32}-/g, ""));
  context.diagnostic(`${points.length} of ${steps.length} points in ${seconds} s ${JSON.stringify(spent)}`);
  context.diagnostic(names.join("; "));
}

/** The operations to run; which is part of the report, so that a failure can be repeated. */
function drawn(operations: Readonly<Record<string, Operation>>): [string, Operation][] {
  const chosen = Object.entries(operations).filter(([name]) => CHOSEN.test(name));
  if (WANTED !== undefined) return chosen;
  const first = Math.floor(Math.random() * chosen.length);
  const count = Math.min(DRAWN_OPERATIONS, chosen.length);
  const step = Math.floor(chosen.length / count);
  const numbers = new Set(
    Array.from({ length: count }, (_, index) => (first + index * step) % chosen.length),
  );
  return chosen.filter((_, index) => numbers.has(index));
}

/** Declares the tests for a pool of that kind. */
export function killedThroughout(kind: CrashPoolKind): void {
  const pool = new CrashPool(kind);
  before(() => pool.setUp());
  after(async () => {
    await pool.tearDown();
    await closeBus();
  });
  for (const [name, operation] of drawn(operationsOf(pool)))
    test(`killed during: ${name}`, { timeout: LIMIT_MILLISECONDS }, (context) =>
      crashThroughout(context, pool, operation),
    );
}
