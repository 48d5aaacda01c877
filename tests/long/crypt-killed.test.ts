/**
 * A re-encryption that is killed again and again, also when all data are done and only the end of the header's change is
 * missing: libcryptsetup would begin again from there, and destroy the data (src/disk/luks2-completion.ts).
 */
import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { completeReencryption } from "../../src/engine/real/crypt/complete-reencryption";
import {
  beginReencryption,
  begunEncryption,
  dataOf,
  decrypt,
  finish,
  headerOf,
  runScript,
} from "../native/reencrypt-support";

test("a process that is killed in the middle loses nothing", async (context) => {
  const { file, plain } = await begunEncryption(context);
  await finish(file);
  const states = new Set<string>();
  await beginReencryption(file);
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, ["-e", runScript(file, "")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    // It may be at the end, with nothing more to tell.
    const exited = once(child, "exit");
    await Promise.race([once(child.stdout, "data"), exited]);
    child.kill("SIGKILL");
    await exited;
    const { state } = (await headerOf(file)).reencryption;
    states.add(state);
    assert.notEqual(state, "invalid");
    if (await completeReencryption(file)) states.add("completed");
    if ((await headerOf(file)).reencryption.state === "none") await beginReencryption(file);
  }
  context.diagnostic(`states after kills: ${[...states].join(", ")}`);
  await finish(file);
  await decrypt(file);
  assert.ok(dataOf(file).equals(plain));
});
