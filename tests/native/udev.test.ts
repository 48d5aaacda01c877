/** udev's monitor and database, with or without a running udevd. */
import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { native, type UdevDevice } from "../../src/native";
import { failsWith } from "./support";

const nativeModule = path.resolve(__dirname, "..", "..", "src", "native", "index.js");

function assertShape(device: UdevDevice): void {
  assert.equal(device.action, null);
  assert.equal(typeof device.initialized, "boolean");
  assert.match(device.sysPath, /^\/sys\//);
  assert.equal(device.properties["DEVPATH"], device.sysPath.slice("/sys".length));
  assert.equal(device.major === null, device.minor === null);
  if (device.major !== null) {
    assert.equal(device.properties["MAJOR"], String(device.major));
    assert.equal(device.properties["MINOR"], String(device.minor));
    assert.match(device.devnode ?? "", /^\/dev\//);
  }
}

test("all block devices of the system are listed", async () => {
  const devices = await native().udevEnumerate({ subsystem: "block" });
  const names = devices.map((device) => path.basename(device.sysPath)).sort();
  assert.deepEqual(names, readdirSync("/sys/class/block").sort());
  devices.forEach(assertShape);
});

test("devices without a number have none", async () => {
  const devices = await native().udevEnumerate({ subsystem: "net" });
  const loopback = devices.find((device) => device.properties["INTERFACE"] === "lo");
  assert.ok(loopback);
  assertShape(loopback);
  assert.equal(loopback.major, null);
  assert.equal(loopback.devnode, null);
});

test("properties select the devices that have all of them, literally", async () => {
  const all = await native().udevEnumerate({ subsystem: "block" });
  const [one] = all;
  if (one === undefined) return;
  const DEVNAME = one.properties["DEVNAME"] ?? "";
  const select = async (properties: Record<string, string>): Promise<string[]> =>
    (await native().udevEnumerate({ subsystem: "block", properties })).map((device) => device.sysPath);
  assert.deepEqual(await select({ DEVNAME }), [one.sysPath]);
  assert.deepEqual(await select({ DEVNAME, SUBSYSTEM: "block" }), [one.sysPath]);
  assert.deepEqual(await select({ DEVNAME, SUBSYSTEM: "net" }), []);
  assert.deepEqual(await select({ DEVNAME: "/dev/*" }), []);
  assert.deepEqual(await select({ NO_SUCH_PROPERTY: "" }), []);
  assert.equal((await select({})).length, all.length);
});

test("unknown subsystems have no devices", async () => {
  assert.deepEqual(await native().udevEnumerate({ subsystem: "no-such-subsystem" }), []);
});

test("a block device is found by its number, or null", async () => {
  const devices = await native().udevEnumerate({ subsystem: "block" });
  for (const device of devices.slice(0, 3)) {
    assert.ok(device.major !== null && device.minor !== null);
    const found = await native().udevBlockDevice(device.major, device.minor);
    assert.equal(found?.sysPath, device.sysPath);
    assert.equal(found.devnode, device.devnode);
  }
  assert.equal(await native().udevBlockDevice(4000, 1_000_000), null);
});

test("no event is requested of a device that there is not", () => {
  assert.throws(
    () => {
      native().requestUevent(4000, 1_000_000, "change");
    },
    failsWith({ code: "ENOENT", syscall: "open", target: "/sys/dev/block/4000:1000000/uevent" }),
  );
});

test("arguments of other types are refused", async () => {
  const addon = native() as unknown as Record<string, (...values: unknown[]) => Promise<unknown>>;
  for (const filter of [undefined, null, "block", []])
    await assert.rejects(
      async () => addon["udevEnumerate"]?.(filter),
      failsWith({ code: "EINVAL", target: "filter" }),
    );
  await assert.rejects(
    async () => addon["udevEnumerate"]?.({}),
    failsWith({ code: "EINVAL", target: "filter.subsystem" }),
  );
  for (const properties of ["x", ["x"], 5])
    await assert.rejects(
      async () => addon["udevEnumerate"]?.({ subsystem: "block", properties }),
      failsWith({ code: "EINVAL", target: "filter.properties" }),
    );
  await assert.rejects(
    async () => addon["udevEnumerate"]?.({ subsystem: "block", properties: { A: 1 } }),
    failsWith({ code: "EINVAL", target: "filter.properties.A" }),
  );
  for (const number of [undefined, -1, 4096, 1.5, "8"])
    await assert.rejects(
      async () => addon["udevBlockDevice"]?.(number, 0),
      failsWith({ code: "EINVAL", target: "major" }),
    );
  await assert.rejects(
    async () => addon["udevBlockDevice"]?.(8, 2 ** 20),
    failsWith({ code: "EINVAL", target: "minor" }),
  );
  for (const request of [undefined, 5, "change\0", "x".repeat(4096)])
    await assert.rejects(
      async () => addon["requestUevent"]?.(8, 0, request),
      failsWith({ code: "EINVAL", target: "request" }),
    );
  const UdevMonitor = native().UdevMonitor as unknown as new (value?: unknown) => unknown;
  for (const subsystem of [undefined, null, 5, "a\0b", "x".repeat(300)])
    assert.throws(() => new UdevMonitor(subsystem), failsWith({ code: "EINVAL", target: "subsystem" }));
});

test("a monitor has a descriptor, waits for nothing and can't be used after its end", async () => {
  const monitor = new (native().UdevMonitor)("no-such-subsystem");
  assert.ok(monitor.fd >= 0);
  assert.deepEqual(await monitor.receive(), { events: [], overflow: false });
  const poll = new (native().FdPoll)(monitor.fd, () => {
    assert.fail("there are no events of this subsystem");
  });
  poll.start();
  poll.close();
  const running = Promise.all([monitor.receive(), monitor.receive()]);
  monitor.close();
  monitor.close();
  assert.equal(monitor.fd, -1);
  assert.deepEqual(await running, [
    { events: [], overflow: false },
    { events: [], overflow: false },
  ]);
  await assert.rejects(monitor.receive(), failsWith({ code: "EBADF", target: "udev monitor" }));
});

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

test("monitors leave no descriptors open", async () => {
  new (native().UdevMonitor)("block").close();
  const earlier = openDescriptors();
  for (let i = 0; i < 300; i++) {
    const monitor = new (native().UdevMonitor)("block");
    if (i % 10 === 0) await monitor.receive();
    monitor.close();
  }
  assert.equal(openDescriptors(), earlier);
});

test("monitors that nobody closed are collected with their descriptors", () => {
  const script = `
    const native = require(${JSON.stringify(nativeModule)}).native();
    const fds = () => require("node:fs").readdirSync("/proc/self/fd").length;
    (async () => {
      new native.UdevMonitor("block").close();
      const earlier = fds();
      for (let i = 0; i < 100; i++) new native.UdevMonitor("block");
      for (let i = 0; i < 20 && fds() > earlier; i++) { gc(); await new Promise((done) => setTimeout(done, 10)); }
      console.log(fds() - earlier);
    })();`;
  const output = execFileSync(process.execPath, ["--expose-gc", "-e", script], { encoding: "utf8" });
  assert.ok(Number(output) <= 1, `${output.trim()} descriptors are left of 100 monitors`);
});
