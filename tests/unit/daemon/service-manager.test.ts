import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { ServiceManager, statusText, watchdogInterval } from "../../../src/daemon/service-manager";
import { setLogSink } from "../../../src/log";

const PID = 4711;

const engine = (running: number, stopped = 0) => ({
  pools: () => Array<never>(running),
  stoppedPools: () => Array<never>(stopped),
});

/** A manager whose messages are collected; `taken` says of each whether it finds room. */
function watched(env: NodeJS.ProcessEnv, taken: (text: string) => boolean = () => true) {
  const sent: string[] = [];
  const addresses: string[] = [];
  const manager = new ServiceManager(env, PID, (address, data) => {
    addresses.push(Buffer.from(address).toString());
    sent.push(Buffer.from(data).toString());
    return taken(sent.at(-1) ?? "");
  });
  return { manager, addresses, take: () => sent.splice(0) };
}

const SOCKET = { NOTIFY_SOCKET: "/run/systemd/notify" };
const WATCHDOG = { ...SOCKET, WATCHDOG_USEC: "60000000", WATCHDOG_PID: String(PID) };

test("the status counts pools", () => {
  assert.equal(statusText(engine(0)), "No pools");
  assert.equal(statusText(engine(1)), "1 pool");
  assert.equal(statusText(engine(3, 1)), "3 pools, 1 stopped");
});

test("the watchdog is fed only when it watches this process", () => {
  assert.equal(watchdogInterval(WATCHDOG, PID), 60_000);
  assert.equal(watchdogInterval({ WATCHDOG_USEC: "1500" }, PID), 1.5);
  assert.equal(watchdogInterval(WATCHDOG, PID + 1), null);
  assert.equal(watchdogInterval({}, PID), null);
  for (const text of ["", "0", "-1", "x", "1e9", "infinity"])
    assert.equal(watchdogInterval({ WATCHDOG_USEC: text }, PID), null);
});

test("the start may take its time, then signs of life come in time, then the exit is announced", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const { manager, addresses, take } = watched(WATCHDOG);
  const starting = "STATUS=Setting up pools\nEXTEND_TIMEOUT_USEC=60000000";
  manager.starting();
  context.mock.timers.tick(20_000);
  assert.deepEqual(take(), [starting, starting]);

  let pools = engine(2);
  manager.serving({ pools: () => pools.pools(), stoppedPools: () => pools.stoppedPools() });
  assert.deepEqual(take(), ["READY=1", "STATUS=2 pools\nWATCHDOG=1"]);
  context.mock.timers.tick(10_000);
  assert.deepEqual(take(), ["WATCHDOG=1"]);
  pools = engine(3);
  context.mock.timers.tick(10_000);
  assert.deepEqual(take(), ["STATUS=3 pools\nWATCHDOG=1"]);

  manager.stopping();
  context.mock.timers.tick(60_000);
  assert.deepEqual(take(), ["STOPPING=1\nSTATUS=Waiting for operations to end"]);
  assert.deepEqual(new Set(addresses), new Set(["/run/systemd/notify"]));
});

test("without a watchdog only a status that changed is told", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const { manager, addresses, take } = watched({ NOTIFY_SOCKET: "@abstract" });
  manager.serving(engine(1));
  context.mock.timers.tick(60_000);
  assert.deepEqual(take(), ["READY=1", "STATUS=1 pool"]);
  assert.equal(addresses[0], "\0abstract");
  manager.stopping();
});

test("a short interval of the watchdog is kept", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const { manager, take } = watched({ ...SOCKET, WATCHDOG_USEC: "300000" });
  manager.serving(engine(0));
  take();
  context.mock.timers.tick(100);
  assert.deepEqual(take(), ["WATCHDOG=1"]);
  manager.stopping();
});

test("a status that found no room is told again", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  let room = false;
  const { manager, take } = watched(SOCKET, () => room);
  manager.serving(engine(1));
  take();
  room = true;
  context.mock.timers.tick(20_000);
  assert.deepEqual(take(), ["STATUS=1 pool"]);
  manager.stopping();
});

test("without a service manager nothing is sent", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  for (const env of [
    {},
    { NOTIFY_SOCKET: "" },
    { NOTIFY_SOCKET: "vsock:2:1" },
    { WATCHDOG_USEC: "60000000" },
  ]) {
    const { manager, take } = watched(env);
    manager.starting();
    manager.serving(engine(1));
    context.mock.timers.tick(60_000);
    manager.stopping();
    assert.deepEqual(take(), []);
  }
});

test("a service manager that is gone is complained of once", (context) => {
  context.mock.timers.enable({ apis: ["setInterval"] });
  const sink = mock.fn();
  setLogSink(sink);
  const { manager } = watched(WATCHDOG, () => {
    throw new Error("no such socket");
  });
  manager.serving(engine(1));
  context.mock.timers.tick(60_000);
  manager.stopping();
  setLogSink(() => undefined);
  assert.equal(sink.mock.callCount(), 1);
  assert.match(
    String(sink.mock.calls[0]?.arguments[2]),
    /Could not tell the service manager .*no such socket/,
  );
});
