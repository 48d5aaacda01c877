import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { NameTurns } from "../../../../../src/engine/real/discovery/name-turns";

interface Pool {
  name: string;
  /** Before the name is known, and with it, in milliseconds. */
  reading: number;
  settingUp: number;
  /** Ends before it has a name. */
  unreadable: boolean;
  /** Fails with its name. */
  broken: boolean;
}

const anyPool = fc.record({
  name: fc.constantFrom("a", "b"),
  reading: fc.integer({ min: 0, max: 4 }),
  settingUp: fc.integer({ min: 0, max: 4 }),
  unreadable: fc.boolean(),
  broken: fc.boolean(),
});

/** Indexes of the pools that run in the end. */
async function sideBySide(pools: readonly Pool[]): Promise<number[]> {
  const turns = new NameTurns();
  const held = new Map<string, number>();
  const setUp = async (pool: Pool, index: number, turn: (name: string) => Promise<void>): Promise<void> => {
    await sleep(pool.reading);
    if (pool.unreadable) throw new Error("no name");
    await turn(pool.name);
    if (held.has(pool.name)) throw new Error("the name is taken");
    held.set(pool.name, index);
    await sleep(pool.settingUp);
    if (!pool.broken) return;
    held.delete(pool.name);
    throw new Error("broken");
  };
  await Promise.allSettled(pools.map((pool, index) => turns.take((turn) => setUp(pool, index, turn))));
  return [...held.values()].sort();
}

/** As if they came one by one. */
function oneByOne(pools: readonly Pool[]): number[] {
  const held = new Map<string, number>();
  pools.forEach(({ name, unreadable, broken }, index) => {
    if (!unreadable && !broken && !held.has(name)) held.set(name, index);
  });
  return [...held.values()].sort();
}

test("of pools with one name the first that can be set up has it, however long each takes", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPool, { maxLength: 6 }), async (pools) => {
      assert.deepEqual(await sideBySide(pools), oneByOne(pools));
    }),
    { numRuns: 60 },
  );
});

test("pools with names of their own do not wait for each other's end", async () => {
  const turns = new NameTurns();
  let finish: () => void = () => undefined;
  const first = turns.take(async (turn) => {
    await turn("first");
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  await turns.take((turn) => turn("second"));
  finish();
  await first;
});
