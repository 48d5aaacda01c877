import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryPool } from "../../dbus/support/pool";
import { Script } from "../../dbus/support/script";
import { plain } from "../../dbus/support/client";
import * as values from "../../../src/dbus/values";
import { outgoing } from "../../../src/dbus/signature";
import type { LegacyEncryptionInfo, StoppedPool } from "../../../src/engine/engine";
import type { AnyVariant } from "../../../src/dbus/wire";
import { devUuid, newPoolUuid, poolUuid } from "../../../src/uuid";

const pool = () => new MemoryPool(newPoolUuid(), "p", ["/dev/a"], new Script());

/** One layer of a variant, compared by what it holds. */
const layer = ({ signature, value }: AnyVariant) => ({ signature, value });

test("encryption of an unencrypted pool", () => {
  const unencrypted = pool();
  assert.deepEqual(values.singleKeyDescription(unencrypted), [true, [false, ""]]);
  assert.deepEqual(values.singleClevisInfo(unencrypted), [true, [false, ["", ""]]]);
  assert.deepEqual(layer(values.keyDescriptions(unencrypted)), { signature: "s", value: "Unencrypted" });
  assert.deepEqual(layer(values.clevisInfos(unencrypted)), { signature: "s", value: "Unencrypted" });
  assert.deepEqual(values.freeTokenSlots(unencrypted), [false, 0]);
});

test("encryption of a V2 pool: the lowest slot for the old revisions, all for the new", () => {
  const encrypted = pool();
  const config = '{ "url": "http://t", "stratis:tang:trust_url": true }';
  const compact = '{"stratis:tang:trust_url":true,"url":"http://t"}';
  encrypted.encryptionInfo = {
    keys: [
      { slot: 5, description: "k5" },
      { slot: 0, description: "k0" },
    ],
    clevis: [{ slot: 1, pin: "tang", config }],
    freeSlots: 12,
  };
  assert.deepEqual(values.singleKeyDescription(encrypted), [true, [true, "k0"]]);
  assert.deepEqual(values.singleClevisInfo(encrypted), [true, [true, ["tang", compact]]]);
  assert.deepEqual(layer(values.keyDescriptions(encrypted)), {
    signature: "a(us)",
    value: [
      [5, "k5"],
      [0, "k0"],
    ],
  });
  assert.deepEqual(layer(values.clevisInfos(encrypted)), {
    signature: "a(u(ss))",
    value: [[1, ["tang", compact]]],
  });
  assert.deepEqual(values.freeTokenSlots(encrypted), [true, 12]);
  encrypted.encryptionInfo = { keys: [], clevis: [], freeSlots: 15 };
  assert.deepEqual(values.singleKeyDescription(encrypted), [true, [false, ""]]);
});

const consistent: LegacyEncryptionInfo = {
  keyDescription: { consistent: true, value: "k" },
  clevis: { consistent: true, value: null },
};
const inconsistent: LegacyEncryptionInfo = {
  keyDescription: { consistent: false },
  clevis: { consistent: false },
};

test("encryption of a V1 pool, whose devices may disagree", () => {
  const legacy = pool();
  legacy.metadataVersion = 1;
  legacy.encryptionInfo = consistent;
  assert.deepEqual(layer(values.keyDescriptions(legacy)), {
    signature: "(b(bs))",
    value: [true, [true, "k"]],
  });
  assert.deepEqual(layer(values.clevisInfos(legacy)), {
    signature: "(b(b(ss)))",
    value: [true, [false, ["", ""]]],
  });
  assert.deepEqual(values.freeTokenSlots(legacy), [false, 0]);
  legacy.encryptionInfo = inconsistent;
  assert.deepEqual(values.singleKeyDescription(legacy), [false, [false, ""]]);
  assert.deepEqual(layer(values.clevisInfos(legacy)), {
    signature: "(b(b(ss)))",
    value: [false, [false, ["", ""]]],
  });
});

test("whether the volume key is loaded, or why that is unknown", () => {
  const one = pool();
  assert.deepEqual(layer(values.volumeKeyLoaded(one)), { signature: "b", value: false });
  one.volumeKeyLoaded = new Error("no keyring");
  assert.deepEqual(layer(values.volumeKeyLoaded(one)), { signature: "s", value: "no keyring" });
});

const UUID = "3f7d1d1c-6f0b-4b0f-9a3e-4a7d5d2f8c11";
const SIMPLE = UUID.replaceAll("-", "");
const stopped = (changes: Partial<StoppedPool>): StoppedPool => ({
  uuid: poolUuid(UUID),
  name: "p1",
  devices: [{ path: "/dev/sdb", uuid: devUuid(UUID) }],
  metadataVersion: 2,
  features: ["encryption", "key_description_present"],
  encryption: null,
  partiallyConstructed: false,
  reason: null,
  ...changes,
});

test("stopped pools: members by revision and by what is known", () => {
  const wire = (one: StoppedPool, metadata: boolean) =>
    plain(outgoing("a{sa{sv}}", values.stoppedPools([one], metadata)));
  const devs = [{ devnode: "/dev/sdb", uuid: SIMPLE }];
  assert.deepEqual(wire(stopped({}), false), { [SIMPLE]: { devs, name: "p1" } });
  assert.deepEqual(wire(stopped({}), true), {
    [SIMPLE]: {
      devs,
      name: "p1",
      metadata_version: [true, 2n],
      features: [true, { encryption: true, key_description_present: true }],
    },
  });
  assert.deepEqual(wire(stopped({ name: null, metadataVersion: null, features: null }), true), {
    [SIMPLE]: { devs, metadata_version: [false, 0n], features: [false, {}] },
  });
  assert.deepEqual(wire(stopped({ encryption: consistent }), false), {
    [SIMPLE]: {
      devs,
      name: "p1",
      key_description: [true, [true, "k"]],
      clevis_info: [true, [false, ["", ""]]],
    },
  });
  assert.deepEqual(wire(stopped({ encryption: inconsistent }), false), {
    [SIMPLE]: {
      devs,
      name: "p1",
      key_description: [false, "Key description is inconsistent across devices"],
      clevis_info: [false, "Clevis information is inconsistent across devices"],
    },
  });
});

test("locked pools are the stopped ones of V1 that are encrypted", () => {
  assert.deepEqual(values.lockedPools([stopped({})]), {});
  const locked = { encryption: consistent, metadataVersion: 1 } as const;
  assert.deepEqual(values.lockedPools([stopped({ ...locked, partiallyConstructed: true })]), {});
  assert.deepEqual(values.lockedPools([stopped({ ...locked, metadataVersion: 2 })]), {});
  assert.deepEqual(Object.keys(values.lockedPools([stopped(locked)])), [SIMPLE]);
});

test("times, sizes, absent values", () => {
  assert.equal(values.timestamp(new Date("2026-01-31T12:00:00.750Z")), "2026-01-31T12:00:00Z");
  assert.equal(values.epochSeconds(new Date(1700000000999)), 1700000000n);
  assert.deepEqual(values.usedBytes(null), [false, "0"]);
  assert.deepEqual(values.optionalBytes(null), [false, ""]);
  assert.deepEqual(values.optionalBytes(2n ** 70n), [true, "1180591620717411303424"]);
  assert.deepEqual(values.optionalUuid(null), [false, "0".repeat(32)]);
});
