import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBusAddress, systemBusAddress } from "../../../src/dbus/address";

test("paths, abstract sockets, escapes, lists", () => {
  assert.deepEqual(parseBusAddress("unix:path=/run/dbus/system_bus_socket"), ["/run/dbus/system_bus_socket"]);
  assert.deepEqual(parseBusAddress("unix:path=/a,guid=0123;unix:abstract=/tmp/x;"), ["/a", "\0/tmp/x"]);
  assert.deepEqual(parseBusAddress("unix:guid=0123,path=/caf%c3%A9%20b"), ["/café b"]);
});

test("addresses that cannot be used say what they are", () => {
  for (const address of [
    "",
    ";",
    "tcp:host=h,port=1",
    "unix:tmpdir=/tmp",
    "nonsense",
    "unixexec:path=/bin/sh",
  ])
    assert.throws(() => parseBusAddress(address), /D-Bus address/);
});

test("sockets whose names dbus-next would cut short are refused", () => {
  for (const address of ["unix:path=/a%2cb", "unix:path=/a%3db", "unix:path=/a%3bb", "unix:path=/a%3ab"])
    assert.throws(() => parseBusAddress(address), /D-Bus address/);
});

test("the system bus is where the environment says, and else where it always is", () => {
  const before = process.env.DBUS_SYSTEM_BUS_ADDRESS;
  try {
    process.env.DBUS_SYSTEM_BUS_ADDRESS = "unix:path=/elsewhere";
    assert.equal(systemBusAddress(), "unix:path=/elsewhere");
    delete process.env.DBUS_SYSTEM_BUS_ADDRESS;
    assert.equal(systemBusAddress(), "unix:path=/var/run/dbus/system_bus_socket");
  } finally {
    if (before !== undefined) process.env.DBUS_SYSTEM_BUS_ADDRESS = before;
  }
});
