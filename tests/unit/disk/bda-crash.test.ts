/** A crash at any moment of a write leaves the old state or the new one: every prefix of the writes is replayed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  initializeDevice,
  readMetadata,
  readStaticHeader,
  saveMetadata,
  writeStaticHeader,
} from "../../../src/disk/bda";
import type { Timestamp } from "../../../src/disk/mda";
import type { StaticHeader } from "../../../src/disk/static-header";
import { sectors } from "../../../src/units";
import { crashStates, MemoryBlockFile } from "../support/block-file";
import { DEVICE_BYTES, HEADER, RECORD_V1, RECORD_V2, valueOrFormatError } from "./vectors";
import { damagedBytes } from "./damage";

const at = (seconds: number): Timestamp => ({ seconds: BigInt(seconds), nanoseconds: 7 });

/** Every length up to the first sectors' worth, then a few. */
const cuts = (length: number): number[] =>
  Array.from({ length }, (_, index) => index).filter(
    (index) => index < 80 || index % 97 === 0 || index > length - 3,
  );

const FIRST = Buffer.from(RECORD_V1);
const SECOND = Buffer.from(RECORD_V2);

for (const saves of [0, 1, 2, 3])
  test(`saving a record after ${saves} earlier saves`, async () => {
    const before = new MemoryBlockFile(DEVICE_BYTES);
    await initializeDevice(before, HEADER);
    for (let save = 1; save <= saves; save += 1)
      await saveMetadata(before, HEADER, at(save), Buffer.from(`${FIRST.toString()}${" ".repeat(save)}`));
    const old = (await readMetadata(before, HEADER)).newest?.json.toString() ?? null;

    const after = before.clone();
    await saveMetadata(after, HEADER, at(saves + 1), SECOND);
    let seenNew = false;
    for (const { state, what } of crashStates(before, after.operations, cuts)) {
      const found = (await readMetadata(state, HEADER)).newest?.json.toString() ?? null;
      assert.ok(found === old || found === SECOND.toString(), what);
      // Once the new record has been seen, a later moment must not lose it again.
      assert.ok(!seenNew || found === SECOND.toString(), what);
      seenNew ||= found === SECOND.toString();

      // Whatever was left, saving goes on from it.
      const next = state.clone();
      await saveMetadata(next, HEADER, at(saves + 2), Buffer.from("next"));
      assert.equal((await readMetadata(next, HEADER)).newest?.json.toString(), "next", what);
    }
    assert.ok(seenNew);
  });

test("a save that was cut short, then another one cut short: the last complete record is always there", async () => {
  const base = new MemoryBlockFile(DEVICE_BYTES);
  await initializeDevice(base, HEADER);
  await saveMetadata(base, HEADER, at(1), FIRST);
  const fewCuts = (length: number): number[] => [1, 20, 32, 40, length - 1];
  const once = base.clone();
  await saveMetadata(once, HEADER, at(2), SECOND);
  for (const { state, what } of crashStates(base, once.operations, fewCuts)) {
    const old = (await readMetadata(state, HEADER)).newest?.json.toString();
    const twice = state.clone();
    await saveMetadata(twice, HEADER, at(3), Buffer.from("third"));
    for (const { state: end, what: then } of crashStates(state, twice.operations, fewCuts)) {
      const found = (await readMetadata(end, HEADER)).newest?.json.toString();
      assert.ok(found === old || found === "third", `${what}, then ${then}`);
    }
  }
});

async function headerAfter(state: MemoryBlockFile): Promise<StaticHeader | null> {
  return (await readStaticHeader(state))?.header ?? null;
}

