/**
 * After every operation of a random sequence, a client that only followed signals knows what a fresh look shows: all
 * objects and properties, in every revision; with failures at random too, and with several operations at once.
 */
import assert from "node:assert/strict";
import { createHash, randomInt } from "node:crypto";
import { after, before, test, type TestContext } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { MessageType } from "dbus-next";
import { RandomErrors, type Conditions } from "../../src/engine/sim/conditions";
import { startBus, type PrivateBus } from "./support/bus";
import { plain } from "./support/client";
import { Follower } from "./support/follower";
import { callOf, groups, OPERATIONS, type Draw, type Paths } from "./support/operations";
import { DECLARED } from "./support/declared";
import { KEYS, startSimulated, type Simulated } from "./support/simulated";
import { simpleUuid, type AnyUuid } from "../../src/uuid";
import { secretOf } from "../support/secrets";

const SEQUENCES = 6;
const GROUPS = 40;

let bus: PrivateBus;
before(async () => {
  bus = await startBus();
});
after(() => bus.stop());

/** Set to repeat a run that failed; the seed of every run is reported. */
const seedOf = (): number => Number(process.env["STRATIS_TEST_SEED"] ?? randomInt(2 ** 31));

/** Objects by uuid, from what a client that looks now is told. */
async function look({ client, engine }: Simulated): Promise<Paths> {
  const [objects] = await client.call("GetManagedObjects", {
    interface: "org.freedesktop.DBus.ObjectManager",
  });
  const byUuid = new Map<string, string>();
  for (const [path, interfaces] of Object.entries(
    plain(objects) as Record<string, Record<string, { Uuid: string }>>,
  ))
    for (const values of Object.values(interfaces)) byUuid.set(values.Uuid, path);
  const of = (uuid: string): string =>
    byUuid.get(simpleUuid(uuid as AnyUuid)) ?? "/org/storage/stratis3/none";
  return { of, pools: engine.pools().map((pool) => ({ pool, path: of(pool.uuid) })) };
}

const REFUSALS = ["org.freedesktop.zbus.Error", "org.freedesktop.DBus.Error.UnknownObject"];

/** Calls a group at once; the return codes count what failed. */
async function callGroup(world: Simulated, group: readonly Draw[], untold: Set<string>): Promise<void> {
  const paths = await look(world);
  await Promise.all(
    group.map(async (draw) => {
      const call = callOf(draw, world.engine, paths);
      if (call === null) return;
      const { path = "" } = call.options;
      if (call.member === "SetUserInfo") untold.add(path);
      const reply =
        call.options.signature?.includes("h") === true
          ? await world.client.callWithIndices(call.member, {
              ...call.options,
              signature: call.options.signature,
            })
          : await world.client.callForReply(call.member, call.options);
      if (reply.type === MessageType.ERROR) {
        assert.ok(REFUSALS.includes(reply.errorName ?? ""), `${call.member}: ${String(reply.body[0])}`);
        return;
      }
      if (call.member === "Set") return;
      const [code, text] = reply.body.slice(-2);
      assert.ok(
        code === 0 ? text === "Ok" : code === 1 && text !== "",
        `${call.member}: ${String(code)} ${String(text)}`,
      );
    }),
  );
}

async function setKeys({ engine }: Simulated): Promise<void> {
  for (const key of KEYS)
    while (!(await engine.listKeys().catch((): string[] => [])).includes(key))
      await engine.setKey(key, secretOf(key)).catch(() => undefined);
}

/** Operations that fail at random, and take a while of random length before they do anything. */
class Unsteady implements Conditions {
  readonly #errors: RandomErrors;
  #operations = 0;

  constructor(readonly seed: number) {
    this.#errors = new RandomErrors({ probability: 0.1, seed: BigInt(seed) });
  }

  async begin(operation: string): Promise<void> {
    const digest = createHash("sha256").update(`${this.seed} ${this.#operations++}`).digest();
    for (let turns = digest.readUInt8() % 6; turns > 0; turns--) await turn();
    await this.#errors.begin(operation);
  }
}

async function follow(
  t: TestContext,
  conditions: (seed: number) => Conditions | undefined,
  together = 1,
): Promise<void> {
  const seed = seedOf();
  t.diagnostic(`seed ${seed}; to repeat: STRATIS_TEST_SEED=${seed}`);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(groups(GROUPS, together), async (sequence) => {
      const world = await startSimulated(bus, conditions(seed + run++));
      try {
        await setKeys(world);
        const follower = await Follower.start(world.client);
        const untold = new Set<string>();
        for (const group of sequence) {
          await callGroup(world, group, untold);
          await follower.check(untold);
        }
        assert.deepEqual(
          world.log.filter(({ level }) => level === "error"),
          [],
        );
      } finally {
        await world.end();
      }
    }),
    // What fails once is shown as it is: a shorter sequence takes long to find, and the seed is there.
    { seed, numRuns: SEQUENCES, endOnFailure: true, includeErrorInReport: true },
  );
}

test("signals tell everything", (t) => follow(t, () => undefined));

test("signals tell everything, also when operations fail at random", (t) =>
  follow(t, (seed) => new RandomErrors({ probability: 0.3, seed: BigInt(seed) })));

test("signals tell everything, also when operations take a while and overtake each other", (t) =>
  follow(t, (seed) => new Unsteady(seed), 4));

test("every method that changes something, and every property that can be set, may be drawn", () => {
  const drawn = new Set(OPERATIONS.map(([name]) => name));
  const aside = new Set(["SetKey", "UnsetKey", "GetReport", "Metadata", "FilesystemMetadata"]);
  for (const [name, { methods, properties }] of Object.entries(DECLARED)) {
    for (const method of methods)
      assert.ok(drawn.has(method.name) || aside.has(method.name), `${name}.${method.name}`);
    for (const property of properties)
      if (property.access === "readwrite")
        assert.ok(drawn.has(`Set ${property.name}`), `${name}.${property.name}`);
  }
});
