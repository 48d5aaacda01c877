/** Who is admitted to a lock beside whom, and in which order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { KeyedLock, NameClaims, SharedLock } from "../../../src/engine/lock";

/** Holders of a lock, each of which lets go when the test says so. */
class Trace {
  readonly events: string[] = [];
  readonly #gates = new Map<string, () => void>();

  /** Work that says when it begins and ends, and in between waits for let(). */
  work(name: string): () => Promise<string> {
    return async () => {
      this.events.push(`+${name}`);
      await new Promise<void>((resolve) => this.#gates.set(name, resolve));
      this.events.push(`-${name}`);
      return name;
    };
  }

  async let(...names: string[]): Promise<void> {
    for (const name of names) {
      const gate = this.#gates.get(name);
      assert.ok(gate, `${name} does not run`);
      gate();
      await turn();
    }
  }

  take(): string {
    return this.events.splice(0).join(" ");
  }
}

test("readers run together, a writer alone, and all in order of arrival", async () => {
  const lock = new SharedLock();
  const trace = new Trace();
  const all = [
    lock.shared(trace.work("r1")),
    lock.shared(trace.work("r2")),
    lock.exclusive(trace.work("w1")),
    lock.shared(trace.work("r3")),
    lock.exclusive(trace.work("w2")),
    lock.exclusive(trace.work("w3")),
  ];
  await turn();
  assert.equal(trace.take(), "+r1 +r2");
  await trace.let("r2");
  assert.equal(trace.take(), "-r2");
  await trace.let("r1");
  assert.equal(trace.take(), "-r1 +w1");
  await trace.let("w1");
  assert.equal(trace.take(), "-w1 +r3");
  await trace.let("r3", "w2", "w3");
  assert.equal(trace.take(), "-r3 +w2 -w2 +w3 -w3");
  assert.deepEqual(await Promise.all(all), ["r1", "r2", "w1", "r3", "w2", "w3"]);
  assert.equal(lock.busy, false);
});

test("a failure lets the next one in and reaches only its own caller", async () => {
  const lock = new SharedLock();
  const first = lock.exclusive(() => Promise.reject(new Error("no")));
  const second = lock.exclusive(() => Promise.resolve(2));
  await assert.rejects(first, /^Error: no$/);
  assert.equal(await second, 2);
  await assert.rejects(
    lock.shared(() => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(lock.busy, false);
});

const phases = (trace: Trace, name: string) => ({
  start: trace.work(`${name}.start`),
  long: trace.work(`${name}.long`),
  finish: trace.work(`${name}.finish`),
});

test("the long part of an operation runs beside readers, also those that came after a writer", async () => {
  const lock = new SharedLock();
  const trace = new Trace();
  const all = [
    lock.phased(phases(trace, "p")),
    lock.exclusive(trace.work("w")),
    lock.shared(trace.work("r1")),
  ];
  await turn();
  assert.equal(trace.take(), "+p.start");
  await trace.let("p.start");
  assert.equal(trace.take(), "-p.start +p.long +r1");
  all.push(lock.shared(trace.work("r2")));
  await turn();
  assert.equal(trace.take(), "+r2");
  await trace.let("p.long");
  assert.equal(trace.take(), "-p.long");
  // The end of the operation goes ahead of who waits, and no further reader holds it up.
  all.push(lock.shared(trace.work("r3")));
  await trace.let("r1", "r2");
  assert.equal(trace.take(), "-r1 -r2 +p.finish");
  await trace.let("p.finish");
  assert.equal(trace.take(), "-p.finish +w");
  await trace.let("w", "r3");
  assert.deepEqual(await Promise.all(all), ["p.finish", "w", "r1", "r2", "r3"]);
  assert.equal(lock.busy, false);
});

test("an operation with nothing to do ends after its start, a failing one at once, and both let go", async () => {
  const lock = new SharedLock();
  const never = (): Promise<never> => Promise.reject(new Error("must not run"));
  assert.equal(await lock.phased({ start: () => Promise.resolve(null), long: never, finish: never }), null);
  const long = () => Promise.reject(new Error("long failed"));
  await assert.rejects(lock.phased({ start: () => Promise.resolve(1), long, finish: never }), /long failed/);
  assert.equal(await lock.exclusive(() => Promise.resolve("free")), "free");
});

test("for any mixture: never a writer beside anybody, writers in order, everybody is served", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("shared", "exclusive", "phased"), fc.nat(3)), { maxLength: 30 }),
      async (jobs) => {
        const lock = new SharedLock();
        let [readers, writers, served] = [0, 0, 0];
        const order: number[] = [];
        const reading = (turns: number) => async (): Promise<boolean> => {
          readers += 1;
          for (let count = 0; count <= turns; count++) {
            assert.equal(writers, 0);
            await turn();
          }
          readers -= 1;
          return true;
        };
        const writing = (turns: number, index: number | null) => async (): Promise<boolean> => {
          assert.equal(readers + writers, 0);
          if (index !== null) order.push(index);
          writers += 1;
          for (let count = 0; count <= turns; count++) await turn();
          assert.equal(writers, 1);
          writers -= 1;
          return true;
        };
        const run = (kind: string, turns: number, index: number): Promise<unknown> => {
          if (kind === "shared") return lock.shared(reading(turns));
          if (kind === "exclusive") return lock.exclusive(writing(turns, index));
          return lock.phased({
            start: writing(turns, index),
            long: reading(turns),
            finish: writing(turns, null),
          });
        };
        await Promise.all(
          jobs.map(async ([kind, turns], index) => {
            await run(kind, turns, index);
            served += 1;
          }),
        );
        assert.equal(served, jobs.length);
        assert.equal(lock.busy, false);
        assert.deepEqual(
          order,
          [...order].sort((a, b) => a - b),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test("of several keys one does not wait for another, all wait for what has all of them, and that for all", async () => {
  const lock = new KeyedLock<string>();
  const trace = new Trace();
  const works: Promise<unknown>[] = [
    lock.one("a", trace.work("a1")),
    lock.one("a", trace.work("a2")),
    lock.one("b", trace.work("b1")),
    lock.between(() => trace.events.push("look")),
  ];
  await turn();
  assert.equal(trace.take(), "look +a1 +b1");
  works.push(lock.all(trace.work("all")), lock.one("c", trace.work("c")));
  works.push(lock.between(() => trace.events.push("look")));
  await trace.let("b1", "a1");
  assert.equal(trace.take(), "-b1 -a1 +a2");
  await trace.let("a2");
  assert.equal(trace.take(), "-a2 +all");
  await trace.let("all");
  assert.equal(trace.take(), "-all look +c");
  await trace.let("c");
  await Promise.all(works);
  await assert.rejects(
    lock.one("a", () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await lock.one("a", () => Promise.resolve("free")), "free");
});

test("a name is kept for one at a time, and is free again after a failure", async () => {
  const names = new NameClaims();
  const first = names.hold("p", async () => {
    await turn();
    throw new Error("failed");
  });
  assert.equal(names.has("p"), true);
  await assert.rejects(
    names.hold("p", () => Promise.resolve()),
    /Entry with name p already exists/,
  );
  assert.equal(await names.hold("q", () => Promise.resolve("other")), "other");
  await assert.rejects(first, /failed/);
  assert.equal(names.has("p"), false);
});
