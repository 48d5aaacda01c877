/** UnixSocket, pipeWith and readSecret: bytes and descriptors through a real socket, to a peer in another language. */
import * as assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isNativeError, native, type UnixSocket } from "../../src/native";
import { secretText } from "../support/secrets";

/** Answers what it gets: the same bytes and the same descriptors, in one message each. */
const ECHO = `
import socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1].replace("@", "\\0"))
server.listen()
print("ready", flush=True)
while True:
    peer, _ = server.accept()
    try:
        while True:
            data, fds, _, _ = socket.recv_fds(peer, 65536, 253)
            if not data: break
            socket.send_fds(peer, [data], fds)
    except OSError:
        pass # a peer that goes away in the middle
    peer.close()
`;
const WAIT_MILLISECONDS = 10_000;

let folder = "";
const servers: ChildProcess[] = [];

async function serve(name: string): Promise<void> {
  // A sanitizer's runtime is for this process only.
  const env = { ...process.env };
  delete env["LD_PRELOAD"];
  const server = spawn("python3", ["-c", ECHO, name], { stdio: ["ignore", "pipe", "inherit"], env });
  servers.push(server);
  await once(server.stdout, "data", { signal: AbortSignal.timeout(WAIT_MILLISECONDS) });
}

before(async () => {
  folder = fs.mkdtempSync(path.join(tmpdir(), "stratis-socket-"));
  await serve(path.join(folder, "socket"));
});
after(() => {
  for (const server of servers) server.kill();
  fs.rmSync(folder, { recursive: true, force: true });
});

function failsWith(call: () => unknown, { code, message }: { code: string; message?: RegExp }): void {
  assert.throws(call, (error) => {
    assert.ok(isNativeError(error), String(error));
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  });
}

const connect = (name = path.join(folder, "socket")): UnixSocket =>
  new (native().UnixSocket)(Buffer.from(name));

async function receive(socket: UnixSocket): Promise<{ data: Buffer; descriptors: number[] }> {
  const end = Date.now() + WAIT_MILLISECONDS;
  for (;;) {
    const received = socket.receive(65536);
    if (received !== null) return received;
    assert.ok(Date.now() < end, "nothing came");
    await sleep(5);
  }
}

test("bytes and descriptors go through a path and an abstract name", async () => {
  const abstract = `stratis-test-${process.pid}`;
  await serve(`@${abstract}`);
  for (const name of [path.join(folder, "socket"), `\0${abstract}`]) {
    const socket = connect(name);
    const { readEnd, writeEnd } = native().pipeWith(Buffer.from("secret"));
    assert.equal(socket.receive(10), null);
    assert.equal(socket.send(Buffer.from("hello"), [readEnd, writeEnd]), 5);
    native().closeDescriptor(readEnd);
    const { data, descriptors } = await receive(socket);
    assert.equal(data.toString(), "hello");
    assert.equal(descriptors.length, 2);
    const [copy = -1, other = -1] = descriptors;
    assert.match(fs.readFileSync(`/proc/self/fdinfo/${copy}`, "utf8"), /flags:\s+02000000/, "close-on-exec");
    assert.equal(secretText(await native().readSecret(copy, 1000)), "secret");
    for (const fd of [copy, other, writeEnd]) native().closeDescriptor(fd);
    socket.close();
    socket.close();
    failsWith(() => socket.receive(1), { code: "EBADF", message: /it is closed/ });
  }
});

test("a full socket takes nothing, and room is announced", async () => {
  const socket = connect();
  const block = Buffer.alloc(256 * 1024);
  let sent = 0;
  // The peer answers what it takes; while nobody reads the answers, it stops taking.
  for (let idle = 0; idle < 20;) {
    const taken = socket.send(block);
    sent += taken;
    idle = taken === 0 ? idle + 1 : 0;
    if (taken === 0) await sleep(10);
  }
  assert.ok(sent > 0);
  const room = { announced: false };
  const poll = new (native().FdPoll)(
    socket.writableFd,
    () => {
      room.announced = true;
      poll.stop();
    },
    true,
  );
  poll.start();
  const end = Date.now() + WAIT_MILLISECONDS;
  while (!room.announced && Date.now() < end) {
    socket.receive(65536);
    await sleep(1);
  }
  poll.close();
  socket.close();
  assert.ok(room.announced);
});

