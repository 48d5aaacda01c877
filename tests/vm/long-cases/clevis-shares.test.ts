/** Pools that Clevis opens by a TPM, and by shares of several; and a tang server that has got other keys. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startTpm } from "../guest/clevis";
import { disk } from "../guest/disks";
import { stratis, stratisCommand, stratisFails } from "../cases/support";
import {
  bindClevis,
  bounded,
  cleanUp,
  clevisInfos,
  makeFilesystem,
  mountAndCompare,
  POOL,
  prepare,
  refused,
  startAny,
  stop,
  tang,
} from "./clevis-support";

let endTpm: () => void = () => undefined;

before(async () => {
  await prepare();
  await tang.start();
  const server = ["--clevis", "tang", "--tang-url", tang.url, "--thumbprint", await tang.thumbprint()];
  await stratis("pool", "create", "--key-desc", "k", ...server, POOL, await disk("d0"));
  await makeFilesystem();
});
after(async () => {
  await cleanUp();
  endTpm();
});

test("a server with other keys opens nothing; a new binding replaces the old one", async () => {
  tang.stop();
  await tang.makeKeys();
  await tang.start();
  // To bind anew takes what the old binding keeps.
  await refused(
    async () => (await stratisCommand("pool", "rebind", "clevis", POOL, "--token-slot", "1")).stderr,
    /clevis luks regen/,
  );
  await stop();
  const why = await bounded(() => stratisFails("pool", "start", "--name", POOL, "--token-slot", "1"));
  assert.match(why, /Failed to retrieve Clevis passphrase/);
  await startAny();
  await mountAndCompare();
  await stratis("pool", "unbind", "clevis", POOL, "--token-slot", "1");
  await stratis("pool", "bind", "tang", POOL, tang.url, "--trust-url");
  assert.equal((await clevisInfos()).length, 1);
});

test("without a TPM none can be bound; with one, it opens the pool alone", async () => {
  await refused(() => bindClevis("tpm2", {}), /TPM2/);
  endTpm = await startTpm("/run/case-tpm");
  await stratis("pool", "bind", "tpm2", POOL);
  await stratis("pool", "unbind", "keyring", POOL);
  for (const [slot, [pin]] of await clevisInfos())
    if (pin === "tang") await stratis("pool", "unbind", "clevis", POOL, "--token-slot", String(slot));
  assert.deepEqual(
    (await clevisInfos()).map(([, binding]) => binding),
    [["tpm2", "{}"]],
  );
  await stop();
  await startAny();
  await mountAndCompare();
});

test("shares of a server and a TPM, also nested, open it when enough of them are there", async () => {
  const thp = await tang.thumbprint();
  const nested = {
    t: 2,
    pins: { tpm2: {}, sss: { t: 1, pins: { tang: { url: tang.url, thp } } } },
  };
  assert.equal(await bindClevis("sss", nested), null);
  const [slot, [pin, config]] = (await clevisInfos()).find(([, [name]]) => name === "sss") ?? [-1, ["", ""]];
  assert.equal(pin, "sss");
  assert.deepEqual(JSON.parse(config), {
    t: 2,
    pins: { tpm2: [{}], sss: [{ t: 1, pins: { tang: [{ url: tang.url, thp }] } }] },
  });
  await stop();
  tang.stop();
  const by = ["pool", "start", "--name", POOL, "--token-slot", String(slot)];
  assert.match(await bounded(() => stratisFails(...by)), /Failed to retrieve Clevis passphrase/);
  await tang.start();
  await stratis(...by);
  await mountAndCompare();
  const bad = { t: 1, pins: { tang: { url: tang.url } } };
  await refused(() => bindClevis("sss", bad), /thumbprint or advertisement/);
});
