/** Operations that are drawn at random, as calls of the bus on whatever objects there are when their turn comes. */
import { Variant } from "dbus-next";
import fc from "fast-check";
import { PROPERTIES } from "../../../src/dbus/names";
import type { Pool } from "../../../src/engine/engine";
import type { SimEngine } from "../../../src/engine/sim/engine";
import { simpleUuid } from "../../../src/uuid";
import type { CallOptions } from "./client";
import { DECLARED, joined } from "./declared";
import { KEYS, nameOf } from "./simulated";
import type { Kind } from "../../../src/dbus/names";

/** Numbers to choose objects, names and revisions by. */
export interface Draw {
  readonly operation: string;
  readonly revision: number;
  readonly first: number;
  readonly second: number;
  readonly third: number;
}

/** Where the objects are; what is not there any more is drawn all the same. */
export interface Paths {
  readonly pools: readonly { path: string; pool: Pool }[];
  readonly of: (uuid: string) => string;
}

export interface Call {
  readonly member: string;
  readonly options: CallOptions;
}

const GIBI = 2n ** 30n;
const CLEVIS = JSON.stringify({ url: "u" });

const pick = <T>(list: readonly T[], index: number): T | undefined =>
  list.length === 0 ? undefined : list[index % list.length];
const must = <T>(list: readonly T[], index: number): T => {
  const found = pick(list, index);
  if (found === undefined) throw new Error("nothing to choose from");
  return found;
};
const NAMES = ["n0", "n1", "n2"];
const DEVICES = ["/dev/d0", "/dev/d1", "/dev/d2", "/dev/d3", "/dev/d4"];

/** The call of a method of the revision drawn, or of the next that has it; null when none has. */
function method(
  kind: Kind,
  path: string,
  member: string,
  revision: number,
  body: (revision: number, signature: string) => unknown[],
): Call | null {
  for (let step = 0; step < 10; step++) {
    const chosen = (revision + step) % 10;
    const name = nameOf(kind, chosen);
    const declared = DECLARED[name]?.methods.find((candidate) => candidate.name === member);
    if (declared === undefined) continue;
    const signature = joined(declared.in);
    return { member, options: { path, interface: name, signature, body: body(chosen, signature) } };
  }
  return null;
}

function setProperty(
  kind: Kind,
  path: string,
  property: string,
  revision: number,
  value: Variant<unknown>,
): Call {
  const writable = Array.from({ length: 10 }, (_, step) => nameOf(kind, (revision + step) % 10)).find(
    (name) =>
      DECLARED[name]?.properties.some((known) => known.name === property && known.access === "readwrite"),
  );
  if (writable === undefined) throw new Error(`${kind}.${property} can be written in no revision`);
  return {
    member: "Set",
    options: { path, interface: PROPERTIES, signature: "ssv", body: [writable, property, value] },
  };
}

const slotted = (count: number, first: number): [unknown[], unknown[]] => [
  KEYS.slice(0, count % 3).map((key, index) => [[count % 2 === 0, (first + index) % 15], key]),
  count >= 2 ? [[[false, 0], "tang", CLEVIS]] : [],
];

const BASE = "/org/storage/stratis3";
const INTEGRITY = [
  [false, 0n],
  [false, ""],
  [false, false],
];

