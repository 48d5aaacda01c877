/** Encryption in place of plain files, for the tests of it. */
import * as assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { TestContext } from "node:test";
import { native, type CryptHeader, type CryptReencryptBeginOptions } from "../../src/native";
import { CHEAP, COMPACT, bytesAt, passphrase } from "./crypt-support";
import { temporaryFolder } from "./support";

const DATA_OFFSET = 2 * 1024 * 1024;
/** 32 pieces of 128 KiB. */
export const DATA_BYTES = 4 * 1024 * 1024;
export const SMALL = { mostHotzoneSectors: 256n };
export const P = passphrase("p");
export const QUIET = (): void => undefined;

export async function headerOf(file: string): Promise<CryptHeader> {
  const header = await native().cryptLoad(file);
  assert.ok(header !== null);
  return header;
}

export const dataOf = (file: string): Buffer => bytesAt(file, DATA_OFFSET, DATA_BYTES);

/** A file with room for a header before its data, whose encryption is begun as for a device in use. */
export async function begunEncryption(context: TestContext): Promise<{ file: string; plain: Buffer }> {
  const folder = temporaryFolder(context);
  const [file, header] = [path.join(folder, "device"), path.join(folder, "header")];
  const plain = randomBytes(DATA_BYTES);
  fs.writeFileSync(file, Buffer.concat([Buffer.alloc(DATA_OFFSET), plain]));
  fs.writeFileSync(header, Buffer.alloc(4096));
  const addon = native();
  const volumeKey = await addon.cryptFormat(header, { ...COMPACT, ...CHEAP });
  const newKeyslot = await addon.cryptAddKeyslot(header, { volumeKey }, P, CHEAP);
  volumeKey.wipe();
  await addon.cryptReencryptBegin(header, { mode: "encrypt", unlock: P, newKeyslot, initializeOnly: true });
  await addon.cryptHeaderRestore(file, header);
  return { file, plain };
}

/** Adds a keyslot of a new key, and begins the change to it. */
export async function beginReencryption(
  file: string,
  more?: Partial<CryptReencryptBeginOptions>,
): Promise<void> {
  const addon = native();
  const oldKeyslot = await addon.cryptTest(file, P);
  const volumeKey = await addon.cryptGenerateVolumeKey();
  const newKeyslot = await addon.cryptAddKeyslot(file, { volumeKey }, P, { ...CHEAP, unbound: true });
  volumeKey.wipe();
  await addon.cryptReencryptBegin(file, {
    mode: "reencrypt",
    unlock: P,
    oldKeyslot,
    newKeyslot,
    ...SMALL,
    ...more,
  });
}

export async function finish(file: string): Promise<void> {
  const run = native().cryptReencryptRun(file, { unlock: P, ...SMALL }, QUIET);
  assert.equal(await run.ended, "finished");
  assert.deepEqual((await headerOf(file)).reencryption, { state: "none", mode: null });
}

export async function decrypt(file: string): Promise<void> {
  const oldKeyslot = await native().cryptTest(file, P);
  await native().cryptReencryptBegin(file, { mode: "decrypt", unlock: P, oldKeyslot });
  assert.deepEqual((await headerOf(file)).reencryption, { state: "clean", mode: "decrypt" });
  await finish(file);
}

/** A process that re-encrypts `file` and prints the progress, with `action` done at each. */
export const runScript = (file: string, action: string): string => `
  const addon = require(${JSON.stringify(path.resolve(__dirname, "..", "..", "src", "native", "index.js"))}).native();
  addon.cryptReencryptRun(${JSON.stringify(file)},
    { unlock: { passphrase: Buffer.from("p") }, mostHotzoneSectors: 256n },
    (done) => { console.log(String(done)); ${action} }).ended.then(console.log);`;
