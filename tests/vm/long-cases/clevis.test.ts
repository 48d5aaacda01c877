/**
 * Pools that Clevis opens by a tang server; and what comes of servers that are away, hang or lie.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hangingServer, lyingServer } from "../guest/clevis";
import { disk, wipeDisk } from "../guest/disks";
import { udevLooksAt } from "../guest/udev";
import { dmDevices, mustRun, run, stratis, stratisFails, unmountAll, until } from "../cases/support";
import {
  bindClevis,
  bounded,
  cleanUp,
  clevisInfos,
  container,
  header,
  keyDescriptions,
  makeFilesystem,
  mountAndCompare,
  POOL,
  prepare,
  refused,
  startAny,
  stop,
  tang,
} from "./clevis-support";

before(prepare);
after(cleanUp);

test("without a server, and with the wrong thumbprint, no pool is made, and the disk is free", async () => {
  const device = await disk("d0");
  const create = (...options: string[]): Promise<string> =>
    bounded(() => stratisFails("pool", "create", "--clevis", "tang", ...options, POOL, device));
  assert.match(await create("--tang-url", tang.url, "--trust-url"), /clevis luks bind.*adv/s);
  await tang.start();
  assert.match(await create("--tang-url", tang.url, "--thumbprint", "wrong"), /clevis luks bind/);
  assert.deepEqual(await dmDevices(), []);
  assert.equal((await run("blkid", ["-p", device])).stdout, "");
});

test("a pool is made with a server that is trusted, and has nothing but that binding", async () => {
  const device = await disk("d0");
  await stratis("pool", "create", "--clevis", "tang", "--tang-url", tang.url, "--trust-url", POOL, device);
  const config = JSON.stringify({ thp: await tang.thumbprint(), url: tang.url });
  assert.deepEqual(await clevisInfos(), [[0, ["tang", config]]]);
  assert.deepEqual(await keyDescriptions(), []);
  const { tokens, keyslots } = await header();
  assert.deepEqual(Object.keys(keyslots), tokens["0"]?.keyslots, "the key that authorised it is gone");
  await makeFilesystem();
});

test("Clevis's own tools know the binding, and its passphrase opens the header", async () => {
  const device = await container();
  assert.match((await mustRun("clevis", ["luks", "list", "-d", device])).stdout, /^\d+: tang/);
  const slot = (await header()).tokens["0"]?.keyslots[0] ?? "";
  const pass = `clevis luks pass -d ${device} -s ${slot}`;
  await mustRun("sh", ["-c", `${pass} | cryptsetup open --test-passphrase --key-file - ${device}`]);
});

test("stopped, it starts while the server is there, and only then", async () => {
  await stop();
  tang.stop();
  const why = await bounded(() => stratisFails("pool", "start", "--name", POOL, "--unlock-method", "any"));
  assert.match(why, /token slot 0 \(Clevis pin tang\).*Failed to retrieve Clevis passphrase/);
  assert.deepEqual(await dmDevices(), []);
  await tang.start();
  await startAny();
  await mountAndCompare();
});

test("bindings are added, made anew and removed, by slot and without", async () => {
  await stratis("pool", "bind", "keyring", POOL, "k");
  assert.deepEqual(await keyDescriptions(), [[1, "k"]]);
  const thumbprint = await tang.thumbprint();
  await stratis("pool", "bind", "tang", POOL, tang.url, "--thumbprint", thumbprint);
  assert.deepEqual(
    (await clevisInfos()).map(([slot]) => slot),
    [0, 2],
  );
  const before = await header();
  await stratis("pool", "rebind", "clevis", POOL, "--token-slot", "2");
  const later = await header();
  assert.notDeepEqual(later.tokens["2"], before.tokens["2"]);
  assert.deepEqual(later.tokens["0"], before.tokens["0"]);
  await stratis("pool", "unbind", "clevis", POOL, "--token-slot", "0");
  assert.deepEqual(
    (await clevisInfos()).map(([slot]) => slot),
    [2],
  );
  assert.equal(Object.keys((await header()).keyslots).length, 2, "no keyslot is left over");
});

test("a server that hangs, or says what makes no sense, is an error in bounded time, and changes nothing", async () => {
  const silent = await hangingServer();
  const trusted = { "stratis:tang:trust_url": true };
  await refused(() => bindClevis("tang", { url: silent.url, ...trusted }), /did not end|ETIMEDOUT|killed/);
  silent.close();
  const { stdout } = await run("pgrep", ["-x", "curl"]);
  assert.equal(stdout, "", "nothing of it goes on");
  await refused(() => bindClevis("tang", { url: "http://127.0.0.1:1", ...trusted }), /clevis luks bind/);
  await refused(() => bindClevis("tang", { url: tang.url }), /thumbprint or advertisement/);
});

test("a server that lies when the pool is to be opened is told, and the key still opens it", async () => {
  const lie = '{"kty":"EC","crv":"P-521","alg":"ECMR","x":"AA","y":"AA"}';
  const liar = await lyingServer(tang, lie);
  assert.equal(await bindClevis("tang", { url: liar.url, "stratis:tang:trust_url": true }), null);
  const slot = (await clevisInfos()).find(([, [, config]]) => config.includes(liar.url))?.[0] ?? -1;
  await stop();
  const by = (which: number): string[] => ["pool", "start", "--name", POOL, "--token-slot", String(which)];
  assert.match(await bounded(() => stratisFails(...by(slot))), /Failed to retrieve Clevis passphrase/);
  assert.deepEqual(await dmDevices(), []);
  await stratis(...by(1));
  await mountAndCompare();
  await stratis("pool", "unbind", "clevis", POOL, "--token-slot", String(slot));
  liar.close();
});

test("while a start waits for a server that does not answer, other pools are made, stopped and started", async () => {
  const mute = await lyingServer(tang, null);
  assert.equal(await bindClevis("tang", { url: mute.url, "stratis:tang:trust_url": true }), null);
  const slot = (await clevisInfos()).find(([, [, config]]) => config.includes(mute.url))?.[0] ?? -1;
  await stop();
  const device = await disk("d1");
  await wipeDisk(device);
  let waits = true;
  const start = stratisFails("pool", "start", "--name", POOL, "--token-slot", String(slot)).finally(() => {
    waits = false;
  });
  // It is waited for below.
  start.catch(() => undefined);
  await until("the server is asked", () => Promise.resolve(mute.asked()));
  await stratis("pool", "create", "other", device);
  await stratis("pool", "stop", "--name", "other");
  await udevLooksAt(device);
  await stratis("pool", "start", "--name", "other");
  await stratis("pool", "destroy", "other");
  assert.equal(waits, true, "the start has not ended before");
  mute.close();
  assert.match(await start, /Failed to retrieve Clevis passphrase/);
  await stratis("pool", "start", "--name", POOL, "--token-slot", "1");
  await mountAndCompare();
  await stratis("pool", "unbind", "clevis", POOL, "--token-slot", String(slot));
});

test("nothing of a secret is in the daemon's log, and the pool is destroyed", async () => {
  const { stdout } = await mustRun("journalctl", ["-q", "--no-pager", "-o", "cat", "-u", "stratisd.service"]);
  assert.equal(stdout.includes("a key of the keyring"), false);
  await unmountAll();
  await stratis("filesystem", "destroy", POOL, "home");
  await stratis("pool", "destroy", POOL);
  assert.deepEqual(await dmDevices(), []);
});
