/** Keys in root's persistent keyring, seen through the addon, through /proc/keys and by a child process. */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { after, afterEach, before, test } from "node:test";
import { inspect } from "node:util";
import { isNativeError, native, type NativeAddon } from "../../src/native";
import { callUntyped, failsWith, temporaryFolder } from "./support";

/** Keys of other processes are none of this test's business. */
const PREFIX = `stratis-1-key-test-${process.pid}-`;
const description = (name: string): string => PREFIX + name;

let addon: NativeAddon;

async function unsetAll(): Promise<void> {
  for (const found of await addon.keyringList(PREFIX)) await addon.keyringUnset(found);
}

before(async () => {
  addon = native();
  try {
    await addon.keyringList(PREFIX);
  } catch (error) {
    // Said once and clearly, instead of by every test.
    if (isNativeError(error))
      throw new Error(`These tests need root and a kernel with persistent keyrings: ${error.message}`, {
        cause: error,
      });
    throw error;
  }
});
afterEach(unsetAll);
after(unsetAll);

const bytes = (text: string): { passphrase: Buffer } => ({ passphrase: Buffer.from(text) });

/** Through a pipe whose writing end stays open, as D-Bus clients leave it. */
async function setByPipe(name: string, data: Uint8Array): Promise<string> {
  const { readEnd, writeEnd } = addon.pipeWith(data);
  try {
    return await addon.keyringSet(description(name), { fd: readEnd });
  } finally {
    for (const end of [readEnd, writeEnd]) addon.closeDescriptor(end);
  }
}

test("a key is created, changed, recognised and unset", async () => {
  const name = description("a");
  assert.equal(await addon.keyringHas(name), false);
  assert.equal(await addon.keyringSet(name, bytes("first")), "created");
  assert.equal(await addon.keyringHas(name), true);
  assert.equal(await addon.keyringSet(name, bytes("first")), "identity");
  assert.equal(await addon.keyringSet(name, bytes("other")), "valueChanged");
  assert.equal(await addon.keyringSet(name, bytes("other longer")), "valueChanged");
  assert.equal(await setByPipe("a", Buffer.from("other longer")), "identity");
  assert.equal(await addon.keyringUnset(name), true);
  assert.equal(await addon.keyringUnset(name), false);
  assert.equal(await addon.keyringHas(name), false);
});

test("a list is of the keys with the prefix and something after it", async () => {
  assert.deepEqual(await addon.keyringList(PREFIX), []);
  const names = ["one", "two", "with;semicolon", "ünï"].map(description);
  for (const name of [...names, PREFIX]) await addon.keyringSet(name, bytes(name.slice(-20)));
  assert.deepEqual((await addon.keyringList(PREFIX)).toSorted(), names.toSorted());
  assert.deepEqual(await addon.keyringList(description("tw")), [description("two")]);
  assert.equal(await addon.keyringUnset(PREFIX), true);
});

test("more keys than one look into the keyring holds", async () => {
  const names = Array.from({ length: 150 }, (_, index) => description(`many-${index}`));
  await Promise.all(names.map((name) => addon.keyringSet(name, bytes(name.slice(-20)))));
  assert.deepEqual((await addon.keyringList(PREFIX)).toSorted(), names.toSorted());
  assert.ok((await Promise.all(names.map((name) => addon.keyringUnset(name)))).every((unset) => unset));
});

test("only the owner has rights to a key, also after a change", async () => {
  const name = description("rights");
  const permissions = (): string | undefined =>
    new RegExp(`perm (\\S+) .*${name}: (\\d+)`).exec(fs.readFileSync("/proc/keys", "utf8"))?.[1];
  await addon.keyringSet(name, bytes("secret"));
  // A look by this process itself: it is listed only for those who may view it.
  assert.equal(permissions(), "003f0000");
  await addon.keyringSet(name, bytes("another"));
  assert.equal(permissions(), "003f0000");
});

test("setting a key at the same time from several sides creates it once", async () => {
  const name = description("race");
  const results = await Promise.all(Array.from({ length: 20 }, () => addon.keyringSet(name, bytes("same"))));
  assert.deepEqual(results.toSorted(), ["created", ...Array.from({ length: 19 }, () => "identity")]);
  assert.deepEqual(await addon.keyringList(PREFIX), [name]);
});

test("a key is at most 64 bytes, from wherever it comes", async (context) => {
  const file = path.join(temporaryFolder(context), "key");
  for (const length of [1, 63, 64]) {
    const data = Buffer.alloc(length, length);
    assert.equal(await setByPipe(`l${length}`, data), "created");
    // The file's end and the pipe's pause are the same key, as are the bytes.
    fs.writeFileSync(file, data);
    const fd = fs.openSync(file, "r");
    assert.equal(await addon.keyringSet(description(`l${length}`), { fd }), "identity");
    fs.closeSync(fd);
    assert.equal(await addon.keyringSet(description(`l${length}`), { passphrase: data }), "identity");
  }
  const name = description("long");
  await assert.rejects(setByPipe("long", Buffer.alloc(65, "x")), failsWith({ code: "EMSGSIZE" }));
  await assert.rejects(addon.keyringSet(name, { passphrase: Buffer.alloc(65, "x") }), { code: "EMSGSIZE" });
  await assert.rejects(addon.keyringSet(name, { passphrase: Buffer.alloc(513, "x") }), { code: "EINVAL" });
  await assert.rejects(addon.keyringSet(name, { passphrase: Buffer.alloc(0) }), { code: "EINVAL" });
  fs.writeFileSync(file, "");
  const empty = fs.openSync(file, "r");
  await assert.rejects(addon.keyringSet(name, { fd: empty }), { code: "EINVAL", message: /holds nothing/ });
  fs.closeSync(empty);
  assert.equal(await addon.keyringHas(name), false);
});

