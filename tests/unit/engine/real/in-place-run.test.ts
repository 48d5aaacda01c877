import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { Secret } from "../../../../src/native";
import type { PoolCrypt } from "../../../../src/engine/real/crypt/pool-crypt";
import { InPlaceRun } from "../../../../src/engine/real/in-place-run";
import { secretOf, secretText } from "../../../support/secrets";

/** Works in pieces of 10 of 100 bytes, one for each turn of the event loop, until it is asked to stop. */
class Worker {
  done = 0;
  runs = 0;
  working = false;
  failure: Error | null = null;
  readonly passphrases: (string | null)[] = [];

  readonly runPending: PoolCrypt["runPending"] = async (passphrase, onProgress, started) => {
    this.passphrases.push(passphrase === null ? null : secretText(passphrase));
    this.runs += 1;
    let stopped = false;
    const stop = (): void => {
      stopped = true;
    };
    const work = async (): Promise<"finished" | "stopped"> => {
      this.working = true;
      try {
        for (;;) {
          onProgress(BigInt(this.done), 100n);
          if (this.failure !== null) throw this.failure;
          if (this.done === 100) return "finished";
          if (stopped) return "stopped";
          await turn();
          this.done += 10;
        }
      } finally {
        this.working = false;
      }
    };
    const ended = work();
    started({ ended, stop });
    return await ended;
  };
}

const runOf = (worker: Worker, passphrase: Secret | null = null): InPlaceRun =>
  new InPlaceRun("encrypt", worker, passphrase);

test("it works to the end, and tells how far it is", async () => {
  const worker = new Worker();
  const run = runOf(worker);
  const work = run.work();
  assert.deepEqual([run.done, run.total, run.remainingSeconds], [0n, 100n, null]);
  while (worker.done < 50) await turn();
  assert.ok(run.done >= 40n && run.done < 100n);
  assert.ok((run.remainingSeconds ?? -1) >= 0);
  await work;
  assert.deepEqual([run.done, worker.runs], [100n, 1]);
});

test("it pauses for what must not happen while it works, and goes on afterwards", async () => {
  const worker = new Worker();
  const run = runOf(worker);
  const work = run.work();
  await turn();
  for (let pause = 0; pause < 3; pause += 1) {
    const before = worker.done;
    await run.pausedFor(async () => {
      assert.equal(worker.working, false);
      const at = worker.done;
      for (let turns = 0; turns < 5; turns += 1) await turn();
      assert.equal(worker.done, at);
      assert.ok(at <= before + 10);
    });
    await turn();
  }
  await work;
  assert.ok(worker.runs >= 3, `${worker.runs} runs`);
});

test("a pause whose work fails ends all the same", async () => {
  const worker = new Worker();
  const run = runOf(worker);
  const work = run.work();
  await assert.rejects(
    run.pausedFor(() => Promise.reject(new Error("no room"))),
    /no room/,
  );
  await work;
  assert.equal(worker.done, 100);
});

test("ended, it does nothing more, and says why", async () => {
  const worker = new Worker();
  const run = runOf(worker);
  const work = run.work();
  const outcome = assert.rejects(work, /interrupted: the pool was stopped; it goes on later/);
  await run.end("the pool was stopped");
  assert.equal(worker.working, false);
  await outcome;
  assert.ok(worker.done < 100);
});

test("a failure is that of the work, and a passphrase is for the first attempt only", async () => {
  const worker = new Worker();
  const passphrase = secretOf("secret");
  const run = runOf(worker, passphrase);
  const work = run.work();
  await run.pausedFor(() => {
    worker.failure = new Error("the disk is broken");
    return Promise.resolve();
  });
  await assert.rejects(work, /the disk is broken/);
  assert.deepEqual(worker.passphrases, ["secret", null]);
  assert.throws(() => secretText(passphrase), /it was wiped/);
});
