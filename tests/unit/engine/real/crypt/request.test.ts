/** What can't be bound is refused by the engine before it looks for a key, or changes a header. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PoolCore } from "../../../../../src/engine/real/core";
import { slotBindings } from "../../../../../src/engine/real/crypt-operations";
import { acceptRequest } from "../../../../../src/engine/real/crypt/request";

test("a token slot that no header has is refused for new pools", async () => {
  const keys = [{ slot: 32, description: "there is no such key" }];
  await assert.rejects(acceptRequest({ keys, clevis: [] }), /Token slot 32 does not exist/);
});

test("equal Clevis bindings are as many unlock methods", async () => {
  const tpm2 = { slot: null, pin: "tpm2", config: "{}" };
  const { keys, clevis } = await acceptRequest({ keys: [], clevis: [tpm2, tpm2] });
  assert.deepEqual([keys.length, clevis.length], [0, 2]);
});

test("a token slot that no header has is refused when something is bound to a pool", async () => {
  const core = { crypt: { tokens: [], foreignTokens: [] } } as unknown as PoolCore;
  await assert.rejects(slotBindings.bindClevis(core, "tpm2", "{}", 32), /Token slot 32 does not exist/);
});
