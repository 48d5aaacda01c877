/** The program that works on data in place, without a mapping: what it is told, and what it tells. */
import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as path from "node:path";
import { test, type TestContext } from "node:test";
import type { WorkerLine, WorkerRequest } from "../../src/engine/real/crypt/worker";
import { native, packageRoot } from "../../src/native";
import { begunEncryption, headerOf } from "./reencrypt-support";
import { temporaryFolder } from "./support";

const WORKER = path.join(packageRoot, "dist", "bin", "stratisd-worker.js");

async function run(
  request: WorkerRequest | string,
  passphrase?: string,
): Promise<{ line: WorkerLine | null; status: number | null }> {
  const secret = passphrase === undefined ? null : native().pipeWith(Buffer.from(passphrase));
  const argument = typeof request === "string" ? request : JSON.stringify(request);
  const worker = spawn(process.execPath, [WORKER, argument], {
    stdio: ["pipe", "pipe", "ignore", secret?.readEnd ?? "ignore"],
  });
  if (secret !== null) {
    native().closeDescriptor(secret.readEnd);
    native().closeDescriptor(secret.writeEnd);
  }
  let shown = "";
  worker.stdout?.on("data", (chunk: Buffer) => (shown += chunk.toString()));
  const [status] = (await once(worker, "close")) as [number | null];
  const last = shown.trim().split("\n").at(-1) ?? "";
  return { line: last === "" ? null : (JSON.parse(last) as WorkerLine), status };
}

const requestFor = (context: TestContext, container: string): WorkerRequest => ({
  container,
  activeName: "stratis-test-no-such-mapping",
  lock: path.join(temporaryFolder(context), "lock"),
  unlock: "descriptor",
  keyslot: null,
});

function errorOf(line: WorkerLine | null): Extract<WorkerLine, { error: unknown }>["error"] {
  assert.ok(line !== null && "error" in line, JSON.stringify(line));
  return line.error;
}

test("what the library refuses comes back with its code, and nothing is changed", async (context) => {
  const { file } = await begunEncryption(context);
  const before = (await headerOf(file)).json;
  const missing = await run(requestFor(context, `${file}-missing`), "p");
  assert.equal(errorOf(missing.line).code, "ENOENT");
  assert.equal(missing.status, 1);
  const wrong = errorOf((await run(requestFor(context, file), "wrong")).line);
  assert.deepEqual([wrong.code, wrong.syscall], ["EPERM", "crypt_reencrypt_init_by_passphrase"]);
  // The passphrase has come through: what is wrong now is the mapping.
  const inactive = errorOf((await run(requestFor(context, file), "p")).line);
  assert.notEqual(inactive.code, "EPERM");
  assert.equal((await headerOf(file)).json, before);
});

test("there is one at a time", async (context) => {
  const { file } = await begunEncryption(context);
  const request = requestFor(context, file);
  const lock = native().lockFile(request.lock);
  lock.write("4711");
  try {
    const { message } = errorOf((await run(request, "p")).line);
    assert.match(message, /^Process 4711 works on stratis-test-no-such-mapping already$/);
  } finally {
    lock.release();
  }
});

test("without a request it fails", async () => {
  const { status, line } = await run("");
  assert.equal(line, null);
  assert.notEqual(status, 0);
});
