/** What becomes of a method call before anything is carried out. */
import assert from "node:assert/strict";
import { fstatSync } from "node:fs";
import { test } from "node:test";
import { setImmediate as nextRound } from "node:timers/promises";
import {
  decodeHead,
  encode,
  MESSAGE_TYPE,
  NO_REPLY_EXPECTED,
  type OutgoingMessage,
} from "../../../src/bus/codec";
import { closeDescriptor } from "../../../src/bus/descriptors";
import type { IncomingCall } from "../../../src/dbus/call";
import { examine } from "../../../src/dbus/dispatch";
import type { ErrorAnswer } from "../../../src/dbus/errors";
import { IncomingCalls, type CallOrigin } from "../../../src/dbus/incoming";
import {
  BASE_PATH,
  BUS_NAME,
  INTROSPECTABLE,
  OBJECT_MANAGER,
  PEER,
  PROPERTIES,
} from "../../../src/dbus/names";
import { native } from "../../../src/native";
import { collectingLogger, type LogLine } from "../../dbus/support/world";

const MANAGER_R9 = `${BUS_NAME}.Manager.r9`;

class Desk {
  readonly answered: { call: IncomingCall; origin: CallOrigin }[] = [];
  readonly refused: ErrorAnswer[] = [];
  readonly log: LogLine[] = [];
  readonly calls: IncomingCalls;
  queuedBytes = 0;
  drain: () => void = () => undefined;
  /** Whether calls end. */
  hold: Promise<void> = Promise.resolve();

  constructor() {
    const handler = {
      examine,
      answer: (call: IncomingCall, origin: CallOrigin) => {
        this.answered.push({ call, origin });
        return this.hold;
      },
    };
    const refuse = (_: CallOrigin, error: ErrorAnswer): void => {
      this.refused.push(error);
    };
    this.calls = new IncomingCalls(handler, refuse, this, collectingLogger(this.log));
  }

  drained(): Promise<void> {
    return new Promise((resolve) => (this.drain = resolve));
  }

  /** As it would come from the bus. */
  async receive(
    message: Partial<OutgoingMessage>,
    descriptors: readonly number[] = [],
    damage = 0,
  ): Promise<void> {
    const { data } = encode({
      ...{ type: MESSAGE_TYPE.methodCall, serial: 1, path: BASE_PATH, interface: PEER, member: "Ping" },
      ...{ signature: "", body: [] },
      ...message,
    });
    if (damage > 0) data.fill(0xff, data.length - damage);
    this.calls.received(decodeHead(data), data, descriptors);
    await nextRound();
    await nextRound();
  }

  get members(): string[] {
    return this.answered.map(({ call }) => call.member);
  }
}

/** A descriptor of our own, to be handed over. */
function descriptor(): number {
  const { readEnd, writeEnd } = native().pipeWith(Buffer.from("x"));
  closeDescriptor(writeEnd);
  return readEnd;
}

const isOpen = (fd: number): boolean => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};

test("a call is decoded and answered, and says whether it wants a reply", async () => {
  const desk = new Desk();
  const get = { interface: PROPERTIES, member: "Get", signature: "ss", body: [MANAGER_R9, "Version"] };
  await desk.receive(get);
  await desk.receive({ interface: MANAGER_R9, member: "ListKeys", flags: NO_REPLY_EXPECTED });
  assert.deepEqual(desk.members, ["Get", "ListKeys"]);
  assert.deepEqual(desk.answered[0]?.call.body, get.body);
  assert.deepEqual(
    desk.answered.map(({ origin }) => origin.expectsReply),
    [true, false],
  );
});

test("what only reads, and wants no reply, is not carried out", async () => {
  const desk = new Desk();
  for (const [name, member] of [
    [PEER, "Ping"],
    [INTROSPECTABLE, "Introspect"],
    [OBJECT_MANAGER, "GetManagedObjects"],
    [PROPERTIES, "Get"],
    [PROPERTIES, "GetAll"],
  ] as const)
    await desk.receive({ interface: name, member, flags: NO_REPLY_EXPECTED });
  assert.deepEqual(desk.members, []);
  await desk.receive({ interface: PROPERTIES, member: "Set", flags: NO_REPLY_EXPECTED });
  assert.deepEqual(desk.members, ["Set"]);
  assert.deepEqual(desk.refused, []);
});

test("descriptors are held by calls that take them, until these have ended, and closed at once otherwise", async () => {
  const desk = new Desk();
  let end: () => void = () => undefined;
  desk.hold = new Promise((resolve) => (end = resolve));
  const [unwanted, wanted] = [descriptor(), descriptor()];
  await desk.receive({ interface: PEER, member: "Ping" }, [unwanted]);
  assert.ok(!isOpen(unwanted));
  await desk.receive({ interface: MANAGER_R9, member: "SetKey" }, [wanted]);
  assert.deepEqual(desk.members, ["Ping", "SetKey"]);
  assert.ok(isOpen(wanted));
  end();
  await nextRound();
  assert.ok(!isOpen(wanted));
});

test("a call that is too long is refused undecoded, and logged once for its sender", async () => {
  const desk = new Desk();
  const long = { interface: MANAGER_R9, member: "SetKey", signature: "s", body: ["x".repeat(1024 * 1024)] };
  for (let count = 0; count < 3; count++) {
    const fd = descriptor();
    await desk.receive(long, [fd]);
    assert.ok(!isOpen(fd));
  }
  assert.deepEqual(desk.members, []);
  assert.equal(desk.refused.length, 3);
  assert.equal(desk.refused[0]?.errorName, "org.freedesktop.DBus.Error.LimitsExceeded");
  assert.match(desk.refused[0].message, /the call has 10\d{5} bytes, and 1048576 are allowed/);
  assert.equal(desk.log.length, 1);
});

test("arguments that are not what the header says are answered with an error", async () => {
  const desk = new Desk();
  await desk.receive({ member: "Ping", signature: "s", body: ["text"] }, [], 5);
  assert.deepEqual(desk.members, []);
  assert.match(desk.refused[0]?.message ?? "", /could not be understood/);
});

test("while answers wait to be sent no call is started, and none at all after the end", async () => {
  const desk = new Desk();
  desk.queuedBytes = 1_000_000;
  await desk.receive({ member: "Ping" });
  assert.deepEqual(desk.members, []);
  desk.queuedBytes = 0;
  desk.drain();
  await nextRound();
  await nextRound();
  assert.deepEqual(desk.members, ["Ping"]);

  desk.queuedBytes = 1_000_000;
  const fd = descriptor();
  await desk.receive({ interface: MANAGER_R9, member: "SetKey" }, [fd]);
  assert.ok(isOpen(fd));
  desk.calls.end();
  assert.ok(!isOpen(fd));
  desk.queuedBytes = 0;
  desk.drain();
  await nextRound();
  await nextRound();
  assert.deepEqual(desk.members, ["Ping"]);
});
