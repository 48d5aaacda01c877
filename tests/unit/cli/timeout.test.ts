import assert from "node:assert/strict";
import { test } from "node:test";
import { TimeoutVariableError } from "../../../cli/errors";
import { callTimeoutMs, secondsText } from "../../../cli/timeout";

test("the timeout of calls is in milliseconds", () => {
  const timeoutOf = (text: string): number => callTimeoutMs({ STRATIS_DBUS_TIMEOUT: text });
  assert.equal(callTimeoutMs({}), 60_000);
  assert.equal(timeoutOf("0"), 0);
  assert.equal(timeoutOf("500"), 500);
  assert.equal(timeoutOf(" 1_000 "), 1000);
  assert.equal(timeoutOf("1073741823"), 1073741823);
  // A library's own default.
  assert.equal(timeoutOf("-1"), 25_000);
  assert.throws(() => timeoutOf("1073741824"), TimeoutVariableError);
});

test("times are told in seconds", () => {
  assert.deepEqual([1000, 60_000, 500, 0].map(secondsText), [
    "1 second",
    "60 seconds",
    "0.5 seconds",
    "0 seconds",
  ]);
});
