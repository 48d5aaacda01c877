/** Objects as bytes: always those of the values of the moment, though they are kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Variant } from "dbus-next/lib/variant";
import fc from "fast-check";
import { Reader } from "../../../src/bus/reader";
import { parseSingleType } from "../../../src/bus/signature";
import { marshalElements } from "../../../src/bus/writer";
import { Announcer } from "../../../src/dbus/announcer";
import type { ServiceContext } from "../../../src/dbus/context";
import { interfacesOf } from "../../../src/dbus/interfaces";
import { marshalInterface, marshalObject } from "../../../src/dbus/marshalled";
import { readProperty } from "../../../src/dbus/properties";
import { registerPool } from "../../../src/dbus/reconcile";
import { filesystemTable } from "../../../src/dbus/table/filesystem";
import { poolTable } from "../../../src/dbus/table/pool";
import { targetOf } from "../../../src/dbus/targets";
import { ObjectTree, type Entry, type PoolEntry } from "../../../src/dbus/tree";
import { bytes } from "../../../src/units";
import { MemoryEngine } from "../../dbus/support/engine";
import type { MemoryPool } from "../../dbus/support/pool";
import { collectingLogger, collectingSink, type LogLine } from "../../dbus/support/world";

const SIGNATURE = "a{sa{sv}}";

interface Bench {
  service: ServiceContext;
  engine: MemoryEngine;
  pool: MemoryPool;
  entry: PoolEntry;
  log: LogLine[];
}

function bench(): Bench {
  const engine = new MemoryEngine();
  const tree = new ObjectTree();
  const lines: LogLine[] = [];
  const log = collectingLogger(lines);
  const service = { engine, tree, announcer: new Announcer(engine, tree, log, collectingSink([])), log };
  const pool = engine.addPool("p", ["/dev/a"]);
  pool.addFilesystem("f");
  return { service, engine, pool, entry: registerPool(service, pool), log: lines };
}

const managed = ({ service }: Bench): readonly Entry[] => service.tree.managed();

/** What the bytes have to be, made of one property after the other. */
function expected({ service }: Bench, entry: Entry): Buffer {
  const target = targetOf(service, entry);
  const interfaces = interfacesOf(entry).map(({ name, properties }) => {
    const values = [...properties.values()].flatMap((property) => {
      try {
        return [[property.name, readProperty(service, target, property)]];
      } catch {
        return [];
      }
    });
    return [name, Object.fromEntries(values) as unknown];
  });
  return marshalElements(SIGNATURE, Object.fromEntries(interfaces)).bytes;
}

function assertCurrent(world: Bench): void {
  for (const entry of managed(world))
    assert.deepEqual(marshalObject(world.service, entry).together.bytes, expected(world, entry));
}

const name = fc.string({ unit: "binary", maxLength: 12 });
const size = fc.bigInt(0n, 2n ** 70n).map(bytes);
const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: null });

/** Changes that nobody announces. */
const change: fc.Arbitrary<(pool: MemoryPool) => void> = fc.oneof(
  name.map((text) => (pool: MemoryPool) => (pool.name = text)),
  size.map((allocated) => (pool: MemoryPool) => (pool.allocatedSize = allocated)),
  optional(size).map((used) => (pool: MemoryPool) => (pool.totalPhysicalUsed = used)),
  fc.boolean().map((flag) => (pool: MemoryPool) => (pool.noAllocSpace = flag)),
  fc
    .constantFrom<boolean | Error>(true, false, new Error("x"), new Error("y"))
    .map((loaded) => (pool: MemoryPool) => (pool.volumeKeyLoaded = loaded)),
  fc
    .constantFrom(new Date(0), new Date(1e12), new Date(NaN))
    .map((date) => (pool: MemoryPool) => (pool.lastReencrypted = date)),
  fc.array(name, { maxLength: 3 }).map((descriptions) => (pool: MemoryPool) => {
    const keys = descriptions.map((description, slot) => ({ slot, description }));
    pool.encryptionInfo = { keys, clevis: [], freeSlots: 15 - keys.length };
  }),
  fc.constant((pool: MemoryPool) => (pool.encryptionInfo = null)),
  name.map((text) => (pool: MemoryPool) => {
    for (const filesystem of pool.filesystems()) Object.assign(filesystem, { name: text, mountPath: text });
  }),
  optional(size).map((limit) => (pool: MemoryPool) => {
    for (const filesystem of pool.filesystems())
      Object.assign(filesystem, { sizeLimit: limit, mergeScheduled: limit !== null });
  }),
  optional(name).map((info) => (pool: MemoryPool) => {
    for (const device of pool.blockDevs()) Object.assign(device, { userInfo: info, newSize: null });
  }),
);

