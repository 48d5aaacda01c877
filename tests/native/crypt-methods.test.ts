/** As many unlock methods as a pool may have: a re-encryption needs two keyslots for each, and one of its own, of 32. */
import * as assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test, type TestContext } from "node:test";
import {
  findReencryptionMark,
  outcomeOf,
  reencryptionMark,
} from "../../src/engine/real/crypt/reencryption-mark";
import { rawTokensOf } from "../../src/engine/real/crypt/luks-device";
import { readTokens } from "../../src/engine/real/crypt/tokens";
import { MAX_TOKENS } from "../../src/engine/validation";
import { native, type CryptHeader } from "../../src/native";
import { bytesAt, CHEAP, luksFile, overwrite, passphrase, V2 } from "./crypt-support";

const DATA_OFFSET = 17 * 1024 * 1024;
const DATA_BYTES = 1024 * 1024;
const PREFIX = `stratis-1-key-test-${process.pid}-methods-`;
const METHODS = Array.from({ length: MAX_TOKENS }, (_, slot) => slot);
const secretOf = (slot: number): { passphrase: Buffer } => passphrase(`secret of method ${slot}`);

/** Every other is Clevis's, with a JWE as long as one of a tang server. */
function tokenOf(slot: number, keyslots: readonly number[]): string {
  const common = { keyslots: keyslots.map(String) };
  if (slot % 2 === 0)
    return JSON.stringify({ type: "luks2-keyring", ...common, key_description: `${PREFIX}${slot}` });
  const sealed = JSON.stringify({ clevis: { pin: "tpm2", tpm2: { filler: "x".repeat(1200) } } });
  const jwe = { protected: Buffer.from(sealed).toString("base64url"), tag: "x".repeat(22) };
  return JSON.stringify({ type: "clevis", ...common, jwe });
}

async function headerOf(file: string): Promise<CryptHeader> {
  const header = await native().cryptLoad(file);
  assert.ok(header !== null);
  return header;
}

/** Each method's slot with the keyslot that its token names. */
async function methodsOf(file: string): Promise<[number, number | null][]> {
  const { methods, foreign } = readTokens(rawTokensOf(await headerOf(file)));
  assert.deepEqual(foreign, []);
  return methods.map(({ slot, keyslot }) => [slot, keyslot]);
}

async function formatted(context: TestContext): Promise<string> {
  const texts = METHODS.map((slot) => secretOf(slot).passphrase.toString());
  const { file } = await luksFile(context, texts, { ...V2, mib: 18 });
  for (const slot of METHODS) await native().cryptSetToken(file, slot, tokenOf(slot, [slot]));
  for (const slot of METHODS.filter((number) => number % 2 === 0)) {
    await native().keyringSet(`${PREFIX}${slot}`, secretOf(slot));
    context.after(() => native().keyringUnset(`${PREFIX}${slot}`));
  }
  return file;
}

/** Every method opens, by its own keyslot, and by its token where the key is in the keyring. */
async function assertAllOpen(file: string): Promise<void> {
  const methods = await methodsOf(file);
  assert.deepEqual(
    methods.map(([slot]) => slot),
    METHODS,
  );
  for (const [slot, keyslot] of methods) {
    assert.notEqual(keyslot, null, `method ${slot} has one keyslot`);
    assert.equal(await native().cryptTest(file, { ...secretOf(slot), keyslot }), keyslot);
    if (slot % 2 === 0) assert.equal(await native().cryptTest(file, { token: slot }), keyslot);
  }
}

/** As PoolCrypt.beginReencryption does it, for a device that nobody uses. */
async function begin(file: string): Promise<void> {
  const addon = native();
  const methods = await methodsOf(file);
  const mark = await addon.cryptSetToken(file, null, reencryptionMark(await headerOf(file)));
  assert.equal(mark, MAX_TOKENS);
  const volumeKey = await addon.cryptGenerateVolumeKey();
  const added: number[] = [];
  for (const [slot, old] of methods) {
    assert.ok(old !== null);
    added[slot] = await addon.cryptAddKeyslot(file, { volumeKey }, secretOf(slot), {
      ...CHEAP,
      unbound: true,
    });
    await addon.cryptSetToken(file, slot, tokenOf(slot, [old, added[slot]]));
  }
  volumeKey.wipe();
  const [oldKeyslot, newKeyslot] = [methods[0]?.[1] ?? null, added[0] ?? null];
  await addon.cryptReencryptBegin(file, { mode: "reencrypt", unlock: secretOf(0), oldKeyslot, newKeyslot });
}

test("a pool with all of its unlock methods is re-encrypted, again and again, and each of them opens it", async (context) => {
  const file = await formatted(context);
  overwrite(file, DATA_OFFSET, randomBytes(DATA_BYTES));
  await assertAllOpen(file);
  for (const last of [0, MAX_TOKENS - 1]) {
    const before = bytesAt(file, DATA_OFFSET, DATA_BYTES);
    await begin(file);
    // 15 old, 15 new, and that of the re-encryption.
    assert.equal((await headerOf(file)).keyslots.length, 2 * MAX_TOKENS + 1);
    // Any method goes on with it.
    const unlock = { ...secretOf(last), keyslot: null };
    assert.equal(await native().cryptReencryptRun(file, { unlock }, () => undefined).ended, "finished");
    const header = await headerOf(file);
    const mark = findReencryptionMark(rawTokensOf(header));
    assert.ok(mark !== null);
    assert.deepEqual(outcomeOf(mark, header), { done: true });
    await native().cryptRemoveToken(file, mark.slot);
    assert.equal((await headerOf(file)).keyslots.length, MAX_TOKENS);
    await assertAllOpen(file);
    assert.ok(!bytesAt(file, DATA_OFFSET, DATA_BYTES).equals(before));
  }
});

test("a re-encryption of all methods that did not begin is taken back by its mark", async (context) => {
  const file = await formatted(context);
  const addon = native();
  await addon.cryptSetToken(file, null, reencryptionMark(await headerOf(file)));
  const volumeKey = await addon.cryptGenerateVolumeKey();
  for (const slot of METHODS)
    await addon.cryptAddKeyslot(file, { volumeKey }, secretOf(slot), { ...CHEAP, unbound: true });
  const header = await headerOf(file);
  const mark = findReencryptionMark(rawTokensOf(header));
  assert.ok(mark !== null);
  const outcome = outcomeOf(mark, header);
  assert.ok(!outcome.done);
  assert.equal(outcome.added.length, MAX_TOKENS);
  for (const keyslot of outcome.added) await addon.cryptDestroyKeyslot(file, keyslot);
  await addon.cryptRemoveToken(file, mark.slot);
  await assertAllOpen(file);
});