function managerCall(draw: Draw, engine: SimEngine, paths: Paths): Call | null {
  const { operation, revision, first, second, third } = draw;
  const manager = (member: string, body: (revision: number, signature: string) => unknown[]) =>
    method("Manager", BASE, member, revision, body);
  const running = pick(paths.pools, first);
  const stopped = pick(engine.stoppedPools(), first);
  switch (operation) {
    case "CreatePool":
      return manager("CreatePool", (chosen) => {
        const name = must(NAMES, first);
        const devices = DEVICES.slice(0, second % 3);
        const key = [third % 2 === 1, must(KEYS, second)];
        const clevis = [third % 3 === 2, ["tang", CLEVIS]];
        if (chosen < 5) return [name, [false, 0], devices, key, clevis];
        if (chosen < 8) return [name, devices, key, clevis];
        return [name, devices, ...slotted(third, second), ...INTEGRITY];
      });
    case "DestroyPool":
      return running === undefined ? null : manager("DestroyPool", () => [running.path]);
    case "StopPool":
      if (running === undefined) return null;
      return manager("StopPool", (chosen) => {
        if (chosen < 6) return [running.path];
        return second % 2 === 0 ? [running.pool.name, "name"] : [running.pool.uuid, "uuid"];
      });
    case "StartPool":
      if (stopped === undefined) return null;
      return manager("StartPool", (chosen) => {
        const withKey = second % 2 === 1;
        const id = third % 2 === 0 && stopped.name !== null ? [stopped.name, "name"] : [stopped.uuid, "uuid"];
        if (chosen < 4) return [stopped.uuid, [withKey, "any"]];
        if (chosen < 8) return [...id, [withKey, "keyring"]];
        const unlock = [withKey, [third % 3 === 0, 1]];
        const rest = [...id, unlock, [false, 0]];
        return chosen === 8 ? rest : [...rest, third % 2 === 1];
      });
    case "UnlockPool":
      return stopped === undefined ? null : manager("UnlockPool", () => [stopped.uuid, "Any"]);
    case "RefreshState":
    case "EngineStateReport":
    case "ListKeys":
      return manager(operation, () => []);
    default:
      return null;
  }
}

function poolCall(draw: Draw, paths: Paths): Call | null {
  const { operation, revision, first, second, third } = draw;
  const found = pick(paths.pools, first);
  if (found === undefined) return null;
  const { path, pool } = found;
  const on = (member: string, body: (revision: number, signature: string) => unknown[]) =>
    method("pool", path, member, revision, body);
  const filesystem = pick(pool.filesystems(), second);
  const slot = [third % 2 === 1, second % 15];
  const devices = DEVICES.slice(second % 5, (second % 5) + 1 + (third % 2));
  const key = must(KEYS, second);
  switch (operation) {
    case "CreateFilesystems":
      return on(operation, (chosen) => {
        const size = [third % 2 === 0, String(GIBI)];
        const spec = [must(NAMES, second), size, [third % 3 === 0, String(2n ** 40n)]];
        return [[chosen < 6 ? spec.slice(0, 2) : spec]];
      });
    case "DestroyFilesystems": {
      const doomed = pool.filesystems().filter((_, index) => (second + index) % 2 === 0);
      return on(operation, () => [doomed.map(({ uuid }) => paths.of(uuid))]);
    }
    case "SnapshotFilesystem":
      if (filesystem === undefined) return null;
      return on(operation, () => [paths.of(filesystem.uuid), must(NAMES, third)]);
    case "AddDataDevs":
    case "InitCache":
    case "AddCacheDevs":
      return on(operation, () => [devices]);
    case "SetName":
      return on(operation, () => [must(NAMES, second)]);
    case "BindKeyring":
    case "RebindKeyring":
      return on(operation, (chosen) => (chosen < 8 ? [key] : [key, slot]));
    case "BindClevis":
      return on(operation, (chosen) => (chosen < 8 ? ["tang", CLEVIS] : ["tang", CLEVIS, slot]));
    case "RebindClevis":
    case "UnbindClevis":
    case "UnbindKeyring":
      return on(operation, (chosen) => (chosen < 8 ? [] : [slot]));
    case "EncryptPool":
      return on(operation, () => slotted(third, second));
    case "ReencryptPool":
    case "DecryptPool":
      return on(operation, () => []);
    case "GrowPhysicalDevice":
      return on(operation, () => [simpleUuid(must(pool.blockDevs(), second).uuid)]);
    case "Set FsLimit":
      return setProperty(
        "pool",
        path,
        "FsLimit",
        revision,
        new Variant<unknown>("t", pool.fsLimit + BigInt(second % 3)),
      );
    case "Set Overprovisioning":
      return setProperty(
        "pool",
        path,
        "Overprovisioning",
        revision,
        new Variant<unknown>("b", second % 2 === 0),
      );
    default:
      return null;
  }
}

