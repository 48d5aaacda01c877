/** Whose call is started next, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextRound } from "node:timers/promises";
import fc from "fast-check";
import { Turns, type Limits, type WaitingCall } from "../../../src/dbus/turns";

/** What a call takes besides its bytes. */
const CALL = 1024;
const LIMITS: Limits = {
  ...{ running: 3, runningWithDescriptors: 1 },
  ...{ senderBytes: 10 * CALL, sharedBytes: 12 * CALL, mostBytes: 20 * CALL },
  ...{ sharedDescriptors: 4, mostDescriptors: 6 },
};

class Hall {
  readonly started: string[] = [];
  readonly dropped: string[] = [];
  readonly turns: Turns;
  isBlocked = false;
  readonly #ends = new Map<string, () => void>();

  constructor(limits: Partial<Limits> = {}) {
    this.turns = new Turns(() => this.isBlocked, { ...LIMITS, ...limits });
  }

  call(label: string, descriptors = 0, bytes = 0): WaitingCall {
    return {
      bytes,
      descriptors,
      start: () => {
        this.started.push(label);
        return new Promise((resolve) => this.#ends.set(label, resolve));
      },
      drop: () => this.dropped.push(label),
    };
  }

  /** The first letter of a label is its sender. */
  add(label: string, descriptors = 0, bytes = 0): string | null {
    const refusal = this.turns.refusal(label.charAt(0), { bytes, descriptors });
    if (refusal === null) this.turns.add(label.charAt(0), this.call(label, descriptors, bytes));
    return refusal;
  }

  async end(label: string): Promise<void> {
    this.#ends.get(label)?.();
    this.#ends.delete(label);
    await rounds();
  }

  get running(): string[] {
    return [...this.#ends.keys()];
  }
}

async function rounds(): Promise<void> {
  for (let round = 0; round < 5; round++) await nextRound();
}

test("senders take turns, each in the order of its own calls", async () => {
  const hall = new Hall({ running: 10 });
  for (const label of ["a1", "a2", "a3", "a4", "b1", "b2", "c1"]) assert.equal(hall.add(label), null);
  assert.deepEqual(hall.started, []);
  await rounds();
  assert.deepEqual(hall.started, ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]);
  assert.equal(hall.turns.size, 7);
  for (const label of hall.running) await hall.end(label);
  assert.equal(hall.turns.size, 0);
});

test("calls that do not end hold up only their own sender", async () => {
  const hall = new Hall();
  for (const label of ["a1", "a2", "a3", "a4", "a5"]) hall.add(label);
  await rounds();
  assert.deepEqual(hall.started, ["a1", "a2", "a3"]);
  hall.add("b1");
  await hall.end("a2");
  assert.deepEqual(hall.started, ["a1", "a2", "a3", "b1", "a4"]);
});

test("calls that hold descriptors run one at a time, and their sender's others behind them", async () => {
  const hall = new Hall();
  hall.add("a1", 1);
  hall.add("a2", 1);
  hall.add("a3");
  hall.add("b1", 1);
  await rounds();
  assert.deepEqual(hall.started, ["a1", "b1"]);
  await hall.end("a1");
  assert.deepEqual(hall.started, ["a1", "b1", "a2", "a3"]);
});

test("a sender with too much waiting is refused, others are not", () => {
  const hall = new Hall();
  for (let count = 0; count < 10; count++) assert.equal(hall.add(`a${count}`), null);
  assert.equal(hall.add("a!"), "10 calls of this connection wait already");
  assert.equal(hall.add("b0"), null);
  // One long call is as much as many short ones.
  assert.equal(hall.add("c0", 0, 10 * CALL), "0 calls of this connection wait already");
  assert.equal(hall.add("c1", 0, CALL), null);
});

test("when all together are too much, whoever has more than a share is refused", () => {
  const hall = new Hall();
  for (let count = 0; count < 9; count++) hall.add(`a${count}`);
  for (let count = 0; count < 3; count++) assert.equal(hall.add(`b${count}`), null);
  assert.match(hall.add("a!") ?? "", /^9 calls/);
  // Above what is shared, up to 12/2 for b and 12/3 for c.
  for (let count = 3; count < 6; count++) assert.equal(hall.add(`b${count}`), null);
  assert.match(hall.add("b!") ?? "", /^6 calls/);
  for (let count = 0; count < 4; count++) assert.equal(hall.add(`c${count}`), null);
  assert.match(hall.add("c!") ?? "", /^4 calls/);
  assert.equal(hall.add("d0"), null);
  // And at the end nobody gets anything.
  assert.match(hall.add("e0") ?? "", /^0 calls/);
});

test("descriptors are counted until their call has ended", async () => {
  const hall = new Hall();
  assert.equal(hall.add("a1", 3), null);
  await rounds();
  assert.equal(hall.add("a2", 2), "calls of this connection hold 3 file descriptors already");
  assert.equal(hall.add("a3"), null);
  assert.equal(hall.add("b1", 2), null);
  assert.match(hall.add("b2", 2) ?? "", /hold 2 file descriptors/);
  await hall.end("a1");
  assert.equal(hall.add("a4", 2), null);
});

test("nothing is started while the way out is blocked", async () => {
  const hall = new Hall();
  hall.isBlocked = true;
  hall.add("a1");
  hall.turns.resume();
  await rounds();
  assert.deepEqual(hall.started, []);
  hall.isBlocked = false;
  hall.turns.resume();
  await rounds();
  assert.deepEqual(hall.started, ["a1"]);
});

test("the event loop comes round between calls that take long", async () => {
  const turns = new Turns(() => false);
  let started = 0;
  for (let count = 0; count < 10; count++)
    turns.add("a", {
      ...{ bytes: 0, descriptors: 0 },
      start: () => {
        const end = performance.now() + 5;
        while (performance.now() < end);
        started++;
        return Promise.resolve();
      },
      drop: () => undefined,
    });
  await nextRound();
  await nextRound();
  assert.ok(started >= 1 && started <= 4, `${started} were started in two rounds`);
  while (started < 10) await nextRound();
});

test("what waits when all ends is dropped, what runs goes on", async () => {
  const hall = new Hall();
  for (const label of ["a1", "a2", "a3", "a4", "b1"]) hall.add(label, label === "a4" ? 1 : 0);
  await rounds();
  hall.add("c1", 2);
  hall.turns.clear();
  await rounds();
  assert.deepEqual(hall.dropped, ["a4", "c1"]);
  for (const label of hall.running) await hall.end(label);
  assert.equal(hall.turns.size, 0);
  assert.deepEqual(hall.started, ["a1", "b1", "a2", "a3"]);
});

test("whatever comes and ends when: limits hold, order too, and in the end nothing is left", async () => {
  const step = fc.oneof(
    fc.record({ sender: fc.constantFrom("a", "b", "c"), descriptors: fc.nat(2), bytes: fc.nat(3 * CALL) }),
    fc.nat(20),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const hall = new Hall();
      const accepted: string[] = [];
      const descriptors = new Map<string, number>();
      for (const [index, action] of steps.entries()) {
        if (typeof action === "number") {
          const label = hall.running[action % Math.max(1, hall.running.length)];
          if (label !== undefined) await hall.end(label);
        } else {
          const label = `${action.sender}${index}`;
          descriptors.set(label, action.descriptors);
          if (hall.add(label, action.descriptors, action.bytes) === null) accepted.push(label);
        }
        await nextRound();
        const held = hall.running.map((label) => descriptors.get(label) ?? 0);
        assert.ok(held.reduce((sum, count) => sum + count, 0) <= LIMITS.mostDescriptors);
        for (const sender of "abc")
          assert.ok(hall.running.filter((label) => label.startsWith(sender)).length <= LIMITS.running);
      }
      await rounds();
      while (hall.running.length > 0) await hall.end(hall.running[0] ?? "");
      for (const sender of "abc") {
        const own = (label: string): boolean => label.startsWith(sender);
        assert.deepEqual(hall.started.filter(own), accepted.filter(own));
      }
      assert.equal(hall.turns.size, 0);
      // All is free again.
      for (let count = 0; count < 10; count++) assert.equal(hall.add(`z${count}`), null);
    }),
    { numRuns: 200 },
  );
});