test("initializing an empty device: it is nobody's, or a member that can be loaded", async () => {
  const before = new MemoryBlockFile(DEVICE_BYTES);
  before.poke(8192n, Buffer.alloc(1 << 20, 0x5a));
  const after = before.clone();
  await initializeDevice(after, HEADER);
  const found = new Set<string>();
  for (const { state, what } of crashStates(before, after.operations, cuts)) {
    let header: StaticHeader | null;
    try {
      header = await headerAfter(state);
    } catch (error) {
      // A torn sector that holds the magic, with nothing valid anywhere: upstream's table makes that an error.
      assert.match(String(error), /copy 1 is damaged/, what);
      found.add("damaged");
      continue;
    }
    if (header === null) found.add("none");
    else {
      assert.deepEqual(header, HEADER, what);
      assert.deepEqual((await readMetadata(state, header)).newest, null, what);
      found.add("member");
    }
  }
  assert.deepEqual([...found].sort(), ["damaged", "member", "none"]);
});

const CHANGES: [string, Partial<StaticHeader>][] = [
  ["growing the device", { deviceSize: sectors(HEADER.deviceSize + 8192n) }],
  ["marking it as being destroyed", { flags: 2n }],
  [
    "giving it to another pool later",
    {
      poolUuid: "11111111-2222-4333-8444-555555555555" as StaticHeader["poolUuid"],
      initializationTime: HEADER.initializationTime + 9n,
    },
  ],
];
for (const [what, change] of CHANGES)
  test(`rewriting the static header, ${what}: the old header or the new one, and never an error`, async () => {
    const before = new MemoryBlockFile(DEVICE_BYTES + 8192n * 512n);
    await initializeDevice(before, HEADER);
    const changed = { ...HEADER, ...change };
    const after = before.clone();
    await writeStaticHeader(after, changed);
    for (const { state, what: moment } of crashStates(before, after.operations, cuts)) {
      const found = await readStaticHeader(state);
      assert.ok(found !== null, moment);
      const isNew =
        found.header.deviceSize === changed.deviceSize &&
        found.header.flags === changed.flags &&
        found.header.poolUuid === changed.poolUuid;
      assert.deepEqual(found.header, isNew ? changed : HEADER, moment);
    }
    assert.deepEqual(await readStaticHeader(after), { header: changed, repair: null });
  });

test("removing a mark: the device has it or not, and the first write decides", async () => {
  const before = new MemoryBlockFile(DEVICE_BYTES);
  await initializeDevice(before, { ...HEADER, flags: 1n });
  const after = before.clone();
  await writeStaticHeader(after, HEADER);
  for (const { state, what } of crashStates(before, after.operations, cuts)) {
    const found = await headerAfter(state);
    assert.ok(found?.flags === 0n || found?.flags === 1n, what);
  }
});

test("any content of the first MiB gives a result or a DiskFormatError", async () => {
  const sound = new MemoryBlockFile(DEVICE_BYTES);
  await initializeDevice(sound, HEADER);
  await saveMetadata(sound, HEADER, at(1), FIRST);
  await saveMetadata(sound, HEADER, at(2), SECOND);
  const parts: [bigint, number][] = [
    [0n, 8192],
    [8192n, 1024],
    [268_288n, 1024],
    [528_384n, 1024],
    [788_480n, 1024],
  ];
  const damage = fc
    .constantFrom(...parts)
    .chain(([offset, length]) =>
      damagedBytes([sound.peek(offset, length)], { keepLength: true }).map((bytes) => ({ offset, bytes })),
    );
  await fc.assert(
    fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 8 }), async (damages) => {
      const file = sound.clone();
      for (const { offset, bytes } of damages) file.poke(offset, bytes);
      let outcome: unknown = null;
      try {
        const found = await readStaticHeader(file);
        const { newest } = await readMetadata(file, found?.header ?? HEADER);
        assert.ok(newest === null || newest.json.equals(FIRST) || newest.json.equals(SECOND));
      } catch (error) {
        outcome = error;
      }
      valueOrFormatError(() => {
        if (outcome !== null) throw outcome as Error;
      });
    }),
    { numRuns: 300 },
  );
});
