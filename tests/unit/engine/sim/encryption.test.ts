import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Pool, TokenBindings } from "../../../../src/engine/engine";
import { SimEngine } from "../../../../src/engine/sim/engine";
import { TokenSlots } from "../../../../src/engine/sim/tokens";
import { makePool, PLAIN, TANG } from "./support";
import { secretOf } from "../../../support/secrets";

const CONFIG = '{"url":"x"}';

function bindings(pool: Pool): TokenBindings {
  const info = pool.encryptionInfo;
  assert.ok(info !== null && "keys" in info);
  return info;
}

/** Slot 0: key "k"; slot 1: tang. */
async function boundPool(): Promise<Pool> {
  const engine = new SimEngine();
  await engine.setKey("k", secretOf("secret"));
  return await makePool(engine, "p1", {
    encryption: { keys: [{ slot: null, description: "k" }], clevis: TANG.clevis },
  });
}

test("slots that were asked for are kept, the rest gets the lowest free ones", async () => {
  const engine = new SimEngine();
  for (const key of ["a", "b"]) await engine.setKey(key, secretOf(key));
  const pool = await makePool(engine, "p1", {
    encryption: {
      keys: [
        { slot: null, description: "a" },
        { slot: 0, description: "b" },
      ],
      clevis: [
        { slot: null, pin: "tpm2", config: "{}" },
        { slot: 14, pin: "tang", config: CONFIG },
      ],
    },
  });
  assert.equal(pool.encrypted, true);
  assert.deepEqual(bindings(pool), {
    keys: [
      { slot: 0, description: "b" },
      { slot: 1, description: "a" },
    ],
    clevis: [
      { slot: 2, pin: "tpm2", config: "{}" },
      { slot: 14, pin: "tang", config: CONFIG },
    ],
    freeSlots: 11,
  });
});

test("a slot that no header has is refused before anything is made", async () => {
  const engine = new SimEngine();
  await engine.setKey("a", secretOf("a"));
  const encryption = { keys: [{ slot: 32, description: "a" }], clevis: [] };
  await assert.rejects(makePool(engine, "p", { encryption }), /Token slot 32 does not exist: .* 0 to 31/);
  assert.deepEqual(engine.pools(), []);
  const pool = await makePool(engine, "p", {
    encryption: { keys: [{ slot: 31, description: "a" }], clevis: [] },
  });
  await assert.rejects(pool.bindKeyring("a", 32), /Token slot 32 does not exist/);
  await assert.rejects(pool.bindClevis("tpm2", "{}", 4294967295), /Token slot 4294967295 does not exist/);
});

test("a slot can't be asked for twice, nor more than fifteen", async () => {
  const engine = new SimEngine();
  const clevis = (slot: number | null): { slot: number | null; pin: string; config: string } => ({
    slot,
    pin: "tpm2",
    config: "{}",
  });
  await assert.rejects(
    makePool(engine, "p", { encryption: { keys: [], clevis: [clevis(3), clevis(3)] } }),
    /Token slot 3 already taken/,
  );
  const sixteen = Array.from({ length: 16 }, () => clevis(null));
  await assert.rejects(
    makePool(engine, "p", { encryption: { keys: [], clevis: sixteen } }),
    /16 unlock methods were provided, where an encrypted pool can have 15/,
  );
  assert.deepEqual(engine.pools(), []);
});

test("nothing can be bound, rebound or unbound on an unencrypted pool", async () => {
  const pool = await makePool(new SimEngine());
  const refused = /Pool "p1" is not encrypted/;
  await assert.rejects(pool.bindKeyring("k", null), refused);
  await assert.rejects(pool.bindClevis("tang", CONFIG, null), refused);
  await assert.rejects(pool.rebindKeyring("k", null), refused);
  await assert.rejects(pool.rebindClevis(null), refused);
  await assert.rejects(pool.unbindKeyring(null), refused);
  await assert.rejects(pool.unbindClevis(null), refused);
  await assert.rejects(pool.reencrypt(), /Cannot reencrypt an unencrypted pool/);
});

