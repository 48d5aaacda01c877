/** Tokens, unlocking by them, and what goes into the keyring of the process. */
import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as path from "node:path";
import { afterEach, test } from "node:test";
import { native } from "../../src/native";
import { CHEAP, luksFile, overwrite, passphrase } from "./crypt-support";
import { callUntyped, failsWith, kernelHasDeviceMapper } from "./support";

const PREFIX = `stratis-1-key-test-${process.pid}-`;
const VOLUME_KEY = `stratis-1-vk-test-${process.pid}`;

afterEach(async () => {
  for (const found of await native().keyringList(PREFIX)) await native().keyringUnset(found);
  await native().volumeKeyUnset(VOLUME_KEY);
});

const keyringToken = (key: string, keyslots: number[]): string =>
  JSON.stringify({ type: "luks2-keyring", keyslots: keyslots.map(String), key_description: PREFIX + key });

async function tokensOf(file: string): Promise<unknown[]> {
  const header = await native().cryptLoad(file);
  return (header?.tokens ?? []).map(({ token, json }) => [token, JSON.parse(json) as unknown]);
}

test("tokens are written, found, replaced and removed", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const addon = native();
  const stratis = { type: "stratis", keyslots: [], pool_name: 'ünï "quoted"', device_uuid: "x" };
  assert.equal(await addon.cryptSetToken(file, null, keyringToken("k", [0])), 0);
  assert.equal(await addon.cryptSetToken(file, null, JSON.stringify(stratis)), 1);
  assert.equal(await addon.cryptSetToken(file, 31, keyringToken("q", [])), 31);
  assert.deepEqual(await tokensOf(file), [
    [0, { type: "luks2-keyring", keyslots: ["0"], key_description: `${PREFIX}k` }],
    [1, stratis],
    [31, { type: "luks2-keyring", keyslots: [], key_description: `${PREFIX}q` }],
  ]);
  assert.equal(await addon.cryptSetToken(file, 0, JSON.stringify(stratis)), 0);
  await addon.cryptRemoveToken(file, 31);
  assert.deepEqual(await tokensOf(file), [
    [0, stratis],
    [1, stratis],
  ]);
  for (const json of ["{", "[]", "{}", '{"type":"x"}', '{"type":"luks2-keyring","keyslots":["0"]}'])
    await assert.rejects(addon.cryptSetToken(file, 5, json), {
      code: "EINVAL",
      syscall: "crypt_token_json_set",
    });
  await assert.rejects(addon.cryptSetToken(file, 5, keyringToken("k", [7])), { code: "EINVAL" });
  assert.equal((await tokensOf(file)).length, 2);
});

test("no more than 32 tokens", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  for (let token = 0; token < 32; token++)
    assert.equal(await native().cryptSetToken(file, null, keyringToken(`k${token}`, [0])), token);
  await assert.rejects(native().cryptSetToken(file, null, keyringToken("x", [0])), {
    syscall: "crypt_token_json_set",
  });
});

test("a token opens its keyslot with its key, any token the first that works", async (context) => {
  const { file } = await luksFile(context, ["first", "second", "third"]);
  const addon = native();
  await addon.cryptSetToken(file, 1, keyringToken("first", [0]));
  await addon.cryptSetToken(file, 2, JSON.stringify({ type: "clevis", keyslots: ["1"], jwe: {} }));
  await addon.cryptSetToken(file, 7, keyringToken("third", [2]));
  const any = { token: "any" } as const;
  await assert.rejects(addon.cryptTest(file, any), {
    code: "ENOKEY",
    message: /token 1: .*-first' in root's persistent keyring .*token 7: .*-third'/,
  });
  await addon.keyringSet(`${PREFIX}third`, passphrase("third"));
  assert.equal(await addon.cryptTest(file, any), 2);
  assert.equal(await addon.cryptTest(file, { token: 7 }), 2);
  assert.equal(await addon.cryptTest(file, { keyDescription: `${PREFIX}third` }), 2);
  await assert.rejects(addon.cryptTest(file, { token: 1 }), failsWith({ code: "ENOKEY", target: file }));
  await addon.keyringSet(`${PREFIX}first`, passphrase("first"));
  assert.equal(await addon.cryptTest(file, any), 0);
  // The key of a token is tried on its own keyslot only.
  await addon.keyringSet(`${PREFIX}first`, passphrase("second"));
  assert.equal(await addon.cryptTest(file, any), 2);
  await assert.rejects(addon.cryptTest(file, { token: 1 }), {
    code: "EPERM",
    message: /-first' does not open its keyslot/,
  });
  await assert.rejects(addon.cryptTest(file, { token: 2 }), {
    code: "ENOENT",
    message: /token 2: it is not a token/,
  });
  await assert.rejects(addon.cryptTest(file, { token: 9 }), { code: "ENOENT", message: /token 9/ });
});

