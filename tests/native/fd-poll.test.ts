/** FdPoll on named pipes, and what it leaves behind when it isn't closed. */
import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { native } from "../../src/native";
import { failsWith } from "./support";

const nativeModule = path.resolve(__dirname, "..", "..", "src", "native", "index.js");
let folder = "";
let pipe = "";

before(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "stratis-poll-"));
  pipe = path.join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
});
after(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

/** Both ends in one descriptor, so that it never reports a hang-up. */
function withPipe(use: (fd: number) => Promise<void> | void): Promise<void> {
  const fd = fs.openSync(pipe, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
  return Promise.resolve(use(fd)).finally(() => {
    fs.closeSync(fd);
  });
}

/** Runs a script in a process of its own, which has to end by itself; returns what it printed. */
const runScript = (script: string, ...flags: string[]): string =>
  execFileSync(
    process.execPath,
    [...flags, "-e", `const native = require(${JSON.stringify(nativeModule)}).native();\n${script}`],
    { encoding: "utf8", timeout: 60_000, env: { ...process.env, PIPE: pipe } },
  ).trim();

test("calls back while there is something to read, and only when started", () =>
  withPipe(async (fd) => {
    let calls = 0;
    const poll = new (native().FdPoll)(fd, () => {
      calls++;
      if (calls === 3) poll.stop();
    });
    fs.writeSync(fd, "x");
    await sleep(20);
    assert.equal(calls, 0);
    poll.start();
    await sleep(20);
    assert.equal(calls, 3, "level-triggered until stopped");
    fs.readSync(fd, Buffer.alloc(10));
    poll.start();
    poll.start();
    await sleep(20);
    assert.equal(calls, 3);
    fs.writeSync(fd, "y");
    await sleep(20);
    assert.ok(calls > 3);
    poll.close();
    const atClose = calls;
    await sleep(20);
    assert.equal(calls, atClose);
  }));

test("can be closed in its own callback, and twice", () =>
  withPipe(async (fd) => {
    let calls = 0;
    const poll = new (native().FdPoll)(fd, () => {
      calls++;
      poll.close();
      poll.close();
    });
    poll.start();
    fs.writeSync(fd, "x");
    await sleep(20);
    assert.equal(calls, 1);
    assert.throws(
      () => {
        poll.start();
      },
      failsWith({ code: "EBADF", syscall: "FdPoll.start" }),
    );
    assert.throws(
      () => {
        poll.stop();
      },
      failsWith({ code: "EBADF", syscall: "FdPoll.stop" }),
    );
  }));

test("a descriptor in an error state calls back again and again, like one that can be read", () =>
  withPipe(async (both) => {
    const other = path.join(folder, "other");
    execFileSync("mkfifo", [other]);
    const reader = fs.openSync(other, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
    const writer = fs.openSync(other, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
    fs.closeSync(reader);
    let calls = 0;
    const poll = new (native().FdPoll)(writer, () => {
      calls++;
      if (calls === 2) poll.stop();
    });
    poll.start();
    await sleep(20);
    assert.equal(calls, 2);
    poll.close();
    fs.closeSync(writer);
    assert.ok(both >= 0);
  }));

test("many can be made and closed", () =>
  withPipe(async (fd) => {
    for (let i = 0; i < 500; i++) {
      const poll = new (native().FdPoll)(fd, () => undefined);
      poll.start();
      poll.close();
      // libuv lets a descriptor have one watcher; closing takes effect at once.
    }
    await sleep(1);
  }));

test("bad arguments and descriptors are refused", () => {
  const FdPoll = native().FdPoll as unknown as new (...values: unknown[]) => unknown;
  for (const fd of [undefined, null, -1, 1.5, "0", 2 ** 31])
    assert.throws(() => new FdPoll(fd, () => undefined), failsWith({ code: "EINVAL", syscall: "FdPoll" }));
  for (const callback of [undefined, null, {}, "f"])
    assert.throws(() => new FdPoll(0, callback), failsWith({ code: "EINVAL", syscall: "FdPoll" }));
  assert.throws(
    () => new FdPoll(100_000, () => undefined),
    failsWith({ code: "EBADF", syscall: "uv_poll_init" }),
  );
  // Plain files are always ready: the kernel doesn't poll them.
  const file = fs.openSync(__filename, "r");
  assert.throws(
    () => new FdPoll(file, () => undefined),
    failsWith({ code: "EPERM", syscall: "uv_poll_init" }),
  );
  fs.closeSync(file);
});

test("what a callback throws is an uncaught exception", () => {
  const output = runScript(`
    const fs = require("node:fs");
    const fd = fs.openSync(process.env.PIPE, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    const poll = new native.FdPoll(fd, () => { poll.close(); throw new Error("from the callback"); });
    process.on("uncaughtException", (error) => console.log("caught", error.message));
    fs.writeSync(fd, "x");
    poll.start();`);
  assert.equal(output, "caught from the callback");
});

test("promises of a callback go on before the next event", () => {
  const output = runScript(`
    const fs = require("node:fs");
    const fd = fs.openSync(process.env.PIPE, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    const poll = new native.FdPoll(fd, async () => { await null; poll.close(); console.log("continued"); });
    fs.writeSync(fd, "x");
    poll.start();`);
  assert.equal(output, "continued");
});

test("one that is stopped doesn't keep the process, nor does one that was closed", () => {
  const output = runScript(`
    const fs = require("node:fs");
    const fd = fs.openSync(process.env.PIPE, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    const poll = new native.FdPoll(fd, () => undefined);
    poll.start();
    poll.stop();
    console.log("end");`);
  assert.equal(output, "end");
});

test("unclosed ones may be collected, and the process may end while one is started", () => {
  const output = runScript(
    `const fs = require("node:fs");
     const open = () => fs.openSync(process.env.PIPE, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
     for (let i = 0; i < 100; i++) new native.FdPoll(open(), () => undefined);
     const started = open();
     let calls = 0;
     new native.FdPoll(started, () => { calls++; fs.readSync(started, Buffer.alloc(1)); }).start();
     setTimeout(() => { gc(); fs.writeSync(started, "x"); }, 10);
     setTimeout(() => { gc(); console.log("calls", calls); process.exit(0); }, 60);`,
    "--expose-gc",
  );
  assert.equal(output, "calls 1", "a started one is kept and goes on");
});

test("a worker thread may end while one is started", () => {
  const output = runScript(`
    const { Worker } = require("node:worker_threads");
    const worker = new Worker(\`
      const fs = require("node:fs");
      const native = require(${JSON.stringify(nativeModule)}).native();
      const open = () => fs.openSync(process.env.PIPE, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
      new native.FdPoll(open(), () => undefined).start();
      new native.FdPoll(open(), () => undefined);
      const closed = new native.FdPoll(open(), () => undefined);
      closed.close();
      require("node:worker_threads").parentPort.postMessage("ready");
    \`, { eval: true });
    worker.on("message", async (m) => { console.log(m); await worker.terminate(); console.log("terminated"); });`);
  assert.equal(output, "ready\nterminated");
});
