/** Bytes over a socket whose other side takes its time. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { Channel } from "../../../src/bus/channel";

/** A channel, and the other end of it. */
async function connected(t: TestContext): Promise<{ channel: Channel; peer: Socket }> {
  const folder = mkdtempSync(path.join(tmpdir(), "stratis-channel-"));
  const socket = path.join(folder, "socket");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const arrived = new Promise<Socket>((resolve) => server.once("connection", resolve));
  const channel = await Channel.connect(socket);
  const peer = await arrived;
  t.after(() => {
    channel.close();
    peer.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { channel, peer };
}

/** Pieces of all sizes, the content of each different. */
const pieces = (): Buffer[] =>
  Array.from({ length: 3000 }, (_, index) => Buffer.alloc(1 + ((index * 7919) % 3001), index % 251)).concat(
    Buffer.alloc(700_000, 1),
    Buffer.from("end"),
  );

test("what is written arrives whole and in order, also when the other side pauses", async (t) => {
  const { channel, peer } = await connected(t);
  const written = pieces();
  const expected = Buffer.concat(written);
  peer.pause();
  for (const piece of written) channel.write(piece);
  assert.equal(channel.queuedBytes, expected.length);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(channel.queuedBytes > 0 && channel.queuedBytes < expected.length);
  const received: Buffer[] = [];
  peer.on("data", (data) => received.push(data));
  peer.resume();
  await channel.drained();
  assert.equal(channel.queuedBytes, 0);
  await new Promise<void>((resolve) => {
    peer.once("end", resolve);
    void channel.end();
  });
  assert.ok(Buffer.concat(received).equals(expected));
});

test("a channel that is closed has nothing queued, and whoever waits for it goes on", async (t) => {
  const { channel, peer } = await connected(t);
  peer.pause();
  channel.write(Buffer.alloc(4_000_000));
  const drained = channel.drained();
  channel.close();
  await drained;
  assert.equal(channel.queuedBytes, 0);
  channel.write(Buffer.from("late"));
  assert.equal(channel.queuedBytes, 0);
  assert.equal(await channel.closed, null);
});