test("binding a key", async () => {
  const pool = await boundPool();
  assert.deepEqual(await pool.bindKeyring("k", null), { action: "identity" });
  assert.deepEqual(await pool.bindKeyring("k", 0), { action: "identity" });
  assert.deepEqual(await pool.bindKeyring("k", "legacy"), { action: "identity" });
  await assert.rejects(
    pool.bindKeyring("l", 0),
    /Token slot 0 has already been bound with key description k/,
  );
  await assert.rejects(pool.bindKeyring("l", 1), /Token slot 1 has already been bound with Clevis pin tang/);
  await assert.rejects(
    pool.bindKeyring("l", "legacy"),
    /The pool has already been bound with key description k/,
  );
  // The keyring is not looked at.
  assert.deepEqual(await pool.bindKeyring("l", null), { action: "created", value: 2 });
  assert.deepEqual(await pool.bindKeyring("k", 9), { action: "created", value: 9 });
});

test("binding Clevis without a slot always adds a binding", async () => {
  const pool = await boundPool();
  assert.deepEqual(await pool.bindClevis("tpm2", "{}", null), { action: "created", value: 2 });
  assert.deepEqual(await pool.bindClevis("tpm2", "{}", null), { action: "created", value: 3 });
  assert.deepEqual(await pool.bindClevis("tang", CONFIG, 1), { action: "identity" });
  assert.deepEqual(await pool.bindClevis("tang", CONFIG, "legacy"), { action: "identity" });
  await assert.rejects(
    pool.bindClevis("tang", "{}", "legacy"),
    /has already been bound with Clevis pin tang/,
  );
  await assert.rejects(
    pool.bindClevis("tang", "{}", 0),
    /Token slot 0 has already been bound with key description k/,
  );
});

test("the first binding of a kind through an old interface takes a free slot", async () => {
  const pool = await makePool(new SimEngine(), "p1", { encryption: TANG });
  assert.deepEqual(await pool.bindKeyring("k", "legacy"), { action: "created", value: 1 });
});

test("fourteen keys fit beside one Clevis binding, and then there is no identity either", async () => {
  const pool = await makePool(new SimEngine(), "p1", { encryption: TANG });
  for (let index = 0; index < 14; index += 1)
    assert.equal((await pool.bindKeyring(`k${index}`, null)).action, "created");
  assert.equal(bindings(pool).freeSlots, 0);
  await assert.rejects(pool.bindKeyring("k14", null), /reached limit of 15 token and keyslots/);
  await assert.rejects(pool.bindKeyring("k0", null), /reached limit of 15/);
  await assert.rejects(pool.bindClevis("tpm2", "{}", 20), /reached limit of 15/);
});

test("the only unlock method can't be unbound, whatever is asked for", async () => {
  const pool = await makePool(new SimEngine(), "p1", { encryption: TANG });
  await assert.rejects(pool.unbindClevis(null), /one remaining unlock method/);
  await assert.rejects(pool.unbindKeyring(null), /one remaining unlock method/);
  await assert.rejects(pool.unbindKeyring(32), /one remaining unlock method/);
});

test("unbinding", async () => {
  const pool = await boundPool();
  await assert.rejects(pool.unbindKeyring(1), /Token slot 1 could not be unbound .* Clevis pin tang/);
  await assert.rejects(pool.unbindClevis(0), /Token slot 0 could not be unbound .* key description k/);
  assert.deepEqual(await pool.unbindKeyring(32), { action: "identity" });
  await pool.bindKeyring("l", 7);
  assert.deepEqual(await pool.unbindKeyring(7), { action: "deleted", value: 7 });
  assert.deepEqual(await pool.unbindKeyring(null), { action: "deleted", value: 0 });
  await pool.bindClevis("tpm2", "{}", 4);
  assert.deepEqual(await pool.unbindKeyring(null), { action: "identity" });
  assert.deepEqual(await pool.unbindClevis(null), { action: "deleted", value: 1 });
  assert.deepEqual(bindings(pool).clevis, [{ slot: 4, pin: "tpm2", config: "{}" }]);
});

