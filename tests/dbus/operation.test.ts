/** The object of an operation in place: there from its begin to its end, with what is done and what is left. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BASE_PATH, BUS_NAME, INTROSPECTABLE, OBJECT_MANAGER, PROPERTIES } from "../../src/dbus/names";
import { bytes } from "../../src/units";
import { plain } from "./support/client";
import { startWorld } from "./support/world";

const POOL = `${BASE_PATH}/0`;
const OPERATION = `${BASE_PATH}/2`;
const INTERFACE = `${BUS_NAME}.operation`;

test("an operation in place is an object while it runs", async (t) => {
  const world = await startWorld((engine) => {
    engine.addPool("p", ["/dev/a"]);
  });
  t.after(() => world.end());
  const [pool] = world.engine.pools();
  assert.ok(pool !== undefined);
  const objects = async (): Promise<Record<string, Record<string, Record<string, unknown>>>> => {
    const [found] = await world.client.call("GetManagedObjects", { interface: OBJECT_MANAGER });
    return plain(found) as Record<string, Record<string, Record<string, unknown>>>;
  };
  const change = (progress: typeof pool.inPlace): void => {
    pool.inPlace = progress;
    world.service.emitChanges([{ change: "pool", uuid: pool.uuid, properties: ["inPlace"] }]);
  };
  const before = await objects();
  assert.deepEqual(Object.keys(before), [POOL, `${BASE_PATH}/1`]);

  change({ kind: "encrypt", done: bytes(0n), total: bytes(0n), remainingSeconds: null });
  const begun = { Pool: POOL, Kind: "encrypt", DoneBytes: 0n, TotalBytes: 0n, RemainingSeconds: [false, 0n] };
  assert.deepEqual((await objects())[OPERATION], { [INTERFACE]: begun });
  change({ kind: "encrypt", done: bytes(5n), total: bytes(8n), remainingSeconds: 3 });
  const [all] = await world.client.call("GetAll", {
    path: OPERATION,
    interface: PROPERTIES,
    signature: "s",
    body: [INTERFACE],
  });
  assert.deepEqual(plain(all), { ...begun, DoneBytes: 5n, TotalBytes: 8n, RemainingSeconds: [true, 3n] });
  const [xml] = await world.client.call("Introspect", { path: OPERATION, interface: INTROSPECTABLE });
  assert.match(String(xml), /<interface name="org\.storage\.stratis3\.operation">/);

  change(null);
  assert.deepEqual(await objects(), before);
  const signals = world.client
    .take()
    .flatMap(({ member, path }) => (member === undefined ? [] : [[member, path]]));
  const expected = [
    "InterfacesAdded",
    "PropertiesChanged",
    "PropertiesChanged",
    "PropertiesChanged",
    "InterfacesRemoved",
  ];
  assert.deepEqual(
    signals.map(([member]) => member),
    expected,
  );
});
