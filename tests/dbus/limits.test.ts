/** Answers of a size that the bus does not let through. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeBody } from "../../src/bus/codec";
import { BASE_PATH, BUS_NAME, OBJECT_MANAGER, PEER, PROPERTIES } from "../../src/dbus/names";
import { RawClient } from "./support/raw-client";
import { startWorld } from "./support/world";

/** Each is about 4 kB of the answer; the bus lets 32 MiB through. */
const TOO_MANY = 9000;
const ENOUGH = 7500;

test("who asks for more objects than the bus lets through is told so, and the service goes on", async (t) => {
  const world = await startWorld((engine) => {
    const pool = engine.addPool("p", ["/dev/a"]);
    for (let count = 0; count < TOO_MANY; count++) pool.addFilesystem(`filesystem-${count}`);
  });
  t.after(() => world.end());
  const client = await RawClient.connect(world.bus.address);
  t.after(() => {
    client.close();
  });

  const refused = await client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
  assert.equal(refused.head.errorName, "org.freedesktop.DBus.Error.LimitsExceeded");
  assert.deepEqual(decodeBody(refused.bytes, refused.head), [
    "The answer is too long: The message has more than the 33554432 bytes that the message bus lets through",
  ]);
  assert.ok(world.log.some(({ message }) => /GetManagedObjects on .* is too long/.test(message)));
  await client.callForBody("Ping", { interface: PEER });

  const paths = Array.from({ length: TOO_MANY - ENOUGH }, (_, index) => `${BASE_PATH}/${index + 1}`);
  const [destroyed] = await client.callForBody("DestroyFilesystems", {
    path: `${BASE_PATH}/0`,
    interface: `${BUS_NAME}.pool.r9`,
    signature: "ao",
    body: [paths],
  });
  assert.equal((destroyed as [boolean, string[]])[1].length, paths.length);
  const { bytes, head } = await client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
  assert.ok(bytes.length > 28_000_000 && bytes.length < 32 * 1024 * 1024);
  const [objects] = decodeBody(bytes, head) as [Record<string, unknown>];
  assert.equal(Object.keys(objects).length, ENOUGH + 2);
});

test("an error that quotes very long text is shortened and arrives", async (t) => {
  const world = await startWorld();
  t.after(() => world.end());
  const name = "x".repeat(900_000);
  const { head, bytes } = await RawClient.connect(world.bus.address).then((client) => {
    t.after(() => {
      client.close();
    });
    return client.call("GetAll", { interface: PROPERTIES, signature: "s", body: [name] });
  });
  assert.equal(head.errorName, "org.freedesktop.DBus.Error.UnknownInterface");
  assert.match(String(decodeBody(bytes, head)[0]), /^Unknown interface 'x{16000,16384}$/);
});
