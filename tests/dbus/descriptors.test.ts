/** File descriptors that come with calls: keys are read from them, and every one of them is closed. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import { closeDescriptor } from "../../src/bus/descriptors";
import { MESSAGE_TYPE, type ReceivedMessage } from "../../src/bus/codec";
import { MessageChannel } from "../../src/bus/messages";
import { native } from "../../src/native";
import { startWorld, type World } from "./support/world";

const TOP = "/org/storage/stratis3";
const MANAGER = "org.storage.stratis3.Manager.r9";
const REPLY_TIMEOUT_MS = 20_000;

let world: World;
let client: MessageChannel;
let serial = 0;
const waiting = new Map<number, (reply: ReceivedMessage) => void>();

before(async () => {
  world = await startWorld();
  client = await MessageChannel.open(world.bus.address.replace("unix:path=", ""));
  client.onMessage = (message, descriptors) => {
    assert.deepEqual(descriptors, []);
    waiting.get(message.replySerial ?? 0)?.(message);
  };
  await call("Hello", "", [], "org.freedesktop.DBus", "org.freedesktop.DBus");
});
after(async () => {
  client.close();
  await world.end();
});

async function call(
  member: string,
  signature: string,
  body: unknown[],
  interfaceName = MANAGER,
  destination = "org.storage.stratis3",
): Promise<ReceivedMessage> {
  serial += 1;
  const own = serial;
  const reply = new Promise<ReceivedMessage>((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no reply to ${member}`));
    }, REPLY_TIMEOUT_MS);
    waiting.set(own, (message) => {
      clearTimeout(timer);
      waiting.delete(own);
      resolve(message);
    });
  });
  client.send({
    type: MESSAGE_TYPE.methodCall,
    serial: own,
    destination,
    path: destination === "org.freedesktop.DBus" ? "/org/freedesktop/DBus" : TOP,
    interface: interfaceName,
    member,
    signature,
    body,
  });
  return await reply;
}

/** Calls `use` with a pipe that holds the text. */
async function withPipe<T>(text: string, use: (fd: number) => Promise<T>): Promise<T> {
  const { readEnd, writeEnd } = native().pipeWith(Buffer.from(text));
  try {
    return await use(readEnd);
  } finally {
    closeDescriptor(readEnd);
    closeDescriptor(writeEnd);
  }
}

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

test("a key of up to 64 bytes is read, a longer one refused, a missing descriptor named", async () => {
  const set = (text: string): Promise<unknown[]> =>
    withPipe(text, async (fd) => (await call("SetKey", "sh", [`key${text.length}`, fd])).body);
  assert.deepEqual((await set("k"))[1], 0);
  assert.deepEqual((await set("k".repeat(64)))[1], 0);
  const [, code, message] = await set("k".repeat(65));
  assert.deepEqual([code, message], [1, "Provided key exceeded maximum allow length of 64 bytes"]);
  assert.deepEqual((await call("ListKeys", "", [])).body[0], ["key1", "key64"]);
});

test("descriptors are closed after each call, whether or not anything wanted them", async () => {
  const unwanted = (fd: number): Promise<ReceivedMessage>[] => [
    call("SetKey", "sh", ["same", fd]),
    call("SetKey", "sah", ["same", [fd, fd, fd]]),
    call("ListKeys", "h", [fd]),
    call("NoSuchMethod", "hh", [fd, fd]),
    call("GetAll", "sh", ["no.such.interface", fd], "org.freedesktop.DBus.Properties"),
    call("Ping", "h", [fd], "org.freedesktop.DBus.Peer"),
    call("StartPool", "ss(b(bu))(bh)b", ["none", "name", [false, [false, 0]], [false, fd], false]),
  ];
  // One reader each: a pipe that is empty and open would be waited for.
  const round = (): Promise<unknown> => withPipe("k", (fd) => Promise.all(unwanted(fd)));
  await round();
  const before = openDescriptors();
  for (let rounds = 0; rounds < 30; rounds += 1) await round();
  assert.equal(openDescriptors(), before);
});