test("without a token to try, any opens nothing", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const any = { token: "any" } as const;
  await assert.rejects(native().cryptTest(file, any), {
    code: "ENOENT",
    message: /no token of type luks2-keyring/,
  });
  await native().cryptSetToken(file, 0, keyringToken("k", []));
  await assert.rejects(native().cryptTest(file, any), { code: "ENOENT", message: /it has no keyslot/ });
});

test("keyslots are added and read by tokens and keys of the keyring", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const addon = native();
  await addon.keyringSet(`${PREFIX}a`, passphrase("p"));
  await addon.keyringSet(`${PREFIX}b`, passphrase("another"));
  await addon.cryptSetToken(file, 0, keyringToken("a", [0]));
  const added = await addon.cryptAddKeyslot(file, { token: "any" }, { keyDescription: `${PREFIX}b` }, CHEAP);
  assert.equal(await addon.cryptTest(file, passphrase("another")), added);
  assert.equal((await addon.cryptVolumeKey(file, { token: 0 })).bytes, 64);
  await assert.rejects(addon.cryptAddKeyslot(file, { token: 0 }, { keyDescription: `${PREFIX}c` }, CHEAP), {
    code: "ENOKEY",
    message: new RegExp(`${PREFIX}c`),
  });
});

test("the volume key is in the process's keyring for every thread, also those that were there before", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  // The pool's threads exist before the addon: they did the reading of files.
  const script = `
    const fs = require("node:fs");
    const many = (call) => Promise.all(Array.from({ length: 16 }, call));
    (async () => {
      await many(() => fs.promises.stat("/"));
      const addon = require(${JSON.stringify(path.resolve(__dirname, "..", "..", "src", "native", "index.js"))}).native();
      const loaded = await many((_, i) => addon.cryptLoadVolumeKey(${JSON.stringify(file)}, { passphrase: Buffer.from("p") }, "stratis-1-vk-" + i % 3));
      const there = await many((_, i) => addon.volumeKeyHas("stratis-1-vk-" + i % 3));
      const keys = fs.readFileSync("/proc/keys", "utf8").split("\\n").filter((line) => line.includes("stratis-1-vk-"));
      const unset = [];
      for (let i = 0; i < 4; i++) unset.push(await addon.volumeKeyUnset("stratis-1-vk-" + i));
      const gone = await many((_, i) => addon.volumeKeyHas("stratis-1-vk-" + i % 3));
      console.log(JSON.stringify({ loaded, there, keys, unset, gone }));
    })();`;
  const output = execFileSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 60_000 });
  const result = JSON.parse(output) as Record<"loaded" | "there" | "keys" | "unset" | "gone", unknown[]>;
  assert.deepEqual(new Set(result.loaded), new Set([0]));
  assert.deepEqual(new Set(result.there), new Set([true]));
  assert.equal(result.keys.length, 3);
  for (const key of result.keys)
    assert.match(String(key), /perm 003f0000 .* user .*stratis-1-vk-\d: 64$|003f0000/);
  assert.deepEqual(result.unset, [true, true, true, false]);
  assert.deepEqual(new Set(result.gone), new Set([false]));
});

test("a volume key that can't be unlocked is not loaded", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  await assert.rejects(native().cryptLoadVolumeKey(file, passphrase("q"), VOLUME_KEY), { code: "EPERM" });
  assert.equal(await native().volumeKeyHas(VOLUME_KEY), false);
  assert.equal(await native().cryptLoadVolumeKey(file, passphrase("p"), VOLUME_KEY), 0);
  assert.equal(await native().volumeKeyHas(VOLUME_KEY), true);
});

test("a volume key opens its own device without a passphrase, and no other", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const addon = native();
  const volumeKey = await addon.cryptVolumeKey(file, passphrase("p"));
  const other = await addon.cryptGenerateVolumeKey();
  const [description, name] = [`${VOLUME_KEY}-given`, `stratis-test-${process.pid}`];
  for (const call of [
    addon.cryptLoadVolumeKey(file, { volumeKey: other }, description),
    addon.cryptActivate(file, name, { volumeKey: other }, { volumeKeyDescription: description }),
  ])
    await assert.rejects(call, { code: "EPERM", syscall: "crypt_volume_key_verify", target: file });
  assert.equal(await addon.volumeKeyHas(description), false);
  assert.equal(await addon.cryptLoadVolumeKey(file, { volumeKey }, description), null);
  assert.equal(await addon.volumeKeyUnset(description), true);
  // It is the caller's to wipe, and is there until that.
  assert.equal(await addon.cryptLoadVolumeKey(file, { volumeKey }, description), null);
  assert.equal(await addon.volumeKeyUnset(description), true);
  volumeKey.wipe();
  await assert.rejects(addon.cryptLoadVolumeKey(file, { volumeKey }, description), { code: "EINVAL" });
});

