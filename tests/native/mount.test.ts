import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { native } from "../../src/native";
import { callUntyped, failsWith, temporaryFolder } from "./support";

const TMPFS_MAGIC = 0x01021994n;

test("the numbers of a file system", async () => {
  const expected = fs.statfsSync("/", { bigint: true });
  const status = await native().statFs("/");
  assert.equal(status.type, expected.type);
  assert.equal(status.blockSize, expected.bsize);
  assert.equal(status.blocks, expected.blocks);
  assert.ok(status.blocksFree <= status.blocks && status.blocksAvailable <= status.blocks);
});

test("a missing path has no numbers", async (context) => {
  const missing = path.join(temporaryFolder(context), "missing");
  await assert.rejects(
    native().statFs(missing),
    failsWith({ code: "ENOENT", syscall: "statfs", target: missing }),
  );
});

/** Runs `body` in a process of its own with a mount namespace of its own; it prints JSON. */
function inOwnNamespace(body: string): unknown {
  const script = `
    const { native } = require(${JSON.stringify(path.resolve(__dirname, "..", "..", "src", "native"))});
    const { mount, unmount, makeMountSlave, statFs } = native();
    const failure = (error) => ({ code: error.code, syscall: error.syscall, target: error.target });
    (async () => { ${body} })().then((value) => console.log(JSON.stringify(value)));`;
  const result = spawnSync("unshare", ["--mount", process.execPath, "--eval", script], { encoding: "utf8" });
  if (result.status !== 0) {
    // No mount namespace may be made here: then mounting is not permitted either, and the addon has to say so.
    assert.match(result.stderr, /unshare failed: Operation not permitted/);
    return undefined;
  }
  return JSON.parse(result.stdout);
}

test("a tmpfs is mounted, made a slave, and unmounted", async (context) => {
  const folder = temporaryFolder(context);
  const target = JSON.stringify(folder);
  const seen = inOwnNamespace(`
    await mount({ source: "tmpfs", target: ${target}, type: "tmpfs", data: "size=1M" });
    const { type, blockSize, blocks } = await statFs(${target});
    await makeMountSlave(${target});
    const entry = require("fs").readFileSync("/proc/self/mountinfo", "utf8").split("\\n")
      .find((line) => line.split(" ")[4] === ${target});
    await unmount(${target});
    const again = await unmount(${target}).catch(failure);
    return { type: String(type), bytes: String(blockSize * blocks), readOnly: / ro,/.test(entry), again };`);
  if (seen === undefined) {
    const options = { source: "tmpfs", target: folder, type: "tmpfs" };
    await assert.rejects(native().mount(options), failsWith({ code: "EPERM", target: folder }));
    return;
  }
  assert.deepEqual(seen, {
    type: String(TMPFS_MAGIC),
    bytes: String(1 << 20),
    readOnly: false,
    again: { code: "EINVAL", syscall: "umount2", target: folder },
  });
});

test("a mount can be read-only", async (context) => {
  const folder = temporaryFolder(context);
  const target = JSON.stringify(folder);
  const seen = inOwnNamespace(`
    await mount({ source: "tmpfs", target: ${target}, type: "tmpfs", readOnly: true });
    try { require("fs").writeFileSync(${target} + "/file", ""); return "written"; }
    catch (error) { return error.code; }
    finally { await unmount(${target}); }`);
  if (seen === undefined) {
    await assert.rejects(native().unmount(folder), failsWith({ code: "EPERM", target: folder }));
    return;
  }
  assert.equal(seen, "EROFS");
});

test("what can't be mounted is refused with its mount point", async (context) => {
  const folder = temporaryFolder(context);
  const missing = path.join(folder, "missing");
  const permitted = process.geteuid?.() === 0;
  const options = { source: "tmpfs", target: missing, type: "tmpfs" };
  await assert.rejects(
    native().mount(options),
    failsWith({ code: permitted ? "ENOENT" : "EPERM", syscall: "mount", target: missing }),
  );
  await assert.rejects(
    native().mount({ ...options, target: folder, type: "no-such-type" }),
    (error: Error) => {
      assert.ok("code" in error && ["ENODEV", "EPERM"].includes(String(error.code)), error.message);
      assert.match(error.message, /no-such-type from tmpfs/);
      return true;
    },
  );
  await assert.rejects(native().unmount(missing), failsWith({ code: permitted ? "ENOENT" : "EPERM" }));
  await assert.rejects(native().makeMountSlave(missing), failsWith({ code: permitted ? "ENOENT" : "EPERM" }));
});

test("bad arguments are refused", async () => {
  const complete = { source: "tmpfs", target: "/", type: "tmpfs" };
  const calls: [name: string, ...args: unknown[]][] = [
    ["mount"],
    ["mount", {}],
    ["mount", { ...complete, target: 1 }],
    ["mount", { ...complete, data: "a\0b" }],
    ["mount", { ...complete, readOnly: 1 }],
  ];
  for (const name of ["unmount", "makeMountSlave", "statFs"]) calls.push([name], [name, "/\0"], [name, 7]);
  for (const [name, ...args] of calls) {
    const refused = failsWith({ code: "EINVAL", syscall: name });
    await assert.rejects(callUntyped(native(), name, ...args), refused);
  }
});
