import assert from "node:assert/strict";
import { test } from "node:test";
import { requestedPaths } from "../../../../cli/actions/devices-in-use";

test("paths of devices are made absolute as text, and each is kept once", () => {
  assert.deepEqual(requestedPaths(["/dev/./sdb", "/dev/x/../sdb", "/dev//sdc/", "/dev/sdb"]), [
    "/dev/sdb",
    "/dev/sdc",
  ]);
  assert.deepEqual(requestedPaths(["sdb"]), [`${process.cwd()}/sdb`]);
  assert.deepEqual(requestedPaths(["//dev/sdb", "///dev/sdb"]), ["//dev/sdb", "/dev/sdb"]);
});
