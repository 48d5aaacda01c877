/** Pools that wait, some of whose devices are locked. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeviceCrypt } from "../../../../src/engine/real/crypt/device-crypt";
import type { FoundDevice } from "../../../../src/engine/real/discovery/found";
import { isMixture, LiminalPools, lockedDevices } from "../../../../src/engine/real/discovery/liminal";
import { newDevUuid, newPoolUuid, type DevUuid } from "../../../../src/uuid";

const POOL = newPoolUuid();
const [ONE, TWO] = [newDevUuid(), newDevUuid()];

const luks = (devUuid: DevUuid, container: string, minor: number, description = "k"): DeviceCrypt =>
  ({
    poolUuid: POOL,
    devUuid,
    poolName: "data",
    container,
    number: { major: 8, minor },
    tokens: [{ kind: "key", slot: 1, keyslot: 0, description }],
  }) as unknown as DeviceCrypt;

const open = (devUuid: DevUuid, path: string, minor: number): FoundDevice =>
  ({
    path,
    number: { major: 253, minor },
    header: { poolUuid: POOL, devUuid, version: 1 },
  }) as unknown as FoundDevice;

test("a locked pool shows its bindings and the devices below; an open one the same", () => {
  const pools = new LiminalPools();
  const pool = pools.addLuks(luks(ONE, "/dev/sda", 0));
  const shown = {
    uuid: POOL,
    name: null,
    devices: [{ path: "/dev/sda", uuid: ONE }],
    metadataVersion: 1,
    features: null,
    encryption: {
      keyDescription: { consistent: true, value: "k" },
      clevis: { consistent: true, value: null },
    },
    partiallyConstructed: false,
    reason: null,
  };
  assert.deepEqual(pools.stoppedPools(), [shown]);
  assert.deepEqual(
    lockedDevices(pool).map(({ container }) => container),
    ["/dev/sda"],
  );
  pools.add(open(ONE, "/dev/dm-0", 0));
  assert.deepEqual(pools.stoppedPools(), [shown]);
  assert.deepEqual(lockedDevices(pool), []);
  assert.deepEqual(pools.report()["path_to_ids_map"], {
    "/dev/dm-0": [POOL, ONE],
    "/dev/sda": [POOL, ONE],
  });
});

test("a mapping that goes away locks its device; the device itself takes both with it", () => {
  const pools = new LiminalPools();
  const pool = pools.addLuks(luks(ONE, "/dev/sda", 0));
  pools.add(open(ONE, "/dev/dm-0", 0));
  assert.deepEqual([pools.poolsAt("/dev/dm-0"), pools.poolsAt("/dev/dm-1")], [[POOL], []]);
  assert.equal(pools.removePath(POOL, "/dev/dm-0"), pool);
  assert.equal(lockedDevices(pool).length, 1);
  pools.add(open(ONE, "/dev/dm-0", 0));
  assert.equal(pools.removePath(POOL, "/dev/sda"), pool);
  assert.equal(pools.get(POOL), undefined);
  assert.equal(pools.removePath(POOL, "/dev/sda"), undefined);
});

test("devices that are encrypted and others that are not make a mixture, which is not shown", () => {
  const pools = new LiminalPools();
  pools.addLuks(luks(ONE, "/dev/sda", 0));
  const pool = pools.add(open(TWO, "/dev/sdb", 16));
  assert.ok(isMixture(pool));
  assert.deepEqual(pools.stoppedPools(), []);
  pools.addLuks(luks(TWO, "/dev/sdc", 32, "other"));
  assert.equal(isMixture(pool), false);
  assert.deepEqual(pools.stoppedPools()[0]?.encryption?.keyDescription, { consistent: false });
});

test("the first of two devices with one UUID wins", () => {
  const pools = new LiminalPools();
  pools.addLuks(luks(ONE, "/dev/sda", 0));
  pools.addLuks(luks(ONE, "/dev/sdb", 16));
  assert.deepEqual(pools.stoppedPools()[0]?.devices, [{ path: "/dev/sda", uuid: ONE }]);
  // What was ignored goes away again, which takes nothing away.
  assert.equal(pools.removePath(POOL, "/dev/sdb"), undefined);
  assert.equal(pools.get(POOL)?.luks.get(ONE)?.container, "/dev/sda");
  // The same device again, with other bindings.
  pools.addLuks(luks(ONE, "/dev/sda", 0, "new"));
  assert.deepEqual(pools.stoppedPools()[0]?.encryption?.keyDescription, { consistent: true, value: "new" });
});

test("a pool with missing devices does not answer to its name, which says why", () => {
  const pools = new LiminalPools();
  const pool = pools.add(open(ONE, "/dev/sda", 0));
  pool.incompleteName = "x";
  pool.reason = "waiting for a device";
  assert.deepEqual(pools.byName("x"), []);
  assert.equal(pools.whyNotKnownBy("x"), `; the one with UUID ${POOL} is not complete: waiting for a device`);
  assert.equal(pools.whyNotKnownBy("y"), "");
});
