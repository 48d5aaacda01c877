/** Replies that do not come: cli.md §8.4, §9. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBus } from "./support/bus";
import { FakeStratisd } from "./cli-support/fake";
import { useHarness } from "./cli-support/harness";
import { runStratis } from "./cli-support/run";
import { managedObjects, sampleObjects, VAULT, DATA } from "./cli-support/world";

const harness = useHarness();
const INITIATED = { code: 0, stdout: "", stderr: "Operation initiated\n" };
const NO_REPLY = { error: "org.freedesktop.DBus.Error.NoReply", message: "not in time" };

test("a call without a reply ends when the time is over", async () => {
  const world = { answers: { StopPool: "silence" as const } };
  const { code, stderr } = await harness().run(["pool", "stop", "--name=p"], world, {
    STRATIS_DBUS_TIMEOUT: "700",
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /sent the requested commands to stratisd, but stratisd did not return the results in the allowed time/,
  );
});

test("a daemon that does not tell its version gets no commands", async () => {
  const world = { answers: { version: "silence" as const } };
  const { code, stderr } = await harness().run(["pool", "stop", "--name=p"], world, {
    STRATIS_DBUS_TIMEOUT: "700",
  });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /did not send the requested commands to stratisd.*did not respond in the allowed time/,
  );
  assert.deepEqual(harness().fake.calls, []);
});

test("with a timeout of 0 no reply is waited for", async () => {
  const world = { answers: { version: "silence" as const } };
  const { code, stderr } = await harness().run(["pool"], world, { STRATIS_DBUS_TIMEOUT: "0" });
  assert.equal(code, 1);
  assert.match(stderr, /did not respond in the allowed time/);
});

test("a long operation is left to the daemon after its own time, whatever the variable says", async () => {
  const world = { answers: { EncryptPool: "silence" as const } };
  const words = ["pool", "encryption", "on", "--name=data", "--in-place", "--key-desc=k"];
  assert.deepEqual(await harness().run(words, world, { STRATIS_DBUS_TIMEOUT: "1073741823" }), INITIATED);
});

test("no reply to the operation itself means that it is under way", async () => {
  const answers = { DecryptPool: NO_REPLY, ReencryptPool: NO_REPLY };
  for (const command of ["off", "reencrypt"])
    assert.deepEqual(
      await harness().run(["pool", "encryption", command, "--name=vault", "--in-place"], { answers }),
      INITIATED,
    );
});

test("no reply to another call of the same command is a failure", async () => {
  await harness().fails(
    ["pool", "encryption", "reencrypt", "--name=vault", "--in-place"],
    "did not return the results in the allowed time",
    { answers: { GetManagedObjects: NO_REPLY } },
  );
});

test("a daemon that goes away during a long operation is a failure", async () => {
  const bus = await startBus();
  try {
    const fake = await FakeStratisd.start(bus.address);
    fake.reset((_, member) => {
      if (member === "GetManagedObjects") return managedObjects(sampleObjects());
      if (member === "ReencryptPool") fake.stop();
      return member === "ReencryptPool" ? "silence" : undefined;
    });
    const { code, stdout, stderr } = await runStratis(bus.address, [
      ..."pool encryption reencrypt --name vault --in-place".split(" "),
    ]);
    assert.deepEqual([fake.calls.at(-1)?.path, code, stdout], [VAULT, 1, ""]);
    assert.match(stderr, /did not return the results/);
  } finally {
    await bus.stop();
  }
});

test("a bus that goes away is a failure", async () => {
  const bus = await startBus();
  const fake = await FakeStratisd.start(bus.address);
  let stopped: Promise<void> | undefined;
  fake.reset((_, member) => {
    if (member === "GetManagedObjects") return managedObjects(sampleObjects());
    stopped ??= bus.stop();
    return "silence";
  });
  fake.respond = ((inner) => (call, member) => (member === "version" ? undefined : inner(call, member)))(
    fake.respond,
  );
  const { code, stderr } = await runStratis(bus.address, ["pool", "rename", "data", "x"]);
  assert.equal(fake.calls.at(-1)?.path, DATA);
  assert.equal(code, 1);
  assert.match(stderr, /disconnected/);
  await stopped;
});
