/** Signals of calls about keys and encryption (dbus-api.md §11). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BUS_NAME } from "../../src/dbus/names";
import { changedOn } from "./support/world";
import { secretOf } from "../support/secrets";
import { at, world, traced, manager, on, createPool, useWorlds } from "./support/traced";

useWorlds();

test("a cache on an encrypted pool is refused up to r4", async () => {
  world.engine.keys.set("k", secretOf("x"));
  await createPool("p", ["/dev/a"], [[[false, 0], "k"]]);
  const old = await traced("InitCache", on("pool", 0, 4, "as", ["/dev/c"]));
  assert.deepEqual(old.body, [[false, []], 1, "Use of a cache is not supported with an encrypted pool"]);
  assert.equal((await traced("InitCache", on("pool", 0, 5, "as", ["/dev/c"]))).body[1], 0);
});

test("SetKey without a descriptor says so", async () => {
  const reply = await world.client.callWithIndices("SetKey", {
    ...manager(0, "sh", "k", 7),
    signature: "sh",
  });
  assert.deepEqual(reply.body, [
    [false, false],
    1,
    "Could not read the key from file descriptor 7 of the message: no file descriptor came with it",
  ]);
});

test("bindings: both halves, and the count of free slots", async () => {
  world.engine.keys.set("k", secretOf("x"));
  await createPool("p", ["/dev/a"], [[[false, 0], "k"]]);
  const keyHalf = changedOn(at(0), "pool", 0, 7, "KeyDescription");
  const keysHalf = changedOn(at(0), "pool", 8, 9, "KeyDescriptions");
  const clevisHalf = changedOn(at(0), "pool", 0, 7, "ClevisInfo");
  const clevisesHalf = changedOn(at(0), "pool", 8, 9, "ClevisInfos");
  const free = changedOn(at(0), "pool", 8, 9, "FreeTokenSlots");
  const first = await traced("BindClevis", on("pool", 0, 7, "ss", "tang", "{}"));
  assert.deepEqual(first, {
    body: [true, 0, "Ok"],
    trace: [...clevisHalf, ...clevisesHalf, ...free, "reply"],
  });
  // Not the lowest slot: the single binding of r0 to r7 stays what it was.
  const second = await traced("BindClevis", on("pool", 0, 9, "ss(bu)", "tang", "{}", [false, 0]));
  assert.deepEqual(second, { body: [true, 0, "Ok"], trace: [...clevisesHalf, ...free, "reply"] });
  const same = await traced("BindKeyring", on("pool", 0, 8, "s(bu)", "k", [false, 0]));
  assert.deepEqual(same, { body: [false, 0, "Ok"], trace: ["reply"] });
  const rebound = await traced("RebindKeyring", on("pool", 0, 8, "s(bu)", "k2", [true, 0]));
  assert.deepEqual(rebound, { body: [true, 0, "Ok"], trace: [...keyHalf, ...keysHalf, "reply"] });
  const again = await traced("RebindClevis", on("pool", 0, 0, ""));
  assert.deepEqual(again, { body: [true, 0, "Ok"], trace: [...clevisHalf, ...clevisesHalf, "reply"] });
  const unbound = await traced("UnbindKeyring", on("pool", 0, 9, "(bu)", [false, 0]));
  assert.deepEqual(unbound, { body: [true, 0, "Ok"], trace: [...keyHalf, ...keysHalf, ...free, "reply"] });
  const none = await traced("UnbindKeyring", on("pool", 0, 2, ""));
  assert.deepEqual(none, { body: [false, 0, "Ok"], trace: ["reply"] });
  const nothing = await traced("RebindKeyring", on("pool", 0, 2, "s", "k3"));
  assert.match(String(nothing.body[2]), /is not currently bound to a keyring passphrase$/);
});

test("EncryptPool, ReencryptPool, DecryptPool", async () => {
  await createPool("p", ["/dev/a"]);
  const r9 = (signature: string, ...body: unknown[]) => on("pool", 0, 9, signature, ...body);
  const none = await traced("EncryptPool", r9("a((bu)s)a((bu)ss)", [], []));
  assert.deepEqual(none.body, [false, 1, "No unlock methods provided"]);
  const bindings = [
    ...changedOn(at(0), "pool", 0, 7, "KeyDescription"),
    ...changedOn(at(0), "pool", 8, 9, "KeyDescriptions"),
    ...changedOn(at(0), "pool", 0, 7, "ClevisInfo"),
    ...changedOn(at(0), "pool", 8, 9, "ClevisInfos"),
    ...changedOn(at(0), "pool", 9, 9, "Encrypted"),
    ...changedOn(at(0), "pool", 8, 9, "FreeTokenSlots"),
  ];
  const time = changedOn(at(0), "pool", 9, 9, "LastReencryptedTimestamp");
  const encrypt = () => traced("EncryptPool", r9("a((bu)s)a((bu)ss)", [[[false, 0], "k"]], []));
  assert.deepEqual(await encrypt(), { body: [true, 0, "Ok"], trace: [...bindings, "reply"] });
  assert.deepEqual(await encrypt(), { body: [false, 0, "Ok"], trace: ["reply"] });
  assert.deepEqual(await traced("ReencryptPool", r9("")), {
    body: [true, 0, "Ok"],
    trace: [...time, "reply"],
  });
  assert.deepEqual(await world.client.get(at(0), `${BUS_NAME}.pool.r9`, "LastReencryptedTimestamp"), [
    true,
    "2026-02-01T00:00:00Z",
  ]);
  assert.deepEqual(await traced("DecryptPool", r9("")), {
    body: [true, 0, "Ok"],
    trace: [...bindings, ...time, "reply"],
  });
});
