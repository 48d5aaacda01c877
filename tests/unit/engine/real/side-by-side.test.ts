import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { sideBySide } from "../../../../src/engine/real/side-by-side";

test("all items are worked on, several at once", async () => {
  const [done, running]: [number[], { now: number; most: number }] = [[], { now: 0, most: 0 }];
  await sideBySide(
    Array.from({ length: 30 }, (_, index) => index),
    async (item) => {
      running.most = Math.max(running.most, ++running.now);
      await turn();
      running.now -= 1;
      done.push(item);
    },
  );
  assert.deepEqual(
    done.sort((a, b) => a - b),
    Array.from({ length: 30 }, (_, index) => index),
  );
  assert.ok(running.most > 1 && running.most < 30, String(running.most));
  await sideBySide([], () => Promise.reject(new Error("there is nothing to do")));
});

test("a failure ends it when those under way have ended, with no more begun", async () => {
  const [begun, ended]: [number[], number[]] = [[], []];
  const work = sideBySide(
    Array.from({ length: 30 }, (_, index) => index),
    async (item) => {
      begun.push(item);
      await turn();
      if (item === 2) throw new Error("the third");
      await turn();
      ended.push(item);
    },
  );
  await assert.rejects(work, /the third/);
  assert.ok(begun.length < 30);
  assert.equal(ended.length, begun.length - 1);
});
