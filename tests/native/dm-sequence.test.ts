/**
 * Device-mapper calls, sequences with their undo, and udev cookies, in a child process whose ioctls are answered by
 * dm-fake-kernel.cc. Real kernels are met by the tests in a virtual machine.
 */
import * as assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import type { DmReply } from "../../src/native";
import { FakeKernel, type Failure, type Outcome } from "./fake-kernel";

const COOKIES_OF_DEVICE_MAPPER = /^0x0d4d/m;
let kernel: FakeKernel;
before(() => {
  kernel = new FakeKernel();
});
after(() => {
  kernel.remove();
});

/** The inside of an async function of `native` and of a device's `name` and `table`. */
function run(body: string, settings: Record<string, string> = {}): Outcome {
  const values = `const name = "dev", table = [{ start: 0n, length: 8n, type: "linear", params: "8:17 2048" }];`;
  return kernel.run(values + body, settings);
}

const create = `await native.dmSequence([
  { request: { op: "create", name, uuid: name } },
  { request: { op: "load", name, targets: table } },
  { request: { op: "resume", name, udevFlags: 0xe } },
]);`;

function failureOf(outcome: Outcome): Failure {
  assert.ok(outcome.failure, JSON.stringify(outcome));
  return outcome.failure;
}

test("a device's life: created, described, renamed, removed", () => {
  const { result, log } = run(`
    ${create}
    const replies = [];
    for (const request of [
      { op: "info", name }, { op: "table", name }, { op: "status", name }, { op: "deps", name }, { op: "list" },
      { op: "rename", name, newName: "new" }, { op: "message", name: "new", message: "echo hello" },
      { op: "message", name: "new", message: "quiet" }, { op: "suspend", name: "new" },
      { op: "resume", name: "new" }, { op: "remove", name: "new" }, { op: "list" },
    ]) replies.push(await native.dmCall(request));
    return replies;`);
  const replies = result as DmReply[];
  const [info, table, status, deps, list, renamed, echo, quiet, suspended, resumed, , empty] = replies;
  assert.deepEqual(info?.version, [4, 45, 0]);
  assert.deepEqual(info.device, {
    name: "dev",
    uuid: "dev",
    major: 253,
    minor: 300,
    openCount: 0,
    targetCount: 1,
    eventNr: 0,
    readOnly: false,
    suspended: false,
    activeTable: true,
    inactiveTable: false,
  });
  assert.deepEqual(table?.targets, [{ start: 0, length: 8, type: "linear", params: "8:17 2048" }]);
  assert.equal(status?.targets?.[0]?.params, "status of 8:17 2048");
  assert.deepEqual(deps?.dependencies, [
    { major: 253, minor: 1 },
    { major: 253, minor: 65536 },
  ]);
  assert.deepEqual(list?.devices, [{ name: "dev", uuid: "dev", major: 253, minor: 300, eventNr: 0 }]);
  assert.equal(renamed?.device?.name, "new");
  assert.equal(echo?.text, "hello");
  assert.equal(quiet?.text, undefined);
  assert.equal(suspended?.device?.suspended, true);
  assert.equal(resumed?.device?.suspended, false);
  assert.deepEqual(empty?.devices, []);
  assert.ok(!log.some((line) => line.startsWith("cookie")), "without udev nobody would answer a cookie");
});

test("a uuid can be given later", () => {
  const { result } = run(`
    await native.dmCall({ op: "create", name, uuid: "" });
    await native.dmCall({ op: "setUuid", name, uuid: "later" });
    return (await native.dmCall({ op: "list" })).devices[0].uuid;`);
  assert.equal(result, "later");
});

test("results that exceed the first buffer are fetched with a larger one", () => {
  const { result, failure } = run(`
    const targets = [];
    for (let i = 0n; i < 3000n; i++)
      targets.push({ start: i * 8n, length: 8n, type: "linear", params: "8:17 " + i });
    await native.dmSequence([
      { request: { op: "create", name, uuid: name } },
      { request: { op: "load", name, targets, secureData: true } },
    ]);
    const { targets: back } = await native.dmCall({ op: "table", name, inactive: true, secureData: true });
    return [back.length, back[2999].params, back[2999].start];`);
  assert.equal(failure, null);
  assert.deepEqual(result, [3000, "8:17 2999", 23992]);
});