test("the caller may wipe its bytes and close its descriptor at once", async () => {
  const passphrase = Buffer.from("wiped too early?");
  const set = addon.keyringSet(description("wiped"), { passphrase });
  passphrase.fill(0);
  assert.equal(await set, "created");
  assert.equal(await addon.keyringSet(description("wiped"), bytes("wiped too early?")), "identity");
  const { readEnd, writeEnd } = addon.pipeWith(Buffer.from("wiped too early?"));
  const again = addon.keyringSet(description("wiped"), { fd: readEnd });
  for (const end of [readEnd, writeEnd]) addon.closeDescriptor(end);
  assert.equal(await again, "identity");
});

test("a descriptor that delivers nothing is waited for, not for ever", async () => {
  const { readEnd, writeEnd } = addon.pipeWith(Buffer.alloc(0));
  const set = addon.keyringSet(description("late"), { fd: readEnd, timeoutMs: 50 });
  await assert.rejects(set, failsWith({ code: "ETIMEDOUT", syscall: "read" }));
  for (const end of [readEnd, writeEnd]) addon.closeDescriptor(end);
  await assert.rejects(addon.keyringSet(description("late"), { fd: readEnd }), { code: "EBADF" });
});

test("a child finds the key, whichever thread starts it", async () => {
  await addon.keyringSet(description("child"), bytes("for the child"));
  // request_key searches the session keyring, as cryptsetup does for a luks2-keyring token.
  const script = `
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
REQUEST_KEY, KEYCTL, KEYCTL_READ = {"x86_64": (249, 250, 11), "aarch64": (218, 219, 11)}[__import__("platform").machine()]
key = libc.syscall(REQUEST_KEY, b"user", sys.argv[1].encode(), None, 0)
buffer = ctypes.create_string_buffer(64)
length = libc.syscall(KEYCTL, KEYCTL_READ, key, buffer, 64)
print(key > 0, length, end="")`;
  const runs = Array.from({ length: 8 }, () =>
    addon.run("/usr/bin/python3", ["-c", script, description("child")], {
      keyring: true,
      environment: ["PATH=/usr/bin:/bin"],
    }),
  );
  for (const run of await Promise.all(runs)) assert.equal(run.stdout, "True 13", run.stderr);
});

test("no failure tells the key", async () => {
  const secret = "a secret that nobody may see, and that is much longer than sixty-four bytes";
  await assert.rejects(addon.keyringSet(description("told"), bytes(secret)), (error) => {
    assert.ok(!inspect(error, { showHidden: true, depth: null }).includes("nobody"));
    return true;
  });
});

test("the process's keyring has no key that nobody loaded", async () => {
  assert.equal(await addon.volumeKeyHas(`stratis-1-vk-${process.pid}`), false);
  assert.equal(await addon.volumeKeyUnset(`stratis-1-vk-${process.pid}`), false);
});

test("arguments of other kinds are refused by name", async () => {
  const refused = [
    ["keyringSet", [], "description"],
    ["keyringSet", [1, bytes("x")], "description"],
    ["keyringSet", ["", bytes("x")], "description"],
    ["keyringSet", ["a\0b", bytes("x")], "description"],
    ["keyringSet", ["x".repeat(4096), bytes("x")], "description"],
    ["keyringSet", ["a"], "source"],
    ["keyringSet", ["a", null], "source"],
    ["keyringSet", ["a", 3], "source"],
    ["keyringSet", ["a", {}], "source"],
    ["keyringSet", ["a", { fd: 3, passphrase: Buffer.from("x") }], "source"],
    ["keyringSet", ["a", { keyDescription: "b" }], "source"],
    ["keyringSet", ["a", { passphrase: "text" }], "source.passphrase"],
    ["keyringSet", ["a", { passphrase: new Uint16Array(2) }], "source.passphrase"],
    ["keyringSet", ["a", { fd: -1 }], "source.fd"],
    ["keyringSet", ["a", { fd: 1.5 }], "source.fd"],
    ["keyringSet", ["a", { fd: "0" }], "source.fd"],
    ["keyringSet", ["a", { fd: 0, timeoutMs: -1 }], "source.timeoutMs"],
    ["keyringSet", ["a", { fd: 0, timeoutMs: 1e9 }], "source.timeoutMs"],
    ["keyringUnset", [undefined], "description"],
    ["keyringHas", [Buffer.from("x")], "description"],
    ["keyringList", [""], "prefix"],
    ["volumeKeyHas", [{}], "description"],
    ["volumeKeyUnset", [""], "description"],
  ] as const;
  for (const [name, args, target] of refused) {
    const call = callUntyped(addon, name, ...args);
    await assert.rejects(call, failsWith({ code: "EINVAL", syscall: name, target }), `${name} ${target}`);
  }
});
