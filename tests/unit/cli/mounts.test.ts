import assert from "node:assert/strict";
import { test } from "node:test";
import { mountPoints, mountPointsIn } from "../../../cli/mounts";

const MOUNTINFO = `24 1 253:0 / / rw,relatime shared:1 - xfs /dev/mapper/x rw
36 24 253:7 / /srv/a\\040b rw shared:3 master:2 - xfs /dev/mapper/y rw
37 24 253:7 /sub /mnt/\\134\\303\\251 rw - xfs /dev/mapper/y rw
`;

test("mount points by device, with escaped characters", () => {
  const found = mountPointsIn(MOUNTINFO);
  assert.deepEqual(found.get("253:0"), ["/"]);
  assert.deepEqual(found.get("253:7"), ["/srv/a b", "/mnt/\\é"]);
});

test("a device that is not there has no known mount points, one that is not mounted has none", async () => {
  const of = await mountPoints();
  assert.equal(await of("/nonexistent/device"), undefined);
  assert.deepEqual(await of("/dev/null"), []);
});
