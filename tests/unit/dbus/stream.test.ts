/** The adapter between the socket and dbus-next's decoder, with messages written byte by byte. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { BusConnection } from "../../../src/dbus/connection";
import { setLogSink, logger } from "../../../src/log";

setLogSink(() => undefined);

/** A call of method M with one argument of type t or u, and with the given serial. */
function message(order: "l" | "B", serial: number, type: "t" | "h", value: bigint): Buffer {
  const big = order === "B";
  const word = (n: number) => {
    const buffer = Buffer.alloc(4);
    if (big) buffer.writeUInt32BE(n);
    else buffer.writeUInt32LE(n);
    return buffer;
  };
  const padded = (buffer: Buffer) => Buffer.concat([buffer, Buffer.alloc((8 - (buffer.length % 8)) % 8)]);
  const textField = (code: number, signature: string, text: string) =>
    padded(
      Buffer.concat([
        Buffer.from([code, 1, signature.charCodeAt(0), 0]),
        word(text.length),
        Buffer.from(`${text}\0`),
      ]),
    );
  const fields = Buffer.concat([
    textField(1, "o", "/x"),
    textField(3, "s", "M"),
    Buffer.from([8, 1, "g".charCodeAt(0), 0, 1, type.charCodeAt(0), 0]),
  ]);
  const body = Buffer.alloc(type === "t" ? 8 : 4);
  if (type === "t" && big) body.writeBigUInt64BE(value);
  else if (type === "t") body.writeBigUInt64LE(value);
  else body.writeUInt32LE(Number(value));
  return Buffer.concat([
    padded(
      Buffer.concat([
        Buffer.from([order.charCodeAt(0), 1, 0, 1]),
        word(body.length),
        word(serial),
        word(fields.length),
        fields,
      ]),
    ),
    body,
  ]);
}

/** A bus as far as greeting goes: authenticates anybody, answers Hello with `hello`, then is the test's. */
async function fakeBus(t: TestContext, hello: Buffer): Promise<{ address: string; client: Promise<Socket> }> {
  const directory = await mkdtemp(join(tmpdir(), "stratis-fake-bus-"));
  const path = join(directory, "socket");
  const server = createServer();
  server.listen(path);
  await once(server, "listening");
  const client = new Promise<Socket>((resolve) => {
    server.once("connection", (socket) => {
      t.after(() => socket.destroy());
      let greeted = false;
      socket.on("data", (data) => {
        if (data.includes("AUTH EXTERNAL")) socket.write("OK 0123456789abcdef\r\n");
        if (data.includes("Hello") && !greeted) {
          greeted = true;
          socket.write(hello);
          resolve(socket);
        }
      });
    });
  });
  t.after(async () => {
    server.close();
    await rm(directory, { recursive: true });
  });
  return { address: `unix:path=${path}`, client };
}

/** Reply to serial 1: a method return without body, or an error with the name x.Y. */
function replyToHello(isError: boolean): Buffer {
  const fields = Buffer.from(
    isError
      ? [5, 1, 0x75, 0, 1, 0, 0, 0, 4, 1, 0x73, 0, 3, 0, 0, 0, 0x78, 0x2e, 0x59, 0]
      : [5, 1, 0x75, 0, 1, 0, 0, 0],
  );
  const header = Buffer.alloc(16);
  header.set([0x6c, isError ? 3 : 2, 0, 1]);
  header.writeUInt32LE(1, 8);
  header.writeUInt32LE(fields.length, 12);
  return Buffer.concat([header, fields, Buffer.alloc((8 - (fields.length % 8)) % 8)]);
}

test("a descriptor index without a descriptor arrives as the index that it is", async (t) => {
  const { address, client } = await fakeBus(t, replyToHello(false));
  const connection = await BusConnection.open(address, logger("test"));
  const calls: unknown[] = [];
  const arrived = new Promise<void>((resolve) => {
    connection.onCall = ({ body }) => {
      calls.push(body);
      if (calls.length === 3) resolve();
    };
  });
  const socket = await client;
  socket.write(message("l", 7, "h", 0n));
  socket.write(message("l", 8, "h", 0xffffffffn));
  socket.write(message("l", 9, "t", 2n ** 63n + 1n));
  await arrived;
  assert.deepEqual(calls, [[0], [0xffffffff], [2n ** 63n + 1n]]);
  await connection.close();
});

test("big-endian calls are refused, for their 64-bit numbers would be misread", async (t) => {
  const { address, client } = await fakeBus(t, replyToHello(false));
  const connection = await BusConnection.open(address, logger("test"));
  connection.onCall = () => assert.fail("the call got through");
  const socket = await client;
  const answer = once(socket, "data", { signal: AbortSignal.timeout(10_000) });
  socket.write(message("B", 7, "t", 5n));
  const [data] = (await answer) as [Buffer];
  assert.ok(data.includes("org.freedesktop.DBus.Error.NotSupported"));
  // In either order, messages of the other kind are told apart.
  const arrived = new Promise<unknown>((resolve) => {
    connection.onCall = ({ body }) => {
      resolve(body);
    };
  });
  socket.write(message("l", 8, "t", 5n));
  assert.deepEqual(await arrived, [5n]);
  await connection.close();
});

test("a bus that refuses Hello, and one that hangs up, are reasons not to be connected", async (t) => {
  const refusing = await fakeBus(t, replyToHello(true));
  await assert.rejects(BusConnection.open(refusing.address, logger("test")), /x\.Y without a text/);
  const ending = await fakeBus(t, Buffer.alloc(0));
  void ending.client.then((socket) => socket.end());
  await assert.rejects(
    BusConnection.open(ending.address, logger("test")),
    /the message bus closed the connection/,
  );
});
