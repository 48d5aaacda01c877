/** The dispatcher without a bus: what needs descriptors, and trees of a size that no bus should carry in a test. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Announcer } from "../../../src/dbus/announcer";
import type { IncomingCall } from "../../../src/dbus/call";
import type { ServiceContext, Signal } from "../../../src/dbus/context";
import type { MessageDescriptors } from "../../../src/dbus/descriptors";
import { asDbusError, dispatch } from "../../../src/dbus/dispatch";
import { DbusError } from "../../../src/dbus/errors";
import { introspect } from "../../../src/dbus/introspect";
import { BASE_PATH, BUS_NAME } from "../../../src/dbus/names";
import { registerPool } from "../../../src/dbus/reconcile";
import { ObjectTree } from "../../../src/dbus/tree";
import { MemoryEngine } from "../../dbus/support/engine";
import { parseIntrospection } from "../../dbus/support/xml";
import { collectingLogger, collectingSink, type LogLine } from "../../dbus/support/world";
import type { Secret } from "../../../src/native";
import { secretOf, secretText } from "../../support/secrets";

interface Bench {
  engine: MemoryEngine;
  service: ServiceContext;
  signals: Signal[];
  log: LogLine[];
}

function bench(): Bench {
  const engine = new MemoryEngine();
  const tree = new ObjectTree();
  const signals: Bench["signals"] = [];
  const lines: LogLine[] = [];
  const log = collectingLogger(lines);
  const announcer = new Announcer(engine, tree, log, collectingSink(signals));
  return { engine, service: { engine, tree, announcer, log }, signals, log: lines };
}

/** Descriptors that deliver these keys, by index. */
const delivering = (...keys: string[]): MessageDescriptors => ({
  readKey: (index) => {
    const key = keys[index];
    return key === undefined
      ? Promise.reject(new Error("no such descriptor"))
      : Promise.resolve(secretOf(key));
  },
});

const call = (
  member: string,
  signature: string,
  body: unknown[],
  descriptors: MessageDescriptors,
): IncomingCall => ({
  path: BASE_PATH,
  interface: `${BUS_NAME}.Manager.r9`,
  member,
  signature,
  body,
  descriptors,
});

test("SetKey reads the key from its descriptor and tells new, changed and same apart", async () => {
  const { engine, service } = bench();
  const setKey = async (index: number) =>
    (await dispatch(service, call("SetKey", "sh", ["k", index], delivering("one", "two")))).body;
  assert.deepEqual(await setKey(0), [[true, false], 0, "Ok"]);
  assert.deepEqual(await setKey(0), [[false, false], 0, "Ok"]);
  assert.deepEqual(await setKey(1), [[true, true], 0, "Ok"]);
  assert.deepEqual(await setKey(2), [[false, false], 1, "no such descriptor"]);
  const key = engine.keys.get("k");
  assert.equal(key === undefined ? undefined : secretText(key), "two");
});

test("what is read from a descriptor is wiped when the call is done, or has failed", async () => {
  const read: Secret[] = [];
  const descriptors: MessageDescriptors = {
    readKey: () => {
      const secret = secretOf("secret");
      read.push(secret);
      return Promise.resolve(secret);
    },
  };
  const { engine, service } = bench();
  const start = call(
    "StartPool",
    "ss(b(bu))(bh)b",
    ["p", "name", [false, [false, 0]], [true, 0], false],
    descriptors,
  );
  await dispatch(service, call("SetKey", "sh", ["k", 0], descriptors));
  engine.setKey = () => Promise.reject(new Error("no keyring"));
  await dispatch(service, call("SetKey", "sh", ["k", 0], descriptors));
  await dispatch(service, start);
  engine.startPool = () => Promise.resolve({ action: "identity" });
  await dispatch(service, start);
  assert.equal(read.length, 4);
  for (const secret of read) assert.throws(() => secret.share(), /it was wiped/);
});

test("StartPool reads a passphrase only when there is one", async () => {
  const { engine, service } = bench();
  const seen: unknown[] = [];
  engine.startPool = (request) => {
    seen.push(request.passphrase === null ? null : secretText(request.passphrase), request.unlock);
    return Promise.resolve({ action: "identity" });
  };
  const start = async (unlock: unknown, fd: unknown) =>
    (
      await dispatch(
        service,
        call("StartPool", "ss(b(bu))(bh)b", ["p", "name", unlock, fd, false], delivering("secret")),
      )
    ).body[1];
  assert.equal(await start([true, [true, 3]], [true, 0]), 0);
  assert.equal(await start([true, [false, 3]], [false, 99]), 0);
  assert.equal(await start([false, [true, 3]], [true, 99]), 1);
  assert.deepEqual(seen, ["secret", 3, null, "any"]);
});

