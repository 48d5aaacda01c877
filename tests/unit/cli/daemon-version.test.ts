import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDaemonVersion } from "../../../cli/daemon-version";

test("versions from 3.9.0 up to 4.0.0 are accepted", () => {
  for (const version of [
    "3.9.0",
    "3.9.2",
    "3.10.0",
    "3.9.2+x",
    "3.9",
    "3.99.1.5",
    "3.9.0.post1",
    "3.10.0rc1",
  ])
    assert.doesNotThrow(() => {
      checkDaemonVersion(version);
    }, version);
});

test("all others are refused, with the version", () => {
  for (const version of [
    "2.4.0",
    "3.8.9",
    "4.0.0",
    "4.0.0rc1",
    "3.9.0rc1",
    "3.9.0.dev1",
    "1!3.9.2",
    "3.9.0~rc1",
    "",
    "x",
  ])
    assert.throws(
      () => {
        checkDaemonVersion(version);
      },
      {
        message: `stratisd version ${version} does not meet stratis version requirements; the version must be at least 3.9.0 and no more than 4.0.0`,
      },
    );
});
