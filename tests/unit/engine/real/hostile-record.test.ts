/**
 * Records with valid checksums and mutated content: refused with a DiskFormatError or EngineError, or such that no
 * table made of them reaches beyond a device or maps a sector twice. STRATIS_HOSTILE_RUNS: how many (default 20000).
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { DiskFormatError } from "../../../../src/disk/errors";
import { isJsonArray, isJsonObject, parseJson, printJson, type JsonValue } from "../../../../src/disk/json";
import { checkPoolRecord, parsePoolRecord, type PoolRecord } from "../../../../src/disk/pool-record";
import { deviceAllocator, type Headers } from "../../../../src/engine/real/backstore/allocation";
import { requireAllTaken } from "../../../../src/engine/real/backstore/cache";
import { layoutOf } from "../../../../src/engine/real/backstore/layout";
import {
  cachesubSpec,
  mdvSpec,
  metasubSpec,
  originsubSpec,
  placeholderSpec,
  thinDataSpec,
  thinMetaSpareSpec,
  thinMetaSpec,
} from "../../../../src/engine/real/backstore/tables";
import type { DmTargetLine } from "../../../../src/native";
import { EngineError } from "../../../../src/engine/errors";
import { FIXTURES } from "../../disk/vectors";
import { goldenPool } from "./pools";

const RUNS = Number(process.env["STRATIS_HOSTILE_RUNS"] ?? 20_000);
const LIMIT_MILLISECONDS = 30 * 60_000;
const POOLS = [
  ["v2_plain-disk1"],
  ["v2_two-disk1", "v2_two-disk2"],
  ["v2_cache-disk1", "v2_cache-disk2"],
  ["v1_plain-disk1"],
];

/** Values at the edges of what a field may hold, and values of other types. */
const edge = fc.oneof(
  fc.constantFrom<JsonValue>(
    0n,
    1n,
    7n,
    8192n,
    34_816n,
    12_582_912n,
    2n ** 31n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
    2n ** 64n,
    -1n,
  ),
  fc.bigInt({ min: 0n, max: 20_000_000n }) as fc.Arbitrary<JsonValue>,
  fc.constantFrom<JsonValue>(null, true, "", "a/b", "..", "x".repeat(300), [], {}, [[]], [[0n, 0n]]),
  fc.uuid() as fc.Arbitrary<JsonValue>,
);

/** One change: which of the document's places (as a fraction of them), and what to do there. */
const change = fc.record({
  place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  other: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  how: fc.constantFrom("replace", "replace", "shift", "remove", "double", "copy"),
  value: edge,
  by: fc.constantFrom(-2048n, -1n, 1n, 8n, 2048n, 1_048_576n),
});
type Change = typeof change extends fc.Arbitrary<infer C> ? C : never;

type Path = (string | number)[];

function placesOf(value: JsonValue, at: Path = []): Path[] {
  if (isJsonArray(value)) return [at, ...value.flatMap((item, index) => placesOf(item, [...at, index]))];
  if (isJsonObject(value))
    return [at, ...Object.entries(value).flatMap(([key, item]) => placesOf(item, [...at, key]))];
  return [at];
}

function valueAt(root: JsonValue, at: Path): JsonValue {
  let value: JsonValue = root;
  for (const step of at) value = (value as Record<string | number, JsonValue>)[step] ?? null;
  return value;
}

/** A copy of `root` where `at` holds what `edit` makes of it; undefined takes it away. */
function edited(
  root: JsonValue,
  at: Path,
  edit: (value: JsonValue) => JsonValue | undefined,
): JsonValue | undefined {
  const [step, ...rest] = at;
  if (step === undefined) return edit(root);
  if (isJsonArray(root))
    return root.flatMap((item, index) => {
      if (index !== step) return [item];
      const changed = edited(item, rest, edit);
      return changed === undefined ? [] : [changed];
    });
  if (!isJsonObject(root)) return root;
  return Object.fromEntries(
    Object.entries(root).flatMap(([key, item]) => {
      if (key !== step) return [[key, item] as [string, JsonValue]];
      const changed = edited(item, rest, edit);
      return changed === undefined ? [] : [[key, changed] as [string, JsonValue]];
    }),
  );
}