test("a device with an operation in place under way is not opened by one volume key", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const addon = native();
  const volumeKey = await addon.cryptVolumeKey(file, passphrase("p"));
  await addon.cryptReencryptBegin(file, { mode: "decrypt", unlock: passphrase("p"), oldKeyslot: 0 });
  await assert.rejects(addon.cryptActivate(file, "stratis-test", { volumeKey }), {
    code: "EINVAL",
    message: /takes a passphrase, not a volume key/,
  });
});

test("activation makes a mapping where the kernel has device-mapper, and else leaves nothing behind", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  const addon = native();
  const name = `stratis-test-${process.pid}`;
  await assert.rejects(addon.cryptActivate(file, name, passphrase("q")), { code: "EPERM" });
  const activation = addon.cryptActivate(file, name, passphrase("p"), { volumeKeyDescription: VOLUME_KEY });
  if (!kernelHasDeviceMapper()) {
    await assert.rejects(activation, { syscall: "crypt_activate_by_volume_key", target: file });
    assert.equal(await addon.volumeKeyHas(VOLUME_KEY), false);
    await assert.rejects(addon.cryptDeactivate(name), { syscall: "crypt_deactivate_by_name", target: name });
    await assert.rejects(addon.cryptResize(file, name, passphrase("p")), {
      syscall: "crypt_get_active_device",
    });
    return;
  }
  assert.deepEqual(await activation, { keyslot: 0, volumeKeyLoaded: true });
  assert.equal(await addon.cryptStatus(name), "active");
  await assert.rejects(
    addon.cryptActivate(file, name, passphrase("p"), { volumeKeyDescription: VOLUME_KEY }),
    {
      code: "EEXIST",
    },
  );
  assert.equal(await addon.volumeKeyHas(VOLUME_KEY), true);
  await addon.cryptResize(file, name, { volumeKeyDescription: VOLUME_KEY }, 2048n);
  await addon.cryptResize(file, name, passphrase("p"));
  await addon.cryptDeactivate(name);
  assert.equal(await addon.cryptStatus(name), "inactive");
});

test("what is no header can't be activated, and a damaged one not by half", async (context) => {
  const { file } = await luksFile(context, ["p"]);
  overwrite(file, 0, Buffer.alloc(0x8000));
  const call = native().cryptActivate(file, "stratis-test", passphrase("p"));
  await assert.rejects(call, failsWith({ code: "ENODATA", target: file }));
  await assert.rejects(native().cryptResize(file, "stratis-test", { volumeKeyDescription: "none" }), {
    code: "ENODATA",
  });
});

test("arguments of other kinds are refused by name", async (context) => {
  const { file } = await luksFile(context, []);
  const p = passphrase("p");
  const refused: [string, unknown[], string][] = [
    ["cryptActivate", [file, "", p], "name"],
    ["cryptActivate", [file, "x".repeat(128), p], "name"],
    ["cryptActivate", [file, "n"], "unlock"],
    ["cryptActivate", [file, "n", p, { shared: "yes" }], "options.shared"],
    ["cryptActivate", [file, "n", p, { volumeKeyDescription: "" }], "options.volumeKeyDescription"],
    ["cryptLoadVolumeKey", [file, p, ""], "description"],
    ["cryptLoadVolumeKey", [file, "p", "d"], "unlock"],
    ["cryptLoadVolumeKey", [file, { volumeKey: p }, "d"], "unlock.volumeKey"],
    ["cryptLoadVolumeKey", [file, { volumeKey: {}, keyslot: 0 }, "d"], "unlock"],
    ["cryptActivate", [file, "n", { volumeKey: {}, ...p }], "unlock"],
    ["cryptDeactivate", [3], "name"],
    ["cryptDeactivate", ["n", { deferred: 1 }], "options.deferred"],
    ["cryptStatus", [null], "name"],
    ["cryptResize", [file, "n", {}], "unlock"],
    ["cryptResize", [file, "n", { volumeKeyDescription: 1 }], "unlock.volumeKeyDescription"],
    ["cryptResize", [file, "n", p, 5], "sizeSectors"],
    ["cryptResize", [file, "n", p, -5n], "sizeSectors"],
  ];
  for (const [name, args, target] of refused) {
    const call = callUntyped(native(), name, ...args);
    await assert.rejects(call, failsWith({ code: "EINVAL", syscall: name, target }), `${name} ${target}`);
  }
});
