import assert from "node:assert/strict";
import { test } from "node:test";
import { legacyInfo, legacyRequest } from "../../../../../src/engine/real/crypt/legacy-info";
import type { UnlockToken } from "../../../../../src/engine/real/crypt/tokens";

const key = (description: string): UnlockToken => ({ kind: "key", slot: 1, keyslot: 0, description });
const clevis = (config: string, pin = "tang"): UnlockToken => ({
  kind: "clevis",
  slot: 2,
  keyslot: 1,
  pin,
  config,
});
const device = (...tokens: UnlockToken[]): { tokens: UnlockToken[] } => ({ tokens });

test("what all devices have is the pool's; the order of a configuration's members is no difference", () => {
  const info = legacyInfo([
    device(key("k"), clevis('{"url":"u","thp":"t"}')),
    device(key("k"), clevis('{"thp":"t","url":"u"}')),
  ]);
  assert.deepEqual(info, {
    keyDescription: { consistent: true, value: "k" },
    clevis: { consistent: true, value: { pin: "tang", config: '{"url":"u","thp":"t"}' } },
  });
  assert.deepEqual(legacyRequest(info), {
    keys: [{ slot: 1, description: "k" }],
    clevis: [{ slot: 2, config: { pin: "tang", config: '{"url":"u","thp":"t"}', trust: false } }],
  });
});

test("what none has is absent, and asks for nothing", () => {
  const info = legacyInfo([device(clevis("{}", "tpm2")), device(clevis("{}", "tpm2"))]);
  assert.deepEqual(info.keyDescription, { consistent: true, value: null });
  assert.deepEqual(legacyRequest(info)?.keys, []);
});

test("a difference in one kind is no difference in the other", () => {
  for (const devices of [
    [device(key("k"), clevis("{}", "tpm2")), device(key("other"), clevis("{}", "tpm2"))],
    [device(key("k"), clevis("{}", "tpm2")), device(clevis("{}", "tpm2"))],
  ]) {
    const info = legacyInfo(devices);
    assert.deepEqual(info.keyDescription, { consistent: false });
    assert.deepEqual(info.clevis, { consistent: true, value: { pin: "tpm2", config: "{}" } });
    assert.equal(legacyRequest(info), null);
  }
});