test("what can't be connected to, or isn't a path, is refused by name", () => {
  failsWith(() => connect(path.join(folder, "none")), { code: "ENOENT", message: /none/ });
  failsWith(() => connect(`/${"x".repeat(200)}`), { code: "EINVAL", message: /201 bytes/ });
  failsWith(() => connect(""), { code: "EINVAL", message: /0 bytes/ });
  const socket = connect();
  failsWith(() => socket.send(Buffer.alloc(0)), { code: "EINVAL", message: /empty/ });
  failsWith(() => socket.send(Buffer.from("x"), [1_000_000]), { code: "EBADF", message: /sendmsg/ });
  failsWith(
    () =>
      socket.send(
        Buffer.from("x"),
        Array.from({ length: 254 }, () => 0),
      ),
    { code: "EINVAL" },
  );
  failsWith(() => socket.receive(0), { code: "EINVAL" });
  failsWith(() => socket.receive(2 ** 30), { code: "EINVAL" });
  socket.close();
  failsWith(
    () => {
      native().closeDescriptor(2);
    },
    { code: "EINVAL", message: /standard stream/ },
  );
  failsWith(() => native().pipeWith(Buffer.alloc(5000)), { code: "EINVAL", message: /5000 bytes/ });
});

test("a key is what a descriptor holds, at most 64 bytes", async () => {
  const file = path.join(folder, "key");
  const readsAll = async (fd: number, length: number): Promise<void> => {
    const reading = native().readSecret(fd, 1000);
    if (length > 64) await assert.rejects(reading, { code: "EMSGSIZE", message: /more than 64 bytes/ });
    else assert.equal((await reading).bytes, length);
  };
  for (const length of [0, 1, 64, 65, 4000]) {
    const bytes = Buffer.alloc(length, "k");
    fs.writeFileSync(file, bytes);
    const fd = fs.openSync(file, "r");
    await readsAll(fd, length);
    fs.closeSync(fd);
    if (length === 0) continue;
    // The writing end stays open, as with a client that waits for its answer.
    const { readEnd, writeEnd } = native().pipeWith(bytes);
    await readsAll(readEnd, length);
    for (const end of [readEnd, writeEnd]) native().closeDescriptor(end);
  }
  const { readEnd, writeEnd } = native().pipeWith(Buffer.alloc(0));
  await assert.rejects(native().readSecret(readEnd, 50), { code: "ETIMEDOUT" });
  native().closeDescriptor(writeEnd);
  assert.equal((await native().readSecret(readEnd, 1000)).bytes, 0, "a hang-up ends an empty key");
  native().closeDescriptor(readEnd);
  await assert.rejects(native().readSecret(readEnd, 50), { code: "EBADF" });
  const directory = fs.openSync(folder, "r");
  await assert.rejects(native().readSecret(directory, 1000), { code: "EISDIR" });
  fs.closeSync(directory);
});

test("a key may come in several parts, and its end is that of the writer, or a pause", async () => {
  const write = async (parts: readonly string[], end: "close" | "keep"): Promise<string> => {
    const { readEnd, writeEnd } = native().pipeWith(Buffer.alloc(0));
    const key = native().readSecret(readEnd, 10_000);
    // Without turns of the event loop, which a busy machine may stretch: the pauses are much shorter than what ends a key.
    for (const part of parts) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      fs.writeSync(writeEnd, part);
    }
    if (end === "close") native().closeDescriptor(writeEnd);
    try {
      return secretText(await key);
    } finally {
      for (const descriptor of end === "close" ? [readEnd] : [readEnd, writeEnd])
        native().closeDescriptor(descriptor);
    }
  };
  for (const end of ["close", "keep"] as const) {
    assert.equal(await write(["one"], end), "one");
    assert.equal(await write(["one ", "two ", "three"], end), "one two three");
    assert.equal(await write(["a".repeat(32), "b".repeat(32)], end), "a".repeat(32) + "b".repeat(32));
    await assert.rejects(write(["a".repeat(64), "b", "c"], end), { code: "EMSGSIZE" });
  }
});

test("what was sent before the end of writing still gets its answer", async () => {
  const socket = connect();
  socket.send(Buffer.from("last words"));
  socket.endWriting();
  assert.equal((await receive(socket)).data.toString(), "last words");
  assert.equal((await receive(socket)).data.length, 0, "then the other side ends the stream");
  failsWith(() => socket.send(Buffer.from("more")), { code: "EPIPE" });
  socket.close();
  failsWith(
    () => {
      socket.endWriting();
    },
    { code: "EBADF" },
  );
});

test("a socket that nobody closed goes with its object", () => {
  const script = `
    const native = require(${JSON.stringify(path.resolve(__dirname, "..", "..", "src", "native", "index.js"))}).native();
    const fds = () => require("node:fs").readdirSync("/proc/self/fd").length;
    const before = fds();
    for (let i = 0; i < 50; i++) new native.UnixSocket(Buffer.from(process.env.SOCKET));
    const more = fds() - before;
    setTimeout(() => { gc(); setTimeout(() => console.log(more, fds() - before), 50); }, 10);`;
  const printed = execFileSync(process.execPath, ["--expose-gc", "-e", script], {
    encoding: "utf8",
    env: { ...process.env, SOCKET: path.join(folder, "socket") },
    timeout: 60_000,
  });
  assert.equal(printed.trim(), "100 0");
});
