import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { native } from "../../src/native";
import { callUntyped, failsWith, temporaryFolder } from "./support";

test("the first caller gets the lock, the second its content", (context) => {
  const file = path.join(temporaryFolder(context), "daemon.pid");
  const first = native().lockFile(file);
  assert.equal(first.acquired, true);
  assert.equal(first.content, "");
  assert.equal(fs.statSync(file).mode & 0o777 & ~0o644, 0);
  first.write(String(process.pid));
  assert.equal(fs.readFileSync(file, "utf8"), String(process.pid));

  const second = native().lockFile(file);
  assert.equal(second.acquired, false);
  assert.equal(second.content, String(process.pid));
  assert.throws(
    () => {
      second.write("7");
    },
    failsWith({ code: "EBADF", target: file }),
  );
  second.release();

  first.release();
  assert.equal(first.acquired, false);
  assert.equal(fs.readFileSync(file, "utf8"), String(process.pid), "the file outlives the lock");
  const third = native().lockFile(file);
  assert.equal(third.acquired, true);
  third.write("1");
  assert.equal(fs.readFileSync(file, "utf8"), "1", "longer content is cut off");
  third.release();
});

test("another process sees the lock", (context) => {
  const file = path.join(temporaryFolder(context), "daemon.pid");
  const lock = native().lockFile(file);
  const tryLock = (): number | null => spawnSync("flock", ["--nonblock", file, "true"]).status;
  assert.equal(tryLock(), 1);
  lock.release();
  assert.equal(tryLock(), 0);
});

test("children don't inherit the lock", (context) => {
  const file = path.join(temporaryFolder(context), "daemon.pid");
  const lock = native().lockFile(file);
  const seen = spawnSync("/bin/sh", ["-c", "ls -l /proc/self/fd"], { encoding: "utf8" });
  assert.ok(!seen.stdout.includes(file), seen.stdout);
  lock.release();
});

test("at most 4 KiB of the content are read", (context) => {
  const file = path.join(temporaryFolder(context), "daemon.pid");
  fs.writeFileSync(file, "x".repeat(10000));
  const lock = native().lockFile(file);
  assert.equal(lock.content, "x".repeat(4096));
  lock.release();
  fs.writeFileSync(file, Buffer.from([0x31, 0xff, 0x00, 0x32]));
  const binary = native().lockFile(file);
  assert.equal(binary.content, "1\ufffd\u00002");
  binary.release();
});

test("a released lock is good for nothing", (context) => {
  const file = path.join(temporaryFolder(context), "daemon.pid");
  const lock = native().lockFile(file);
  lock.release();
  assert.throws(
    () => {
      lock.write("1");
    },
    failsWith({ code: "EBADF", target: file }),
  );
  assert.throws(
    () => {
      lock.release();
    },
    failsWith({ code: "EBADF", syscall: "release", target: file }),
  );
});

test("a file that can't be opened is an error with its path", (context) => {
  const folder = temporaryFolder(context);
  const below = path.join(folder, "missing", "daemon.pid");
  assert.throws(
    () => native().lockFile(below),
    failsWith({ code: "ENOENT", syscall: "open", target: below }),
  );
  assert.throws(() => native().lockFile(folder), failsWith({ code: "EISDIR", target: folder }));
  assert.throws(() => native().lockFile("a\0b"), failsWith({ code: "EINVAL", syscall: "lockFile" }));
  assert.throws(() => callUntyped(native(), "lockFile"), failsWith({ code: "EINVAL" }));
});
