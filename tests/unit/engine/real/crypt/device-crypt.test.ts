/** LUKS2 devices in plain files: those of V1 pools are known by their token, and others are left alone. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { DeviceCrypt } from "../../../../../src/engine/real/crypt/device-crypt";
import { printStratisToken } from "../../../../../src/engine/real/crypt/stratis-token";
import { keyName } from "../../../../../src/engine/real/keys";
import { setLogSink } from "../../../../../src/log";
import { native } from "../../../../../src/native";
import { newDevUuid, newPoolUuid } from "../../../../../src/uuid";
import { bytesAt, luksFile, overwrite, V1 } from "../../../../native/crypt-support";

const NUMBER = { major: 8, minor: 0 };
const KEYRING = { type: "luks2-keyring", keyslots: ["0"], key_description: "stratis-1-key-k" };
const keyringToken = (description: string): string =>
  JSON.stringify({ ...KEYRING, key_description: keyName(description) });
const BOTH_COPIES = 2 * V1.metadataSize;
const BINARY_BYTES = 4096;

async function foreignFile(context: TestContext): Promise<string> {
  const { file } = await luksFile(context, ["secret"], { ...V1, mib: 20 });
  return file;
}

async function stratisFile(
  context: TestContext,
  tokens: Record<number, object> = { 1: KEYRING },
): Promise<string> {
  const file = await foreignFile(context);
  const token = { poolUuid: newPoolUuid(), devUuid: newDevUuid(), poolName: "data" };
  await native().cryptSetToken(file, 0, printStratisToken(token));
  for (const [slot, json] of Object.entries(tokens))
    await native().cryptSetToken(file, Number(slot), JSON.stringify(json));
  return file;
}

test("a device of a pool is known by its token, with its unlock methods and the name", async (context) => {
  const file = await stratisFile(context, { 1: KEYRING, 5: { type: "somebody-elses", keyslots: [] } });
  const device = await DeviceCrypt.load(file, NUMBER);
  assert.equal(device?.poolName, "data");
  assert.equal(device.mapping, `stratis-1-private-${device.devUuid.replaceAll("-", "")}-crypt`);
  assert.deepEqual(device.tokens, [{ kind: "key", slot: 1, keyslot: 0, description: "k" }]);
  await device.setPoolName("another");
  const again = await DeviceCrypt.load(file, NUMBER);
  assert.equal(again?.poolName, "another");
  const header = await native().cryptLoad(file);
  assert.deepEqual(
    header?.tokens.map(({ token }) => token),
    [0, 1, 5],
    "what somebody else has there is kept",
  );
});

test("one damaged copy of the header is as good as none", async (context) => {
  for (const at of [0, V1.metadataSize, BINARY_BYTES]) {
    const file = await stratisFile(context);
    overwrite(file, at, Buffer.alloc(BINARY_BYTES, "x"));
    assert.equal((await DeviceCrypt.load(file, NUMBER))?.poolName, "data", `damage at ${at}`);
  }
});

test("two damaged copies are an error, as long as either tells whose they are", async (context) => {
  const file = await stratisFile(context);
  for (const at of [0, V1.metadataSize]) overwrite(file, at, Buffer.alloc(BINARY_BYTES, "x"));
  await assert.rejects(DeviceCrypt.load(file, NUMBER), /neither copy of its LUKS2 header is right/);
});

test("a device of somebody else is none of ours, and its damage is not ours to repair", async (context) => {
  const file = await foreignFile(context);
  assert.equal(await DeviceCrypt.load(file, NUMBER), null);
  overwrite(file, V1.metadataSize, Buffer.alloc(BINARY_BYTES, "x"));
  const before = bytesAt(file, 0, BOTH_COPIES);
  assert.equal(await DeviceCrypt.load(file, NUMBER), null);
  assert.ok(bytesAt(file, 0, BOTH_COPIES).equals(before));
});

test("a device of ours without a way in, or with a token that makes no sense, is told", async (context) => {
  await assert.rejects(
    stratisFile(context, {}).then((file) => DeviceCrypt.load(file, NUMBER)),
    /no unlock method/,
  );
  const broken = { type: "clevis", keyslots: ["0"], jwe: {} };
  await assert.rejects(
    stratisFile(context, { 2: broken }).then((file) => DeviceCrypt.load(file, NUMBER)),
    /None of the unlock methods of .* can be understood: token slot 2 .* no protected header/,
  );
});

test("a slot that somebody else has is not written over", async (context) => {
  const file = await stratisFile(context, { 2: KEYRING, 1: { type: "somebody-elses", keyslots: [] } });
  const device = await DeviceCrypt.load(file, NUMBER);
  await assert.rejects(
    device?.bindKey("new", 1) ?? Promise.resolve(0),
    /Token slot 1 of .* is already occupied/,
  );
});

test("a Clevis token that Stratis can't read keeps its slot, and the key opens all the same", async (context) => {
  const warnings: string[] = [];
  setLogSink((level, _target, message) => {
    if (level === "warn") warnings.push(message);
  });
  context.after(() => {
    setLogSink(() => undefined);
  });
  const description = `test-${process.pid}-foreign`;
  await native().keyringSet(keyName(description), { passphrase: Buffer.from("secret") });
  context.after(() => native().keyringUnset(keyName(description)));
  const sealed = Buffer.from(JSON.stringify({ clevis: { pin: "pkcs11" } })).toString("base64url");
  const foreign = { type: "clevis", keyslots: ["1"], jwe: { protected: sealed } };
  const { file } = await luksFile(context, ["secret", "of the token"], { ...V1, mib: 20 });
  const token = { poolUuid: newPoolUuid(), devUuid: newDevUuid(), poolName: "data" };
  const tokens = [printStratisToken(token), keyringToken(description), JSON.stringify(foreign)];
  for (const [slot, json] of tokens.entries()) await native().cryptSetToken(file, slot, json);

  const device = await DeviceCrypt.load(file, NUMBER);
  assert.ok(device !== null);
  const [method, ...more] = device.tokens;
  assert.equal(method?.slot, 1);
  assert.deepEqual(more, []);
  await device.requireOpens(method);
  await device.refresh();
  assert.equal(warnings.length, 1, "said once");
  assert.match(warnings[0] ?? "", /token slot 2 .* Unsupported clevis pin "pkcs11"; it is left alone/);

  await assert.rejects(device.bindKey(description, 2), /Token slot 2 of .* is already occupied/);
  await device.setPoolName("another");
  const left = (await native().cryptLoad(file))?.tokens.find(({ token: number }) => number === 2);
  assert.deepEqual(JSON.parse(left?.json ?? ""), foreign);
  assert.equal(await native().cryptTest(file, { passphrase: Buffer.from("of the token") }), 1);
});