test("events: readable after a change, quiet once armed", () => {
  const { result } = run(`
    let ready = 0;
    const poll = new native.FdPoll(native.dmControlFd(), () => { ready++; poll.stop(); });
    const settle = () => new Promise((done) => setTimeout(done, 50));
    ${create}
    poll.start();
    await settle();
    await native.dmCall({ op: "arm" });
    poll.start();
    await settle();
    poll.close();
    return ready;`);
  assert.equal(result, 1);
});

test("removing a busy device is tried again, as often as asked", () => {
  const removed = run(`${create} return native.dmCall({ op: "remove", name });`, { FAKE_BUSY: "2" });
  const { microseconds } = removed.result as DmReply;
  assert.ok(microseconds >= 400_000, `two pauses of 200 ms took ${microseconds} µs`);
  const kept = run(`${create} await native.dmCall({ op: "remove", name, attempts: 2 });`, { FAKE_BUSY: "2" });
  const failure = failureOf(kept);
  assert.equal(failure.code, "EBUSY");
  assert.equal(failure.syscall, "DM_DEV_REMOVE");
  assert.equal(failure.target, "dev");
  assert.equal(kept.log.filter((line) => line === "4 dev").length, 2);
});

test("a failed step is named and the steps before it are undone, last first", () => {
  const outcome = run(
    `const seen = {};
     try {
       await native.dmSequence([
         { request: { op: "create", name, uuid: "" }, undo: [{ op: "remove", name }] },
         { request: { op: "create", name: "second", uuid: "" },
           undo: [{ op: "clear", name: "absent" }, { op: "remove", name: "second" }] },
         { request: { op: "resume", name: "second" }, undo: [{ op: "remove", name: "never" }] },
       ]);
     } catch (e) { seen.error = spread(e); }
     seen.left = (await native.dmCall({ op: "list" })).devices;
     return seen;`,
    { FAKE_FAIL_RESUME: "second" },
  );
  const { error, left } = outcome.result as { error: Failure; left: unknown[] };
  assert.equal(error.code, "EIO");
  assert.equal(error.syscall, "DM_DEV_SUSPEND");
  assert.equal(error.target, "second");
  assert.equal(error.step, 2);
  assert.equal(error.undoErrors?.length, 1);
  assert.match(error.undoErrors[0] ?? "", /DM_TABLE_CLEAR on absent failed: ENXIO/);
  assert.deepEqual(left, []);
  assert.deepEqual(outcome.log.slice(-3), ["10 absent", "4 second", "4 dev"]);
});

test("a change of tables that fails is taken back, with what was changed before it, and nothing stays suspended", () => {
  const { result } = run(
    `const { createDmDevice, reloadSteps, runDmSteps } = source("dm/operations");
     const other = [{ start: 0n, length: 8n, type: "linear", params: "8:33 4096" }];
     const spec = (name, table) => ({ name, table, udevFlags: 0 });
     for (const made of ["first", "second"]) await createDmDevice(spec(made, table));
     const seen = { failures: 0 };
     const attempt = (work) => work.catch(() => { seen.failures += 1; });
     await attempt(runDmSteps(["first", "second"].flatMap((made) => reloadSteps(spec(made, other), table))));
     for (const made of ["first", "second"]) {
       const { device: { suspended, inactiveTable } } = await native.dmCall({ op: "info", name: made });
       const { targets } = await native.dmCall({ op: "table", name: made });
       seen[made] = { suspended, inactiveTable, params: targets[0].params };
     }
     return seen;`,
    { FAKE_SPOIL_RESUME: "second" },
  );
  const asBefore = { suspended: false, inactiveTable: false, params: "8:17 2048" };
  assert.deepEqual(result, { failures: 1, first: asBefore, second: asBefore });
});

test("ignored failures give null, and their undo is not run", () => {
  const { result, log } = run(`
    return await native.dmSequence([
      { request: { op: "remove", name }, ignore: ["EBUSY", "ENXIO"], undo: [{ op: "clear", name }] },
      { request: { op: "create", name, uuid: "" } },
    ]);`);
  const [removed, created] = result as [null, DmReply];
  assert.equal(removed, null);
  assert.equal(created.device?.name, "dev");
  assert.deepEqual(log, ["4 dev", "3 dev"]);
});

test("an empty sequence does nothing", () => {
  assert.deepEqual(run("return native.dmSequence([]);").result, []);
});

function assertNoCookiesLeft(): void {
  const left = execFileSync("ipcs", ["-s"], { encoding: "utf8" });
  assert.doesNotMatch(left, COOKIES_OF_DEVICE_MAPPER);
}

