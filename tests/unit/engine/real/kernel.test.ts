/** Layers of device-mapper in situations that real kernels get into seldom: see kernel-scenarios.ts. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { FakeKernel, type Seen } from "../../../native/fake-kernel";
import { imageFolder } from "./images";
import type * as scenarios from "./kernel-scenarios";

let kernel: FakeKernel;
before(() => {
  kernel = new FakeKernel();
});
after(() => {
  kernel.remove();
});

type Scenarios = typeof scenarios;

const run = <K extends keyof Scenarios>(
  name: K,
  args: Parameters<Scenarios[K]>,
  settings?: Record<string, string>,
): Seen<Awaited<ReturnType<Scenarios[K]>>> =>
  kernel.call(path.join(__dirname, "kernel-scenarios.js"), name, args, settings);

/** Ioctls that make a device, or give it a table. */
const MAKES = /^(3|9) /;
const DELETES = /^message delete /;

for (const [version, spoilt] of [
  [2, "physical-cache"],
  [1, "flex-thindata"],
] as const)
  test(`V${version}: a cache that the kernel refuses leaves every layer as it was, and can be put in later`, (context) => {
    const { result } = run("cacheRefusedOnce", [imageFolder(context), version], {
      FAKE_SPOIL_RESUME: spoilt,
    });
    assert.match(result.refusal, new RegExp(`DM_DEV_SUSPEND on .*${spoilt}.* EIO`));
    assert.deepEqual(result.after, result.before);
    assert.equal(result.cached, true);
    assert.match(result.end["stratis-1-private-physical-cache"] ?? "", / cache /);
    assert.equal(Object.values(result.end).filter((table) => table.includes("suspended")).length, 0);
  });

for (const [what, refuseCrypt, settings] of [
  ["the encrypted device", true, {}],
  ["thin data", false, { FAKE_SPOIL_RESUME: "flex-thindata" }],
] as [string, boolean, Record<string, string>][])
  test(`growth that ${what} is refused leaves nothing larger than its record`, (context) => {
    const { result } = run("growthRefused", [imageFolder(context), refuseCrypt], settings);
    assert.match(result.refusal, refuseCrypt ? /^there is no volume key$/ : /flex-thindata.*EIO/);
    assert.deepEqual(result.after, result.before);
    // The encrypted device follows what is below it in both directions.
    assert.deepEqual(result.sizes, refuseCrypt ? [] : [true, false]);
  });

test("an encrypted pool that nobody unlocks waits, and none of its devices is made", (context) => {
  const { result, log } = run("lockedAtBoot", [imageFolder(context)]);
  assert.deepEqual(result, {
    outcome: "waits",
    reason: "No unlock mechanism was provided",
    features: ["encryption"],
    partiallyConstructed: false,
  });
  assert.deepEqual(
    log.filter((line) => MAKES.test(line)),
    [],
  );
});

test("a pool that is partly up and is asked to stop is down, and stays so", (context) => {
  const { result } = run("cleanedUp", [imageFolder(context), 0]);
  assert.deepEqual(result, {
    left: {},
    partiallyConstructed: false,
    outcome: "waits",
    reason: null,
    started: [false, false],
  });
});

test("with a device missing it goes down, and no older record is written over a newer one", (context) => {
  const { result } = run("cleanedUp", [imageFolder(context), 1]);
  assert.deepEqual([result.left, result.started], [{}, [true, true]]);
  assert.match(result.reason ?? "", /^waiting for device/);
});

test("what is open of an encrypted V1 pool waits for what it is on", (context) => {
  const { result } = run("openWithoutContainer", [imageFolder(context)]);
  assert.equal(result.outcome, "waits");
  assert.match(result.reason ?? "", /^waiting for the encrypted device that .* is on$/);
  assert.equal(result.left.length, 1);
});

test("of a snapshot that can't be completed nothing is left, and its origin goes on", () => {
  const { result, log } = run("snapshotFails", []);
  assert.match(result.failure, /\/dev\/dm-/);
  assert.equal(result.same, true);
  // Once before, so that the id is free, and once after.
  assert.deepEqual(
    log.filter((line) => line.startsWith("message ")),
    ["message delete 1", "message create_snap 1 0", "message delete 1"],
  );
});

test("a revert that can't begin leaves both filesystems what they were, and scheduled", (context) => {
  const { result } = run("revertCannotBegin", [imageFolder(context)]);
  assert.deepEqual(result, {
    live: { origin: 0, snap: 1 },
    unusable: [],
    records: [
      { name: "origin", thinId: 0, origin: null, merge: false },
      { name: "snap", thinId: 1, origin: "origin", merge: true },
    ],
  });
});

test("a revert that was interrupted goes on, and the new origin of other snapshots is recorded", (context) => {
  const { result, log } = run("revertGoesOn", [imageFolder(context)]);
  assert.deepEqual(result, {
    live: { origin: 1, second: 2 },
    unusable: [],
    records: [
      { name: "origin", thinId: 1, origin: null, merge: false },
      { name: "second", thinId: 2, origin: "origin", merge: false },
    ],
  });
  // What no record names, up to one beyond the greatest.
  assert.deepEqual(log.filter((line) => DELETES.test(line)).sort(), ["message delete 0", "message delete 3"]);
});

test("one that can't go on does not make two filesystems of one thin device", (context) => {
  const { result, log } = run("revertIsHeldUp", [imageFolder(context)]);
  assert.deepEqual([result.live, result.unusable], [{ origin: 1, other: 3 }, ["snap"]]);
  assert.equal(log.includes("message delete 1"), false);
});

test("of two records of one thin device none is used, and others are", (context) => {
  const { result, log } = run("twins", [imageFolder(context)]);
  assert.deepEqual([result.live, result.unusable], [{ c: 5 }, ["a", "b"]]);
  assert.equal(log.includes("message delete 4"), false);
});

test("of two filesystems that are to be destroyed the second can't be: the error says which is gone, and nothing else is", (context) => {
  const { result } = run("destroyedPartly", [imageFolder(context)]);
  assert.match(
    result.failure,
    /^Of the filesystems that were to be destroyed only "a" are; Failed to save the record of filesystem "t"/,
  );
  assert.deepEqual(result.left, ["b of none", "s of none", "t of b"]);
  assert.deepEqual(result.again, [1, 1]);
  assert.equal(result.live, 2);
  assert.deepEqual(result.records, ["s of none", "t of none"]);
});
