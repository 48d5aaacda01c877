/** Getting connected: a bus that does not want us is a reason, not a wait. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { MessageChannel } from "../../../src/bus/messages";

/** A server of one socket that behaves as told with each connection. */
async function serverThat(t: TestContext, behaves: (peer: Socket) => void): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), "stratis-bus-"));
  const server: Server = createServer(behaves);
  const socket = path.join(folder, "socket");
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  t.after(() => {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return socket;
}

test("a server that refuses this user is quoted", async (t) => {
  const socket = await serverThat(t, (peer) => {
    peer.once("data", () => peer.end("REJECTED EXTERNAL\r\n"));
  });
  await assert.rejects(MessageChannel.open(socket), /refused this user \(it answered "REJECTED EXTERNAL"\)/);
});

test("a server that hangs up is a reason not to be connected", async (t) => {
  const socket = await serverThat(t, (peer) => {
    peer.once("data", () => peer.end());
  });
  await assert.rejects(MessageChannel.open(socket), /closed the connection during authentication|ECONNRESET/);
});

test("an answer without an end is not waited for for ever", async (t) => {
  const socket = await serverThat(t, (peer) => {
    peer.on("error", () => undefined);
    peer.once("data", () => peer.write("x".repeat(20_000)));
  });
  await assert.rejects(MessageChannel.open(socket), /has no end/);
});

test("the answers may come in pieces, and what follows them is the first message", async (t) => {
  const socket = await serverThat(t, (peer) => {
    peer.on("error", () => undefined);
    peer.once("data", () => {
      peer.write("OK 123\r");
      setTimeout(() => peer.end("\nERROR no descriptors\r\nnot a message, but longer than 16 bytes"), 20);
    });
  });
  const messages = await MessageChannel.open(socket);
  assert.match(String(await messages.closed), /unknown byte order/);
  assert.throws(() => {
    messages.send({ type: 1, serial: 1, path: "/", member: "M", signature: "h", body: [0] });
  }, /does not pass on file descriptors/);
});
