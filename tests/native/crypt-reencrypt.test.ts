/**
 * Encryption, re-encryption and decryption in place, of files that nobody uses: what comes out is what went in, also
 * when it is stopped, killed or the process ends in the middle.
 */
import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { test } from "node:test";
import { completeReencryption } from "../../src/engine/real/crypt/complete-reencryption";
import { native } from "../../src/native";
import { CHEAP, V2, luksFile, overwrite, passphrase } from "./crypt-support";
import {
  DATA_BYTES,
  P,
  QUIET,
  SMALL,
  beginReencryption,
  begunEncryption,
  dataOf,
  decrypt,
  finish,
  headerOf,
  runScript,
} from "./reencrypt-support";
import { callUntyped, failsWith } from "./support";

test("encrypted, re-encrypted and decrypted, data are what they were", async (context) => {
  const { file, plain } = await begunEncryption(context);
  assert.deepEqual((await headerOf(file)).reencryption, { state: "clean", mode: "encrypt" });
  assert.ok(dataOf(file).equals(plain));
  await finish(file);
  const first = dataOf(file);
  assert.ok(!first.equals(plain));
  await beginReencryption(file, { sectorSize: 4096 });
  assert.deepEqual((await headerOf(file)).reencryption, { state: "clean", mode: "reencrypt" });
  await finish(file);
  const second = dataOf(file);
  assert.ok(!second.equals(plain) && !second.equals(first));
  const header = await headerOf(file);
  assert.equal(header.sectorSize, 4096);
  assert.deepEqual(header.keyslots.length, 1, "the old key is gone");
  assert.equal(await native().cryptTest(file, P), header.keyslots[0]?.keyslot);
  await decrypt(file);
  assert.ok(dataOf(file).equals(plain));
  assert.deepEqual((await headerOf(file)).keyslots, []);
});

test("tokens hold both keyslots meanwhile, and open by their key", async (context) => {
  const { file, plain } = await begunEncryption(context);
  await finish(file);
  const addon = native();
  const description = `stratis-1-key-test-${process.pid}-reencrypt`;
  await addon.keyringSet(description, P);
  context.after(() => addon.keyringUnset(description));
  const token = (keyslots: number[]): string =>
    JSON.stringify({ type: "luks2-keyring", keyslots: keyslots.map(String), key_description: description });
  const oldKeyslot = await addon.cryptTest(file, P);
  await addon.cryptSetToken(file, 0, token([oldKeyslot]));
  const volumeKey = await addon.cryptGenerateVolumeKey();
  const newKeyslot = await addon.cryptAddKeyslot(file, { volumeKey }, P, { ...CHEAP, unbound: true });
  await addon.cryptSetToken(file, 0, token([oldKeyslot, newKeyslot]));
  const unlock = { token: 0 };
  await addon.cryptReencryptBegin(file, { mode: "reencrypt", unlock, oldKeyslot, newKeyslot });
  assert.equal(await addon.cryptReencryptRun(file, { unlock: { token: "any" } }, QUIET).ended, "finished");
  const [left] = (await headerOf(file)).tokens;
  assert.deepEqual(JSON.parse(left?.json ?? ""), JSON.parse(token([newKeyslot])));
  assert.equal(await addon.cryptTest(file, unlock), newKeyslot);
  await decrypt(file);
  assert.ok(dataOf(file).equals(plain));
});

test("progress goes from nothing to all, and a stop leaves the rest for the next run", async (context) => {
  const { file, plain } = await begunEncryption(context);
  const seen: [bigint, bigint][] = [];
  let stops = 0;
  for (;;) {
    const before = seen.at(-1)?.[0] ?? 0n;
    const run = native().cryptReencryptRun(file, { unlock: P, ...SMALL }, (done, total) => {
      seen.push([done, total]);
      if (done >= before + 1024n * 1024n) run.stop();
    });
    if ((await run.ended) === "finished") break;
    stops++;
    assert.deepEqual((await headerOf(file)).reencryption, { state: "clean", mode: "encrypt" });
    await assert.rejects(native().cryptAddKeyslot(file, P, P, CHEAP), {
      syscall: "crypt_keyslot_add_by_key",
    });
  }
  assert.ok(stops >= 1, `${stops} stops`);
  assert.equal(seen[0]?.[0], 0n);
  assert.deepEqual(
    seen,
    seen.toSorted(([a], [b]) => Number(a - b)),
  );
  assert.ok(seen.every(([done, total]) => total === BigInt(DATA_BYTES) && done <= total));
  await decrypt(file);
  assert.ok(dataOf(file).equals(plain));
});

