/** What dmCall and dmSequence refuse before they reach the kernel, and how they fail where it has no device-mapper. */
import * as assert from "node:assert/strict";
import { test } from "node:test";
import { isNativeError, native, type DmRequest, type DmStep } from "../../src/native";
import { kernelHasDeviceMapper } from "./support";

const name = "stratis-1-test";
const target = { start: 0n, length: 8n, type: "linear", params: "8:17 2048" };

const good: DmRequest[] = [
  { op: "version" },
  { op: "list" },
  { op: "arm" },
  { op: "create", name, uuid: "" },
  { op: "remove", name, deferred: false, attempts: 1 },
  { op: "rename", name, newName: "other" },
  { op: "setUuid", name, uuid: "uuid" },
  { op: "suspend", name, noFlush: true, skipLockFs: true },
  { op: "resume", name, udevFlags: 0xe },
  { op: "load", name, targets: [target], readOnly: false, secureData: true },
  { op: "clear", name },
  { op: "info", name },
  { op: "table", name, inactive: true, secureData: true },
  { op: "status", name, noFlush: true },
  { op: "deps", name, inactive: false },
  { op: "message", name, sector: 0n, message: "delete 1" },
];

/** Members with values that must be refused, by operation. */
const bad: Record<string, Record<string, unknown[]>> = {
  create: { uuid: [undefined, null, 5, "x".repeat(129), "\u00e9", "a\0b"] },
  remove: { deferred: [1, null, "no"], attempts: [0, -1, 1.5, 1001, "5", null] },
  rename: { newName: [undefined, "", "a/b", "control", ".", "..", "x".repeat(128), 5] },
  setUuid: { uuid: [undefined, "", "x".repeat(129), 7] },
  suspend: { noFlush: [0, null], skipLockFs: ["", null] },
  resume: { udevFlags: [-1, 0x10000, 0.5, "1", null, NaN] },
  load: {
    targets: [undefined, [], {}, [null], [{}], "x", ...badTargets()],
    readOnly: [1],
    secureData: [null],
  },
  table: { inactive: [1], secureData: [1] },
  status: { noFlush: [1] },
  deps: { inactive: [1] },
  message: { message: [undefined, "", 5, "a\0b"], sector: [-1n, 2n ** 64n, 5, null] },
};

function badTargets(): unknown[][] {
  const changes: [string, unknown[]][] = [
    ["start", [undefined, 0, -1n, 2n ** 64n]],
    ["length", [undefined, 8, -8n, 2n ** 70n]],
    ["type", [undefined, "", "x".repeat(16), "lin\u00e9ar", 5]],
    ["params", [undefined, 5, "8:1\0"]],
  ];
  return changes.flatMap(([member, values]) =>
    values.map((value) => [target, { ...target, [member]: value }]),
  );
}

const refuses = (call: string, member: string) => (error: unknown) => {
  assert.ok(isNativeError(error), String(error));
  assert.equal(error.code, "EINVAL", error.message);
  assert.equal(error.errno, 22);
  assert.equal(error.syscall, call);
  assert.ok(error.target.startsWith(member), `${error.target} should name ${member}`);
  assert.match(error.message, /^\w+ on .* failed: EINVAL \(.*\): /);
  return true;
};

/** For values that the type checker would refuse as well. */
const call = (request: unknown): Promise<unknown> => native().dmCall(request as DmRequest);
const sequence = (steps: unknown): Promise<unknown> => native().dmSequence(steps as DmStep[]);

test("every operation refuses members that don't fit", async () => {
  for (const request of good) {
    const members = { ...bad[request.op] };
    if ("name" in request)
      members["name"] = [
        undefined,
        null,
        5,
        "",
        "a/b",
        ".",
        "..",
        "control",
        "x".repeat(128),
        "\u00fc",
        "a\0b",
      ];
    for (const [member, values] of Object.entries(members))
      for (const value of values)
        await assert.rejects(call({ ...request, [member]: value }), refuses("dmCall", `request.${member}`));
  }
});

test("requests that are no requests are refused", async () => {
  for (const request of [undefined, null, 5, "list", [], () => 5])
    await assert.rejects(call(request), refuses("dmCall", "request"));
  for (const op of [undefined, null, 5, "", "delete", "__proto__", "LIST"])
    await assert.rejects(call({ op, name }), refuses("dmCall", "request.op"));
});

test("sequences that are no sequences are refused, with the place", async () => {
  for (const steps of [undefined, null, {}, "steps"])
    await assert.rejects(sequence(steps), refuses("dmSequence", "steps"));
  const step = { request: { op: "info", name } };
  await assert.rejects(sequence([step, {}]), refuses("dmSequence", "steps[1].request"));
  await assert.rejects(sequence([{ ...step, undo: {} }]), refuses("dmSequence", "steps[0].undo"));
  await assert.rejects(
    sequence([{ ...step, undo: [{ op: "remove", name: "" }] }]),
    refuses("dmSequence", "steps[0].undo[0].name"),
  );
  for (const ignore of ["ENXIO", ["enxio"], ["ENOTHING"], [6]])
    await assert.rejects(sequence([{ ...step, ignore }]), refuses("dmSequence", "steps[0].ignore"));
});

test("a getter that throws is the caller's own error", async () => {
  const request = {
    get op(): string {
      throw new RangeError("from the getter");
    },
  };
  await assert.rejects(call(request), RangeError);
});

const hasDeviceMapper = kernelHasDeviceMapper();

test("the control node decides whether calls work", async () => {
  if (hasDeviceMapper) {
    const { version } = await native().dmCall({ op: "version" });
    assert.equal(version[0], 4);
    assert.ok(native().dmControlFd() >= 0);
    return;
  }
  const isAbsent = (error: unknown): boolean => {
    assert.ok(isNativeError(error), String(error));
    assert.ok(["ENOENT", "ENODEV", "ENXIO"].includes(error.code), error.message);
    assert.equal(error.syscall, "open");
    assert.equal(error.target, "/dev/mapper/control");
    assert.match(error.message, /dm_mod/);
    return true;
  };
  for (const request of good) await assert.rejects(native().dmCall(request), isAbsent);
  assert.throws(() => native().dmControlFd(), isAbsent);
  const request: DmRequest = { op: "version" };
  await assert.rejects(native().dmSequence([{ request }, { request }]), (error: unknown) => {
    assert.ok(isAbsent(error) && isNativeError(error));
    assert.equal(error.step, 0);
    assert.deepEqual(error.undoErrors, []);
    return true;
  });
});
