import assert from "node:assert/strict";
import { test } from "node:test";
import { RetryPause } from "../../../src/engine/real/retry-pause";

test("pauses double from ten seconds to ten minutes, and begin anew after a success", () => {
  let now = 5000;
  const pause = new RetryPause(() => now);
  assert.ok(pause.isOver, "nothing has failed");
  for (const seconds of [10, 20, 40, 80, 160, 320, 600, 600]) {
    assert.equal(pause.begin(), seconds * 1000);
    now += seconds * 1000 - 1;
    assert.ok(!pause.isOver, `${seconds} s`);
    now += 1;
    assert.ok(pause.isOver, `${seconds} s`);
  }
  pause.begin();
  pause.forget();
  assert.ok(pause.isOver);
  assert.equal(pause.begin(), 10_000);
});