test("bytes are those of the values of the moment, whatever has changed and who was told", () => {
  const world = bench();
  fc.assert(
    fc.property(fc.array(change, { maxLength: 3 }), (changes) => {
      for (const apply of changes) apply(world.pool);
      assertCurrent(world);
      // Once more, of what is kept.
      assertCurrent(world);
    }),
    { numRuns: 300 },
  );
});

test("bytes are kept as long as nothing changes, and each object has its own", () => {
  const world = bench();
  const all = () => managed(world).map((entry) => marshalObject(world.service, entry));
  const first = all();
  all().forEach((elements, index) => {
    assert.equal(elements, first[index]);
  });
  world.pool.addFilesystem("g");
  registerPool(world.service, world.pool);
  assert.equal(marshalObject(world.service, world.entry), first[0]);
  assertCurrent(world);
});

test("a value that is changed in place is noticed", () => {
  const world = bench();
  const keys = [{ slot: 0, description: "one" }];
  const list: [number, string][] = [[0, "one"]];
  const row = poolTable.properties.find((candidate) => candidate.name === "KeyDescriptions");
  assert.ok(row);
  const { get } = row;
  try {
    Object.assign(row, { get: () => new Variant<unknown>("a(us)", list) });
    world.pool.encryptionInfo = { keys, clevis: [], freeSlots: 14 };
    assertCurrent(world);
    list[0] = [0, "two"];
    assertCurrent(world);
    list.push([1, "three"]);
    assertCurrent(world);
  } finally {
    Object.assign(row, { get });
  }
});

test("a getter runs once for all revisions", () => {
  const world = bench();
  let reads = 0;
  Object.defineProperty(world.pool, "fsLimit", {
    get: () => {
      reads++;
      return 7n;
    },
  });
  for (let round = 1; round <= 3; round++) {
    marshalObject(world.service, world.entry);
    assert.equal(reads, round);
  }
});

test("what is unobtainable, and what is no value of its type, is left out and named each time", () => {
  const world = bench();
  const [, filesystem] = managed(world);
  assert.ok(filesystem);
  const row = filesystemTable.properties.find((candidate) => candidate.name === "Size");
  assert.ok(row);
  const { get } = row;
  const whole = marshalObject(world.service, filesystem).together.bytes;
  try {
    for (const broken of [
      () => 5,
      () => {
        throw new Error("gone");
      },
    ]) {
      Object.assign(row, { get: broken });
      for (let round = 0; round < 2; round++) {
        world.log.length = 0;
        assertCurrent(world);
        assert.ok(marshalObject(world.service, filesystem).together.bytes.length < whole.length);
        assert.match(world.log.at(-1)?.message ?? "", /^Leaving out property Size of .*\/1: /);
      }
    }
  } finally {
    Object.assign(row, { get });
  }
  assert.deepEqual(marshalObject(world.service, filesystem).together.bytes, whole);
});

test("an object that the engine no longer has keeps its interfaces, without properties", () => {
  const world = bench();
  const [pool, filesystem] = managed(world);
  assert.ok(pool && filesystem);
  marshalObject(world.service, filesystem);
  world.engine.running.clear();
  const empty = Object.fromEntries(interfacesOf(filesystem).map(({ name: of }) => [of, {}]));
  assert.deepEqual(
    marshalObject(world.service, filesystem).together.bytes,
    marshalElements(SIGNATURE, empty).bytes,
  );
});

test("one interface is what it is in the whole object", () => {
  const world = bench();
  for (const entry of managed(world)) {
    const { bytes: whole } = marshalObject(world.service, entry).together;
    const length = Buffer.alloc(8);
    length.writeUInt32LE(whole.length);
    const reader = new Reader(Buffer.concat([length, whole]), false, 0);
    const interfaces = reader.read(parseSingleType(SIGNATURE)) as Record<string, unknown>;
    for (const derived of interfacesOf(entry))
      assert.deepEqual(
        marshalInterface(world.service, entry, derived).bytes,
        marshalElements("a{sv}", interfaces[derived.name]).bytes,
      );
  }
});
