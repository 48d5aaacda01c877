import assert from "node:assert/strict";
import { test } from "node:test";
import { busSockets, systemBusAddress } from "../../../cli/bus-address";

test("the system bus is where the environment says, or at its usual place", () => {
  assert.equal(systemBusAddress({}), "unix:path=/var/run/dbus/system_bus_socket");
  assert.equal(systemBusAddress({ DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/x" }), "unix:path=/x");
});

test("addresses of Unix sockets are understood", () => {
  assert.deepEqual(busSockets("unix:path=/run/bus"), ["/run/bus"]);
  assert.deepEqual(busSockets("unix:path=/run/a%20b,guid=0123;unix:abstract=/tmp/x"), [
    "/run/a b",
    "\0/tmp/x",
  ]);
});

test("other addresses are refused by name", () => {
  for (const address of ["", "tcp:host=localhost,port=1", "unix:guid=1", "unix:path=", "nonsense"])
    assert.throws(() => busSockets(address), /D-Bus address/, address);
  assert.throws(() => busSockets("unix:path=/a%2cb"), /has one of the characters/);
});