test("CreatePool passes on the reservation that was asked for, and nothing that was not", async () => {
  const { engine, service } = bench();
  const seen: unknown[] = [];
  const create = engine.createPool.bind(engine);
  engine.createPool = (request) => {
    seen.push(request.integrity);
    return create(request);
  };
  const signature = "sasa((bu)s)a((bu)ss)(bt)(bs)(bb)";
  for (const integrity of [
    [
      [true, 0n],
      [true, "0b"],
      [true, false],
    ],
    [
      [false, 7n],
      [false, "x"],
      [false, false],
    ],
  ])
    await dispatch(
      service,
      call("CreatePool", signature, [`p${seen.length}`, ["/dev/a"], [], [], ...integrity], delivering()),
    );
  assert.deepEqual(seen, [{ journalSize: 0n, tagSpec: "0b", allocateSuperblock: false }, {}]);
});

test("a V1 pool's locked state is announced when it stops", async () => {
  const { engine, service, signals } = bench();
  const pool = engine.addPool("old", ["/dev/a"]);
  pool.metadataVersion = 1;
  pool.encryptionInfo = {
    keyDescription: { consistent: true, value: "k" },
    clevis: { consistent: true, value: null },
  };
  registerPool(service, pool);
  signals.length = 0;
  await dispatch(service, call("StopPool", "ss", ["old", "name"], delivering()));
  const changed = signals.filter(({ member }) => member === "PropertiesChanged").map(({ body }) => body);
  assert.deepEqual(
    changed.map(([name]) => name),
    [2, 3, 4, 5, 6, 7, 8, 9, 0, 1].map((revision) => `${BUS_NAME}.Manager.r${revision}`),
  );
});

test("what is no D-Bus error is a defect: logged with its stack, answered without", () => {
  const { service, log } = bench();
  const error = asDbusError(service, new TypeError("undefined is not a function"), "x");
  assert.equal(error.errorName, "org.freedesktop.DBus.Error.Failed");
  assert.equal(error.message, "Internal error: undefined is not a function");
  assert.match(log[0]?.message ?? "", /\n\s+at /);
  const known = new DbusError("a.b", "c");
  assert.equal(asDbusError(service, known, "x"), known);
});

test("introspection of very many objects names them instead of nesting them", () => {
  const { engine, service } = bench();
  const pool = engine.addPool("p", ["/dev/a"]);
  registerPool(service, pool);
  const nested = introspect(service.tree, BASE_PATH);
  const one = Object.keys(parseIntrospection(nested).nodes[1]?.interfaces ?? {}).length;
  assert.equal(one, 13);
  for (let count = 0; count < 3000; count++) pool.addFilesystem(`f${count}`);
  registerPool(service, pool);
  const named = introspect(service.tree, BASE_PATH);
  assert.ok(named.length < 16 * 1024 * 1024);
  const root = parseIntrospection(named);
  assert.equal(root.nodes.length, 3002);
  assert.ok(root.nodes.every(({ interfaces }) => Object.keys(interfaces).length === 0));
});

test("while the state is refreshed, what changes a pool waits for the new one, and what reads does not", async () => {
  const { engine, service } = bench();
  const before = engine.addPool("p", ["/dev/a"]);
  const { path } = registerPool(service, before);
  const gate = engine.script.gate("refreshState");
  const manage = call("RefreshState", "", [], delivering());
  const refreshed = dispatch(service, { ...manage, interface: `${BUS_NAME}.Manager.r2` });
  await gate.entered;
  const onPool = { ...call("SetName", "s", ["q"], delivering()), path, interface: `${BUS_NAME}.pool.r9` };
  const renamed = dispatch(service, onPool);
  const reading = { interface: "org.freedesktop.DBus.Properties", signature: "ss" };
  const read = (property: string): Promise<{ body: unknown[] }> =>
    dispatch(service, { ...onPool, ...reading, member: "Get", body: [`${BUS_NAME}.pool.r9`, property] });
  assert.equal((await read("Name")).body.length, 1);

  engine.running.delete(before.uuid);
  const late = read("Name");
  const after = engine.addPool("p", ["/dev/a"]);
  engine.running.delete(after.uuid);
  Object.defineProperty(after, "uuid", { value: before.uuid });
  engine.running.set(before.uuid, after);
  gate.release();
  assert.deepEqual((await refreshed).body, [0, "Ok"]);
  assert.deepEqual((await renamed).body.slice(1), [0, "Ok"]);
  assert.equal((await late).body.length, 1);
  assert.deepEqual([before.name, after.name], ["p", "q"]);
  assert.equal(service.refreshing, undefined);
});