function memberCall(draw: Draw, paths: Paths): Call | null {
  const { operation, revision, first, second, third } = draw;
  const pool = pick(paths.pools, first)?.pool;
  const filesystem = pick(pool?.filesystems() ?? [], second);
  const device = pick(pool?.blockDevs() ?? [], second);
  const info = [third % 2 === 0, third % 2 === 0 ? must(NAMES, third) : ""];
  switch (operation) {
    case "SetName of a filesystem":
      if (filesystem === undefined) return null;
      return method("filesystem", paths.of(filesystem.uuid), "SetName", revision, () => [must(NAMES, third)]);
    case "Set SizeLimit": {
      if (filesystem === undefined) return null;
      const limit = new Variant<unknown>("(bs)", [third % 2 === 0, String(2n ** BigInt(29 + (third % 13)))]);
      return setProperty("filesystem", paths.of(filesystem.uuid), "SizeLimit", revision, limit);
    }
    case "Set MergeScheduled": {
      if (filesystem === undefined) return null;
      const scheduled = new Variant<unknown>("b", third % 3 !== 0);
      return setProperty("filesystem", paths.of(filesystem.uuid), "MergeScheduled", revision, scheduled);
    }
    case "Set UserInfo":
      if (device === undefined) return null;
      return setProperty(
        "blockdev",
        paths.of(device.uuid),
        "UserInfo",
        revision,
        new Variant<unknown>("(bs)", info),
      );
    case "SetUserInfo":
      return device === undefined
        ? null
        : method("blockdev", paths.of(device.uuid), "SetUserInfo", revision, () => [info]);
    default:
      return null;
  }
}

/** The call that was drawn, or null when there is nothing that it could be made on. */
export const callOf = (draw: Draw, engine: SimEngine, paths: Paths): Call | null =>
  managerCall(draw, engine, paths) ?? poolCall(draw, paths) ?? memberCall(draw, paths);

/** Name and weight. */
export const OPERATIONS: [string, number][] = [
  ["CreatePool", 6],
  ["DestroyPool", 1],
  ["StopPool", 2],
  ["StartPool", 4],
  ["UnlockPool", 1],
  ["RefreshState", 1],
  ["EngineStateReport", 1],
  ["ListKeys", 1],
  ["CreateFilesystems", 5],
  ["DestroyFilesystems", 2],
  ["SnapshotFilesystem", 5],
  ["AddDataDevs", 2],
  ["InitCache", 2],
  ["AddCacheDevs", 2],
  ["SetName", 2],
  ["BindKeyring", 3],
  ["RebindKeyring", 2],
  ["BindClevis", 3],
  ["RebindClevis", 1],
  ["UnbindClevis", 2],
  ["UnbindKeyring", 2],
  ["EncryptPool", 2],
  ["ReencryptPool", 1],
  ["DecryptPool", 1],
  ["GrowPhysicalDevice", 1],
  ["Set FsLimit", 1],
  ["Set Overprovisioning", 1],
  ["SetName of a filesystem", 2],
  ["Set SizeLimit", 2],
  ["Set MergeScheduled", 3],
  ["Set UserInfo", 2],
  ["SetUserInfo", 1],
];

const draw: fc.Arbitrary<Draw> = fc.record({
  operation: fc.oneof(...OPERATIONS.map(([name, weight]) => ({ weight, arbitrary: fc.constant(name) }))),
  revision: fc.nat(9),
  first: fc.nat(20),
  second: fc.nat(20),
  third: fc.nat(20),
});

/** Groups of operations, most of at least `together`; those of a group are called at once. */
export const groups = (count: number, together: number): fc.Arbitrary<Draw[][]> =>
  fc.array(
    fc.oneof(
      { weight: 3, arbitrary: fc.array(draw, { minLength: together, maxLength: together }) },
      { weight: 1, arbitrary: fc.array(draw, { minLength: together + 1, maxLength: together + 3 }) },
    ),
    { minLength: count, maxLength: count, size: "max" },
  );
