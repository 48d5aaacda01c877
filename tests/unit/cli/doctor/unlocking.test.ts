/** Pools with metadata of version 1, which the simulator has not: what their devices agree on. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next";
import { unlockingOfRunning, unlockingOfStopped } from "../../../../cli/doctor/unlocking";
import { ManagedObject } from "../../../../cli/managed-objects";

const KEY = [true, [true, "k"]];
const NO_KEY = [true, [false, ""]];
const TANG = [true, [true, ["tang", '{"url":"x"}']]];
const NO_CLEVIS = [true, [false, ["", ""]]];
const DISAGREE = [false, [false, ["", ""]]];

const running = (properties: Record<string, unknown>): unknown =>
  unlockingOfRunning(new ManagedObject("/p", "pool", new Map(Object.entries(properties))));
const version1 = (key: unknown, clevis: unknown): unknown =>
  running({ Encrypted: true, MetadataVersion: 1n, KeyDescriptions: key, ClevisInfos: clevis });
const stopped = (facts: Record<string, unknown>): unknown =>
  unlockingOfStopped(
    new Map(Object.entries({ metadata_version: [true, 1n], features: [true, {}], ...facts })),
  );

test("a running pool", () => {
  const encrypted = { encrypted: true, passphrase: true };
  assert.deepEqual(version1(KEY, NO_CLEVIS), { ...encrypted, networkNeeds: [] });
  assert.deepEqual(version1(NO_KEY, TANG), { ...encrypted, passphrase: false, networkNeeds: [true] });
  assert.deepEqual(version1(KEY, DISAGREE), { ...encrypted, networkNeeds: null });
  assert.deepEqual(running({ Encrypted: false }), { encrypted: false, passphrase: false, networkNeeds: [] });
  assert.equal(running({ Encrypted: true, MetadataVersion: 1n }), null, "it could not be obtained");
});

test("a stopped pool", () => {
  const text = (signature: string, value: unknown): Variant<unknown> => new Variant(signature, value);
  const told = stopped({
    key_description: [true, text("(bs)", [true, "k"])],
    clevis_info: [true, text("(b(ss))", [true, ["tpm2", "{}"]])],
  });
  assert.deepEqual(told, { encrypted: true, passphrase: true, networkNeeds: [false] });
  const inconsistent = stopped({
    key_description: [true, text("(bs)", [false, ""])],
    clevis_info: [false, text("s", "Clevis information is inconsistent across devices")],
  });
  assert.deepEqual(inconsistent, { encrypted: true, passphrase: false, networkNeeds: null });
  assert.deepEqual(stopped({}), { encrypted: false, passphrase: false, networkNeeds: [] });
  assert.equal(stopped({ metadata_version: [false, 0] }), null, "devices that disagree on the version");
});