test("cookies carry the flags, and the call ends when udev has answered", () => {
  const { log, failure } = run(
    `${create} await native.dmCall({ op: "resume", name }); await native.dmCall({ op: "remove", name });`,
    { FAKE_UDEV: "answers" },
  );
  assert.equal(failure, null);
  assert.deepEqual(log, [
    "3 dev",
    "9 dev",
    "6 dev",
    "cookie flags=004e",
    "udev completed",
    // The device runs already: no uevent, hence nothing to wait for.
    "6 dev",
    "4 dev",
    "cookie flags=0040",
    "udev completed",
  ]);
  assertNoCookiesLeft();
});

test("udev is waited for at the end of a sequence, not while a device may be suspended", () => {
  const { log, failure } = run(
    `${create}
     await native.dmSequence([
       { request: { op: "suspend", name } },
       { request: { op: "create", name: "other", uuid: "" } },
       { request: { op: "resume", name: "other" } },
       { request: { op: "message", name, message: "quiet" } },
       { request: { op: "resume", name } },
     ]);`,
    { FAKE_UDEV: "answers" },
  );
  assert.equal(failure, null);
  const ioctls = log.slice(5).filter((line) => /^\d/.test(line));
  assert.deepEqual(ioctls, ["6 dev", "3 other", "6 other", "14 dev", "6 dev"]);
  assert.ok(log.indexOf("udev completed", 5) > log.lastIndexOf("6 dev"), log.join("; "));
  assert.equal(log.filter((line) => line === "udev completed").length, 3);
  assertNoCookiesLeft();
});

test("a table is replaced without waiting for udev to look at the one before it", () => {
  const { log, failure } = run(
    `await native.dmSequence(["first", "second"].flatMap((made) => [
       { request: { op: "create", name: made, uuid: "" } },
       { request: { op: "load", name: made, targets: table } },
       { request: { op: "resume", name: made } },
     ]));`,
    { FAKE_UDEV: "answers" },
  );
  assert.equal(failure, null);
  const ioctls = log.filter((line) => /^\d/.test(line));
  assert.deepEqual(ioctls, ["3 first", "9 first", "6 first", "3 second", "9 second", "6 second"]);
  assert.ok(log.indexOf("udev completed") > log.lastIndexOf("6 second"), log.join("; "));
  assert.equal(log.filter((line) => line === "udev completed").length, 2);
  assertNoCookiesLeft();
});

test("a udev that doesn't answer ends the call with ETIMEDOUT, naming the device", () => {
  const single = run(
    `
      await native.dmCall({ op: "create", name, uuid: "" });
      await native.dmCall({ op: "resume", name });`,
    { FAKE_UDEV: "stuck" },
  );
  const failure = failureOf(single);
  assert.equal(failure.code, "ETIMEDOUT");
  assert.equal(failure.target, "dev");
  assert.match(failure.message, /udev did not finish/);
  assertNoCookiesLeft();

  const whole = run(
    `await native.dmSequence([
       { request: { op: "create", name, uuid: "" }, undo: [{ op: "remove", name }] },
       { request: { op: "resume", name } },
     ]);`,
    { FAKE_UDEV: "stuck" },
  );
  const undone = failureOf(whole);
  assert.equal(undone.code, "ETIMEDOUT");
  assert.equal(undone.step, 1);
  assert.match(undone.undoErrors?.[0] ?? "", /semtimedop on dev failed: ETIMEDOUT/);
  assert.equal(whole.log.filter((line) => line === "4 dev").length, 1);
  assertNoCookiesLeft();
});

test("a udev that doesn't answer can be no failure", () => {
  const { result, log } = run(
    `return native.dmSequence([
       { request: { op: "create", name, uuid: "" }, undo: [{ op: "remove", name }] },
       { request: { op: "resume", name }, ignore: ["ETIMEDOUT"] },
     ]);`,
    { FAKE_UDEV: "stuck" },
  );
  const [created, resumed] = result as [DmReply, null];
  assert.equal(created.device?.name, "dev");
  assert.equal(resumed, null);
  assert.ok(!log.includes("4 dev"), "nothing is undone");
  assertNoCookiesLeft();
});

test("an ioctl that fails leaves no cookie", () => {
  const { failure } = run(`${create} await native.dmCall({ op: "remove", name, attempts: 1 });`, {
    FAKE_UDEV: "answers",
    FAKE_BUSY: "1",
  });
  assert.equal(failure?.code, "EBUSY");
  assertNoCookiesLeft();
});
