/**
 * The bus policy that is installed, on a real message bus: root may do everything, everybody else read and nothing
 * more (system.md §13). The daemon checks nothing itself, so this file is all the protection there is.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { BASE_PATH, BUS_NAME, INTROSPECTABLE, OBJECT_MANAGER, PEER, PROPERTIES } from "../../src/dbus/names";
import { callAs, type Outcome, type UserCall } from "./support/as-user";
import { startBus, type PrivateBus } from "./support/bus";
import { DECLARED } from "./support/declared";
import { nameOf, startSimulated, type Simulated } from "./support/simulated";
import { Client, RemoteError } from "./support/client";
import { poolRequest } from "../unit/engine/sim/support";

const POLICY_FILE = join(process.cwd(), "dbus-policy/stratisd.conf");
const NOBODY = 65534;
const DENIED = "org.freedesktop.DBus.Error.AccessDenied";

/** What the system bus of a distribution allows by itself: replies, signals, the bus driver. */
const SYSTEM_BUS = `<policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
  </policy>
  <include>${POLICY_FILE}</include>`;

const skip = process.getuid?.() === 0 ? false : "acting as root and as another user takes root";

let bus: PrivateBus;
let world: Simulated;
before(async () => {
  if (skip !== false) return;
  bus = await startBus(SYSTEM_BUS);
  world = await startSimulated(bus);
});
after(async () => {
  if (skip !== false) return;
  await world.end();
  await bus.stop();
});

const call = (name: string, member: string, path = BASE_PATH): UserCall => ({
  member,
  options: { path, interface: name },
});

/** Every method of every interface. The arguments are wrong: who gets so far as to be told that may call it. */
const EVERYTHING: UserCall[] = [
  ...Object.entries(DECLARED).flatMap(([name, { methods }]) =>
    methods.map((method) => call(name, method.name)),
  ),
  call(OBJECT_MANAGER, "GetManagedObjects"),
  call(INTROSPECTABLE, "Introspect"),
  ...["Get", "GetAll", "Set"].map((member) => call(PROPERTIES, member)),
  ...["Ping", "GetMachineId"].map((member) => call(PEER, member)),
];

const READING = new Set<string>([
  `${OBJECT_MANAGER}.GetManagedObjects`,
  `${INTROSPECTABLE}.Introspect`,
  `${PROPERTIES}.Get`,
  `${PROPERTIES}.GetAll`,
  ...Array.from({ length: 10 }, (_, revision) => [
    `${nameOf("Report", revision)}.GetReport`,
    `${nameOf("Manager", revision)}.EngineStateReport`,
    `${nameOf("Manager", revision)}.ListKeys`,
  ]).flat(),
]);
const described = ({ member, options }: UserCall): string => `${options.interface ?? ""}.${member}`;

test("another user may call what reads, and nothing else", { skip }, async () => {
  const outcomes = await callAs(NOBODY, bus.address, EVERYTHING);
  assert.equal(EVERYTHING.length, outcomes.length);
  const allowed = EVERYTHING.filter((_, index) => outcomes[index] !== DENIED).map(described);
  assert.deepEqual(allowed.sort(), [...READING].sort());
});

test("root may call everything", { skip }, async () => {
  const outcomes: Outcome[] = [];
  for (const { member, options } of EVERYTHING)
    outcomes.push(
      await world.client.call(member, options).then(
        () => null,
        (error: unknown) => (error instanceof RemoteError ? error.errorName : "no reply"),
      ),
    );
  // Wrong arguments, and no pool at the path of the manager: all of it is told by the daemon, not by the bus.
  assert.deepEqual(
    new Set(outcomes),
    new Set([null, "org.freedesktop.zbus.Error", "org.freedesktop.DBus.Error.UnknownInterface"]),
  );
});

const get = (name: string, property: string): UserCall => ({
  member: "Get",
  options: { path: BASE_PATH, interface: PROPERTIES, signature: "ss", body: [name, property] },
});
const withArguments = (
  kind: "Manager" | "Report",
  member: string,
  signature: string,
  ...body: unknown[]
) => ({
  member,
  options: { path: BASE_PATH, interface: nameOf(kind, 9), signature, body },
});

test(
  "another user reads pools and reports, changes nothing, and cannot take the name",
  { skip },
  async () => {
    assert.equal((await world.engine.createPool(poolRequest("p"))).action, "created");
    const path = `${BASE_PATH}/0`;
    const outcomes = await callAs(NOBODY, bus.address, [
      get(nameOf("Manager", 9), "Version"),
      get(nameOf("Manager", 2), "StoppedPools"),
      withArguments("Manager", "EngineStateReport", ""),
      withArguments("Report", "GetReport", "s", "stopped_pools"),
      withArguments("Manager", "StopPool", "ss", "p", "name"),
      { member: "SetName", options: { path, interface: nameOf("pool", 0), signature: "s", body: ["q"] } },
      {
        member: "RequestName",
        options: {
          destination: "org.freedesktop.DBus",
          path: "/org/freedesktop/DBus",
          interface: "org.freedesktop.DBus",
          signature: "su",
          body: [BUS_NAME, 4],
        },
      },
    ]);
    assert.deepEqual(outcomes, [null, null, null, null, DENIED, DENIED, DENIED]);
    assert.deepEqual(
      world.engine.pools().map(({ name }) => name),
      ["p"],
    );
  },
);

test("root may own the name, and no second owner is let in", { skip }, async () => {
  const client = await Client.connect(bus.address);
  const [answer] = await client.callBus("RequestName", "su", [BUS_NAME, 4]);
  assert.equal(answer, 3, "EXISTS: the daemon has it");
  await client.close();
});
