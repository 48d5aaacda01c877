/** Handles on secrets: what JavaScript can do with them, and what it can't get. */
import * as assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { native } from "../../src/native";
import { secretOf, secretText } from "../support/secrets";
import { CHEAP, luksFile } from "./crypt-support";
import { callUntyped, failsWith } from "./support";

test("a secret is compared, shared and wiped", () => {
  const secret = secretOf("one");
  assert.equal(secret.bytes, 3);
  const shared = secret.share();
  assert.ok(secret.equals(shared) && shared.equals(secretOf("one")));
  for (const other of ["two", "on", "one ", ""]) assert.ok(!secret.equals(secretOf(other)));
  secret.wipe();
  secret.wipe();
  assert.equal(secretText(shared), "one");
  const wiped = failsWith({ code: "EINVAL" });
  assert.throws(() => secret.share(), wiped);
  assert.throws(() => secret.equals(shared), wiped);
  assert.throws(() => shared.equals(secret), wiped);
  assert.throws(() => native().pipeWith(secret), /it was wiped/);
});

test("nothing of a secret can be seen", () => {
  const secret = secretOf("nobody may see this");
  const shown = inspect(secret, { showHidden: true, depth: null }) + JSON.stringify(secret);
  assert.doesNotMatch(shown, /nobody/);
  assert.deepEqual(JSON.parse(JSON.stringify(secret)), { bytes: 19 });
});

test("a secret may be wiped while it is being used", async (context) => {
  const { file } = await luksFile(context, ["passphrase"]);
  // Another one, since nothing says which of two calls comes first.
  const { file: empty, volumeKey } = await luksFile(context, []);
  const secret = secretOf("passphrase");
  const added = native().cryptAddKeyslot(empty, { volumeKey }, { secret }, CHEAP);
  const tested = native().cryptTest(file, { secret });
  secret.wipe();
  assert.deepEqual([await added, await tested], [0, 0]);
  await assert.rejects(native().cryptTest(file, { secret }), { code: "EINVAL", message: /it was wiped/ });
  await assert.rejects(native().cryptTest(file, { secret: secretOf("") }), {
    code: "EINVAL",
    message: /empty/,
  });
  await assert.rejects(native().cryptTest(file, { secret: secretOf("other") }), { code: "EPERM" });
});

test("a key goes from its descriptor into the keyring", async (context) => {
  const description = `stratis-1-key-test-${process.pid}-handle`;
  context.after(() => native().keyringUnset(description));
  const { readEnd, writeEnd } = native().pipeWith(Buffer.alloc(64, "k"));
  const secret = await native().readSecret(readEnd, 1000);
  for (const end of [readEnd, writeEnd]) native().closeDescriptor(end);
  assert.equal(await native().keyringSet(description, { secret }), "created");
  const same = { passphrase: Buffer.alloc(64, "k") };
  assert.equal(await native().keyringSet(description, same), "identity");
});

test("random passphrases are letters and digits, all of them, and never the same", () => {
  const text = secretText(native().randomPassphrase(512)) + secretText(native().randomPassphrase(512));
  assert.match(text, /^[A-Za-z0-9]{1024}$/);
  assert.ok(new Set(text).size > 55);
  assert.notEqual(secretText(native().randomPassphrase(64)), secretText(native().randomPassphrase(64)));
});

test("what is no secret is refused by name", async () => {
  const volumeKey = await native().cryptGenerateVolumeKey();
  for (const other of [{}, Buffer.from("x"), volumeKey, null])
    await assert.rejects(
      callUntyped(native(), "cryptTest", "/nowhere", { secret: other }),
      failsWith({ code: "EINVAL", target: "unlock.secret" }),
    );
  for (const bytes of ["text", Buffer.alloc(513), undefined])
    assert.throws(() => callUntyped(native(), "secretFrom", bytes), failsWith({ code: "EINVAL" }));
  for (const length of [0, 513, "1"])
    assert.throws(() => callUntyped(native(), "randomPassphrase", length), failsWith({ code: "EINVAL" }));
});