test("rebinding a key", async () => {
  const pool = await boundPool();
  assert.deepEqual(await pool.rebindKeyring("k", null), { action: "identity" });
  assert.deepEqual(await pool.rebindKeyring("k", 0), { action: "identity" });
  assert.deepEqual(await pool.rebindKeyring("l", null), { action: "renamed", value: "l" });
  assert.deepEqual(bindings(pool).keys, [{ slot: 0, description: "l" }]);
  await assert.rejects(pool.rebindKeyring("m", 1), /token slot 1 is bound to Clevis pin tang/);
  await assert.rejects(pool.rebindKeyring("m", 5), /token slot 5 is unbound/);
  await pool.unbindKeyring(null).then(({ action }) => {
    assert.equal(action, "deleted");
  });
  await assert.rejects(pool.rebindKeyring("m", null), /the pool has no such binding/);
});

test("rebinding Clevis", async () => {
  const pool = await boundPool();
  await pool.rebindClevis(null);
  await pool.rebindClevis(1);
  await assert.rejects(pool.rebindClevis(0), /token slot 0 is bound to key description k/);
  await assert.rejects(pool.rebindClevis(6), /token slot 6 is unbound/);
  await pool.unbindClevis(null);
  await assert.rejects(pool.rebindClevis(null), /the pool has no such binding/);
  assert.deepEqual(bindings(pool).keys, [{ slot: 0, description: "k" }]);
});

test("encryption is switched on, renewed and switched off", async () => {
  const pool = await makePool(new SimEngine());
  assert.deepEqual(await pool.decrypt(), { action: "identity" });
  await assert.rejects(pool.encrypt(PLAIN), /No unlock methods provided/);
  assert.equal(pool.encrypted, false);
  // The keyring is not looked at.
  const request = { keys: [{ slot: 3, description: "nowhere" }], clevis: [] };
  assert.deepEqual(await pool.encrypt(request), { action: "created", value: true });
  assert.equal(pool.encrypted, true);
  assert.equal(bindings(pool).freeSlots, 14);
  assert.deepEqual(await pool.encrypt(TANG), { action: "identity" });
  assert.deepEqual(bindings(pool).clevis, []);

  // In whole seconds, as it is recorded.
  const before = Math.floor(Date.now() / 1000) * 1000;
  await pool.reencrypt();
  const at = pool.lastReencrypted?.getTime() ?? 0;
  assert.ok(at >= before && at <= Date.now(), `reencrypted at ${at}, started at ${before}`);

  assert.deepEqual(await pool.decrypt(), { action: "deleted", value: true });
  assert.equal(pool.encrypted, false);
  assert.equal(pool.encryptionInfo, null);
  assert.equal(pool.lastReencrypted, null);
});

test("whatever is bound and unbound, at least one of fifteen slots is in use and every slot once", () => {
  const slot = fc.oneof(fc.constant(null), fc.nat({ max: 16 }));
  const kind = fc.constantFrom("key", "clevis");
  const step = fc.record({
    op: fc.constantFrom("bind", "bind", "unbind"),
    kind,
    slot,
    what: fc.nat({ max: 20 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const slots = new TokenSlots(TANG);
      for (const { op, kind, slot, what } of steps) {
        const before = slots.bindings();
        try {
          if (op === "unbind") slots.unbind(kind, slot);
          else if (kind === "key") slots.bind({ kind, description: `k${what}` }, slot);
          else slots.bind({ kind, pin: "tpm2", config: `${what}` }, slot);
        } catch {
          // A refusal changes nothing.
          assert.deepEqual(slots.bindings(), before);
        }
        const { keys, clevis, freeSlots } = slots.bindings();
        const used = [...keys, ...clevis].map((binding) => binding.slot);
        assert.equal(new Set(used).size, used.length);
        assert.ok(used.length >= 1 && used.length <= 15);
        assert.equal(freeSlots, 15 - used.length);
      }
    }),
  );
});
