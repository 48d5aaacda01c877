/** Who asked, as the bus and the kernel tell it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next/lib/variant";
import { DbusError } from "../../../../src/dbus/errors";
import { Callers, type AskBus } from "../../../../src/dbus/history/callers";

const credentials = (uid: number, pid: number): unknown[] => [
  { UnixUserID: new Variant("u", uid), ProcessID: new Variant("u", pid) },
];

test("a caller has user, process and command, and is asked about once", async () => {
  const asked: unknown[] = [];
  const ask: AskBus = (member, signature, body) => {
    asked.push([member, signature, body]);
    return Promise.resolve(credentials(1000, 42));
  };
  const callers = new Callers(ask, (pid) => `command ${pid}`);
  const expected = { uid: 1000, pid: 42, command: "command 42", left: false };
  assert.deepEqual(await Promise.all([callers.of(":1.7"), callers.of(":1.7")]), [expected, expected]);
  assert.deepEqual(asked, [["GetConnectionCredentials", "s", [":1.7"]]]);
});

test("the command is the kernel's", async () => {
  const callers = new Callers(() => Promise.resolve(credentials(0, process.pid)));
  const { command } = await callers.of(":1.1");
  assert.ok(command !== null && command !== "" && !command.includes("\n"), String(command));
  const gone = new Callers(() => Promise.resolve(credentials(0, 2 ** 31 - 1)));
  assert.deepEqual(await gone.of(":1.1"), { uid: 0, pid: 2 ** 31 - 1, command: null, left: false });
});

test("one that has left is told from one that the bus does not tell about", async () => {
  const failing = async (error: Error): Promise<unknown> =>
    new Callers(
      () => Promise.reject(error),
      () => "never",
    ).of(":1.2");
  const nobody = { uid: null, pid: null, command: null };
  const left = new DbusError("org.freedesktop.DBus.Error.NameHasNoOwner", "no such name");
  assert.deepEqual(await failing(left), { ...nobody, left: true });
  assert.deepEqual(await failing(new Error("the bus has gone")), { ...nobody, left: false });
  const silent = new Callers(
    () => Promise.resolve([{}]),
    () => "never",
  );
  assert.deepEqual(await silent.of(":1.3"), { ...nobody, left: false });
  assert.deepEqual(await silent.of(undefined), { ...nobody, left: false });
});

test("the latest ones are remembered, whoever comes", async () => {
  let asked = 0;
  const callers = new Callers(
    () => {
      asked += 1;
      return Promise.resolve(credentials(0, 1));
    },
    () => "init",
  );
  for (let number = 0; number < 1000; number++) await callers.of(`:1.${number}`);
  assert.equal(callers.remembered, 64);
  await callers.of(":1.999");
  assert.equal(asked, 1000);
  await callers.of(":1.1");
  assert.equal(asked, 1001);
});