test("others get their turn meanwhile, but not on the same device", async (context) => {
  const { file } = await begunEncryption(context);
  const other = await luksFile(context, ["q"]);
  let done = 0n;
  const run = native().cryptReencryptRun(file, { unlock: P, mostHotzoneSectors: 8n }, (bytes) => {
    done = bytes;
  });
  while (done === 0n) await native().cryptTest(other.file, passphrase("q"));
  const alias = `${file}-alias`;
  fs.symlinkSync(file, alias);
  const busy = { code: "EBUSY", message: /being re-encrypted/ };
  await assert.rejects(native().cryptAddKeyslot(alias, P, P, CHEAP), busy);
  await assert.rejects(native().cryptWipe(file), busy);
  await assert.rejects(native().cryptReencryptRun(alias, { unlock: P }, QUIET).ended, busy);
  assert.equal((await headerOf(alias)).reencryption.mode, "encrypt");
  assert.equal(await native().cryptTest(other.file, passphrase("q")), 0);
  run.stop();
  assert.equal(await run.ended, "stopped", "all of that took less than the run");
});

/**
 * Runs what is pending until all data are done and not further, and destroys the old keyslot: that is where a crash at
 * the wrong moment leaves a header.
 */
async function interruptAtEnd(file: string, oldKeyslot: number): Promise<void> {
  const copy = `${file}-copy`;
  // The process hears of the end of the data while its other thread goes on, and may be too slow to be killed in time.
  for (let attempt = 0; attempt < 30; attempt++) {
    fs.copyFileSync(file, copy);
    const kill = `if (done === ${DATA_BYTES}n) process.kill(process.pid, "SIGKILL");`;
    spawnSync(process.execPath, ["-e", runScript(copy, kill)], { timeout: 60_000 });
    const { keyslots, reencryption } = await headerOf(copy);
    if (reencryption.state === "none") continue;
    assert.equal(reencryption.state, "clean");
    fs.renameSync(copy, file);
    if (keyslots.some(({ keyslot }) => keyslot === oldKeyslot))
      await native().cryptDestroyKeyslot(file, oldKeyslot);
    return;
  }
  assert.fail("no process could be killed in time");
}

test("what was interrupted after the old key and before the end of the header's change is completed", async (context) => {
  const { file, plain } = await begunEncryption(context);
  assert.equal(await completeReencryption(file), false, "it has not begun");
  await finish(file);
  assert.equal(await completeReencryption(file), false, "nothing is pending");
  const locked = async (): Promise<void> => {
    const failure = { code: /^(EPERM|ENOENT)$/ };
    await assert.rejects(native().cryptReencryptRun(file, { unlock: P }, QUIET).ended, failure);
    await assert.rejects(native().cryptTest(file, P), failure);
  };
  let oldKeyslot = await native().cryptTest(file, P);
  await beginReencryption(file);
  assert.equal(await completeReencryption(file), false, "the data are not done");
  await interruptAtEnd(file, oldKeyslot);
  await locked();
  assert.equal(await completeReencryption(file), true);
  assert.equal(await completeReencryption(file), false);
  oldKeyslot = await native().cryptTest(file, P);
  const header = await headerOf(file);
  assert.deepEqual(header.keyslots, [{ keyslot: oldKeyslot, unbound: false }]);
  assert.equal(header.reencryption.state, "none");
  // Either copy of what was written is right.
  overwrite(file, 0, Buffer.alloc(4096));
  assert.equal(await native().cryptTest(file, P), oldKeyslot);

  await native().cryptReencryptBegin(file, { mode: "decrypt", unlock: P, oldKeyslot });
  await interruptAtEnd(file, oldKeyslot);
  await locked();
  assert.equal(await completeReencryption(file), true);
  assert.deepEqual((await headerOf(file)).reencryption, { state: "none", mode: null });
  assert.ok(dataOf(file).equals(plain));
});

