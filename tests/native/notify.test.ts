/** sendDatagram: to a path, to an abstract name, to nobody, and to somebody who does not read. */
import assert from "node:assert/strict";
import * as path from "node:path";
import { test } from "node:test";
import { native } from "../../src/native";
import { addressOf, receiveAt } from "./datagrams";
import { callUntyped, failsWith, temporaryFolder } from "./support";

const MOST = 65_536;
const send = (name: string, data: Uint8Array): boolean => native().sendDatagram(addressOf(name), data);

test("a message arrives whole, at a path and at an abstract name", async (context) => {
  const names = [path.join(temporaryFolder(context), "notify"), `@stratis-test-${process.pid}`];
  for (const name of names) {
    const receiver = await receiveAt(context, name);
    assert.equal(send(name, Buffer.from("READY=1\nSTATUS=1 pool")), true);
    assert.equal((await receiver.next()).toString(), "READY=1\nSTATUS=1 pool");
    const large = Buffer.alloc(MOST, 7);
    assert.equal(send(name, large), true);
    assert.deepEqual(await receiver.next(), large);
  }
});

test("somebody who does not read is not waited for", async (context) => {
  const name = path.join(temporaryFolder(context), "notify");
  await receiveAt(context, name, "hold");
  const data = Buffer.alloc(MOST);
  let sent = 0;
  while (sent < 10_000 && send(name, data)) sent++;
  assert.ok(sent > 0 && sent < 10_000, `${sent} messages found room`);
});

test("nobody there is an error that names the address", (context) => {
  const name = path.join(temporaryFolder(context), "nobody");
  const expected = { code: "ENOENT", syscall: "sendto", target: name };
  assert.throws(() => send(name, Buffer.from("x")), failsWith(expected));
  const abstract = "@stratis-test-nobody";
  assert.throws(
    () => send(abstract, Buffer.from("x")),
    failsWith({ code: "ECONNREFUSED", target: abstract }),
  );
});

test("addresses and messages of other sizes than allowed are refused", async () => {
  const refused = failsWith({ code: "EINVAL", syscall: "sendDatagram" });
  const x = Buffer.from("x");
  // A path has to leave room for its end.
  for (const address of [Buffer.alloc(0), Buffer.alloc(108, 97), Buffer.alloc(109)])
    assert.throws(() => native().sendDatagram(address, x), refused);
  for (const data of [Buffer.alloc(0), Buffer.alloc(MOST + 1)])
    assert.throws(() => native().sendDatagram(addressOf("@nobody"), data), refused);
  for (const wrong of ["/path", null, undefined, 1, [47]]) {
    await assert.rejects(async () => callUntyped(native(), "sendDatagram", wrong, x), refused);
    await assert.rejects(
      async () => callUntyped(native(), "sendDatagram", addressOf("@nobody"), wrong),
      refused,
    );
  }
});