function apply(root: JsonValue, { place, other, how, value, by }: Change): JsonValue {
  const places = placesOf(root);
  const pick = (fraction: number): Path => places[Math.floor(fraction * places.length)] ?? [];
  const source = valueAt(root, pick(other));
  const change = (old: JsonValue): JsonValue | undefined => {
    switch (how) {
      case "replace":
        return value;
      case "shift":
        return typeof old === "bigint" ? old + by : value;
      case "remove":
        return undefined;
      case "double":
        return isJsonArray(old) ? [...old, ...old] : old;
      case "copy":
        return source;
    }
  };
  return edited(root, pick(place), change) ?? null;
}

/** Every line begins where the one before ended, and lies within `limit` sectors of its device. */
function requireSane(table: readonly DmTargetLine[], limitOf: (device: string) => bigint): bigint {
  let position = 0n;
  for (const { start, length, params } of table) {
    const [device = "", offset = ""] = params.split(" ");
    assert.equal(start, position);
    assert.ok(length > 0n && BigInt(offset) >= 0n && BigInt(offset) + length <= limitOf(device), params);
    position += length;
  }
  return position;
}

/** What set-up checks before it makes the first device. */
function accept(record: PoolRecord, headers: Headers): void {
  const layout = layoutOf(headers);
  checkPoolRecord(record, layout.version);
  const recorded = [...record.dataTier.devices, ...(record.cacheTier?.devices ?? [])];
  if (recorded.length !== headers.size || recorded.some(({ uuid }) => !headers.has(uuid)))
    throw new EngineError("not the devices that are there");
  for (const device of recorded) deviceAllocator(record, headers, device);
  if (record.cacheTier !== null) requireAllTaken(record.cacheTier, headers);
}

function requireSafeTables(record: PoolRecord, headers: Headers): void {
  const pool = [...headers.values()][0]?.poolUuid;
  assert.ok(pool !== undefined);
  const numbers = new Map([...headers.keys()].map((uuid, minor) => [uuid, { number: { major: 8, minor } }]));
  const sizes = [...headers.values()].map(({ deviceSize }) => deviceSize);
  const onDisk = (device: string): bigint => sizes[Number(device.split(":")[1])] ?? 0n;
  const [originsub, cap] = [
    { major: 253, minor: 0 },
    { major: 253, minor: 1 },
  ];
  const total = requireSane(originsubSpec(pool, record, numbers).table, onDisk);
  requireSane(placeholderSpec(pool, record, originsub).table, () => total);
  if (record.cacheTier !== null) {
    requireSane(metasubSpec(pool, record.cacheTier, numbers).table, onDisk);
    requireSane(cachesubSpec(pool, record.cacheTier, numbers).table, onDisk);
  }
  for (const spec of [thinMetaSpec, thinMetaSpareSpec, thinDataSpec, mdvSpec])
    requireSane(spec(pool, record, cap).table, () => total);
  const flex = Object.values(record.flexDevices).flat();
  const ranges = [...flex, ...record.cap.cryptMetaAllocations].sort((a, b) => Number(a.start - b.start));
  ranges.forEach(({ start }, index) => {
    const before = ranges[index - 1];
    assert.ok(
      before === undefined || before.start + before.length <= start,
      "two ranges of the cap device overlap",
    );
  });
}

for (const disks of POOLS)
  test(`mutated records of ${disks.join(" and ")}`, { timeout: LIMIT_MILLISECONDS }, () => {
    const { headers } = goldenPool(...disks);
    const dump = parseJson(readFileSync(path.join(FIXTURES, "bda", `${disks[0] ?? ""}.json`), "utf8"));
    const original = isJsonObject(dump) ? (dump["metadata"] ?? null) : null;
    const outcomes = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const text = printJson(changes.reduce(apply, original));
        let record: PoolRecord;
        try {
          record = parsePoolRecord(text);
          accept(record, headers);
        } catch (error) {
          assert.ok(error instanceof DiskFormatError || error instanceof EngineError, String(error));
          assert.notEqual(error.message, "");
          outcomes.refused += 1;
          return;
        }
        outcomes.accepted += 1;
        requireSafeTables(record, headers);
      }),
      { numRuns: Math.ceil(RUNS / POOLS.length) },
    );
    assert.ok(outcomes.accepted > 0 && outcomes.refused > outcomes.accepted, JSON.stringify(outcomes));
  });