test("the end of the process ends a run with the piece that it is at", async (context) => {
  const { file } = await begunEncryption(context);
  const child = spawnSync(process.execPath, ["-e", runScript(file, "if (done > 0n) process.exit(3);")], {
    encoding: "utf8",
    timeout: 60_000,
  });
  assert.equal(child.status, 3, child.stderr);
  assert.doesNotMatch(child.stdout, /finished/);
  assert.deepEqual((await headerOf(file)).reencryption, { state: "clean", mode: "encrypt" });
  await finish(file);
});

test("an exception of the one who watches is an uncaught one, and the run goes on to its end", async (context) => {
  const { file } = await begunEncryption(context);
  const script = `
    process.on("uncaughtException", (error) => { console.log("caught " + error.message); });
    ${runScript(file, 'if (done === 0n) throw new Error("from the watcher");')}`;
  const child = spawnSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 60_000 });
  assert.match(child.stdout, /caught from the watcher[^]*finished/, child.stderr);
  assert.equal((await headerOf(file)).reencryption.state, "none");
});

test("what can't be begun or run is refused with the reason", async (context) => {
  const { file } = await luksFile(context, ["p"], { ...V2, mib: 18 });
  const addon = native();
  const run = (unlock = P): Promise<string> => addon.cryptReencryptRun(file, { unlock }, QUIET).ended;
  await assert.rejects(run(), failsWith({ code: "ENODATA", target: file }));
  await assert.rejects(beginReencryption(file, { cipher: "rot13" }), {
    code: "EOPNOTSUPP",
    message: /cipher/,
  });
  await assert.rejects(beginReencryption(file, { resilience: "prayer" }), {
    code: "EINVAL",
    message: /resilience/,
  });
  await assert.rejects(beginReencryption(file, { unlock: passphrase("q") }), { code: "EPERM" });
  await assert.rejects(beginReencryption(file, { sectorSize: 1000 }), { code: "EINVAL" });
  assert.equal((await headerOf(file)).reencryption.state, "none");
  await beginReencryption(file);
  await assert.rejects(addon.cryptReencryptBegin(file, { mode: "decrypt", unlock: P }), {
    code: "EBUSY",
    message: /pending/,
  });
  await assert.rejects(run(passphrase("q")), { code: "EPERM" });
  await assert.rejects(addon.cryptReencryptRun(file, { unlock: P, activeName: "none" }, QUIET).ended, {
    syscall: "crypt_reencrypt_init_by_passphrase",
  });
  await assert.rejects(addon.cryptReencryptRun(`${file}-none`, { unlock: P }, QUIET).ended, {
    code: "ENOENT",
  });
  assert.equal(await run(), "finished");
});

test("arguments of other kinds are refused by name", async () => {
  const good = { mode: "reencrypt", unlock: P };
  const begin: [unknown[], string][] = [
    [[1, good], "path"],
    [["f"], "options"],
    [["f", { unlock: P }], "options.mode"],
    [["f", { ...good, mode: "encode" }], "options.mode"],
    [["f", { mode: "encrypt" }], "options.unlock"],
    [["f", { ...good, oldKeyslot: 32 }], "options.oldKeyslot"],
    [["f", { ...good, newKeyslot: "1" }], "options.newKeyslot"],
    [["f", { ...good, activeName: "" }], "options.activeName"],
    [["f", { ...good, mostHotzoneSectors: 5 }], "options.mostHotzoneSectors"],
    [["f", { ...good, hash: 5 }], "options.hash"],
    [["f", { ...good, initializeOnly: "no" }], "options.initializeOnly"],
  ];
  for (const [args, target] of begin) {
    const call = callUntyped(native(), "cryptReencryptBegin", ...args);
    await assert.rejects(call, failsWith({ code: "EINVAL", syscall: "cryptReencryptBegin", target }), target);
  }
  const run: [unknown[], string][] = [
    [["", { unlock: P }, QUIET], "path"],
    [["f", {}, QUIET], "options.unlock"],
    [["f", { unlock: P }], "onProgress"],
  ];
  for (const [args, target] of run) {
    assert.throws(
      () => callUntyped(native(), "cryptReencryptRun", ...args),
      failsWith({ code: "EINVAL", syscall: "cryptReencryptRun", target }),
    );
  }
});
