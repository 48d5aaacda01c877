/** Unlock methods in slots of a header, which is in a file, that something else has. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { after, before, test, type TestContext } from "node:test";
import type { PoolCore } from "../../../../src/engine/real/core";
import { slotBindings } from "../../../../src/engine/real/crypt-operations";
import { LuksDevice } from "../../../../src/engine/real/crypt/luks-device";
import { keyName, setKey, unsetKey } from "../../../../src/engine/real/keys";
import { native } from "../../../../src/native";
import { luksFile } from "../../../native/crypt-support";
import { secretOf } from "../../../support/secrets";

const KEYS = ["bound", "other"].map((name) => `test-${process.pid}-${name}`);
const [BOUND = "", OTHER = ""] = KEYS;
const [KEY_SLOT, CLEVIS_SLOT, FOREIGN_SLOT] = [2, 5, 6];

before(async () => {
  for (const key of KEYS) await setKey(key, secretOf("one"));
});
after(async () => {
  for (const key of KEYS) await unsetKey(key);
});

class FileDevice extends LuksDevice {
  constructor(file: string) {
    super(file, "test-no-mapping");
  }
}

const protectedHeader = (pin: string): string =>
  Buffer.from(JSON.stringify({ clevis: { pin, [pin]: {} } })).toString("base64url");

/** A header with a key, a Clevis binding and a token of somebody else. */
async function device(context: TestContext): Promise<{ device: FileDevice; core: PoolCore }> {
  const { file } = await luksFile(context, ["one", "two"]);
  const set = (slot: number, token: object): Promise<number> =>
    native().cryptSetToken(file, slot, JSON.stringify(token));
  await set(KEY_SLOT, { type: "luks2-keyring", keyslots: ["0"], key_description: keyName(BOUND) });
  await set(CLEVIS_SLOT, {
    ...{ type: "clevis", keyslots: ["1"] },
    jwe: { ciphertext: "", encrypted_key: "", iv: "", protected: protectedHeader("tpm2"), tag: "" },
  });
  await set(FOREIGN_SLOT, { type: "somebody-else", keyslots: [] });
  const found = new FileDevice(file);
  assert.equal(await found.refresh(), true);
  return { device: found, core: { crypt: found } as unknown as PoolCore };
}

test("a slot that has a binding of the other kind is refused, and the header stays as it is", async (context) => {
  const { device: found, core } = await device(context);
  const before = fs.readFileSync(found.container);
  await assert.rejects(
    slotBindings.bindKeyring(core, OTHER, CLEVIS_SLOT),
    /Token slot 5 has already been bound with Clevis pin tpm2/,
  );
  await assert.rejects(
    slotBindings.bindClevis(core, "tpm2", "{}", KEY_SLOT),
    new RegExp(`Token slot 2 has already been bound with key description "${BOUND}"`),
  );
  await assert.rejects(slotBindings.bindKeyring(core, OTHER, KEY_SLOT), /has already been bound/);
  assert.deepEqual(await slotBindings.bindKeyring(core, BOUND, KEY_SLOT), { action: "identity" });
  for (const kind of ["key", "clevis"] as const)
    await assert.rejects(
      slotBindings.unbind(core, kind, kind === "key" ? CLEVIS_SLOT : KEY_SLOT),
      /it is bound to/,
    );
  assert.deepEqual(fs.readFileSync(found.container), before);
});

test("nor is a slot given away that somebody else has", async (context) => {
  const { device: found } = await device(context);
  const before = fs.readFileSync(found.container);
  await assert.rejects(found.bindKey(OTHER, FOREIGN_SLOT), /Token slot 6 .* is already occupied/);
  await assert.rejects(found.bindKey(OTHER, CLEVIS_SLOT), /Token slot 5 .* is already occupied/);
  assert.deepEqual(fs.readFileSync(found.container), before);
});
