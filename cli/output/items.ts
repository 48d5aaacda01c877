/** Things that a command creates, changes or removes, for what it prints about them. */
import type { ObjectKind } from "../errors";
import type { Json } from "../format/json";
import { hyphenated } from "../format/uuid";
import type { ManagedObject, ManagedObjects } from "../managed-objects";
import { asItems, asText } from "../values";

export interface Item {
  readonly kind: ObjectKind | "key" | "daemon";
  readonly name?: string | undefined;
  /** 32 digits. */
  readonly uuid?: string | undefined;
  /** Name of the pool that it belongs to. */
  readonly pool?: string | undefined;
  /** Path of a block device. */
  readonly device?: string | undefined;
  /** D-Bus object of something new, whose UUID and device are asked for. */
  readonly object?: string;
  /** What changes about it. */
  readonly set?: Readonly<Record<string, Json>>;
}

export interface Effects {
  readonly created?: readonly Item[];
  readonly changed?: readonly Item[];
  readonly removed?: readonly Item[];
  /** Looked at, and left as they are. */
  readonly unchanged?: readonly Item[];
}

/** In the order in which they are told. */
export const EFFECTS = ["created", "changed", "removed", "unchanged"] as const;

export const poolItem = (pool: ManagedObject, set?: Item["set"]): Item => ({
  kind: "pool",
  name: pool.maybe("Name", asText),
  uuid: pool.maybe("Uuid", asText),
  ...(set === undefined ? {} : { set }),
});

export const filesystemItem = (filesystem: ManagedObject, pool: ManagedObject, set?: Item["set"]): Item => ({
  kind: "filesystem",
  name: filesystem.maybe("Name", asText),
  uuid: filesystem.maybe("Uuid", asText),
  pool: pool.maybe("Name", asText),
  ...(set === undefined ? {} : { set }),
});

export const blockdevItem = (device: ManagedObject, pool: ManagedObject, set?: Item["set"]): Item => ({
  kind: "block device",
  device: device.maybe("PhysicalPath", asText),
  uuid: device.maybe("Uuid", asText),
  pool: pool.maybe("Name", asText),
  ...(set === undefined ? {} : { set }),
});

/** `paths` is the ao of D-Bus that tells the objects of devices that were added to a pool. */
export const newDevices = (paths: unknown, pool: string): Item[] =>
  asItems(paths).map((path) => ({ kind: "block device", object: asText(path), pool }));

/** The item with the UUID that its object has now. */
function resolved(item: Item, objects: ManagedObjects): Item {
  const { kind, object } = item;
  if (object === undefined || item.uuid !== undefined || kind === "key" || kind === "daemon") return item;
  const found = objects.all(kind).find(({ path }) => path === object);
  const uuid = found?.maybe("Uuid", asText);
  return kind === "block device"
    ? { ...item, uuid, device: found?.maybe("PhysicalPath", asText) }
    : { ...item, uuid };
}

export const resolvedEffects = (effects: Effects, objects: ManagedObjects): Effects =>
  Object.fromEntries(
    EFFECTS.map((name) => [name, (effects[name] ?? []).map((item) => resolved(item, objects))]),
  );

/** Whether something has an object whose UUID is yet to be asked for. */
export const isUnresolved = (effects: Effects): boolean =>
  EFFECTS.some((name) =>
    effects[name]?.some(({ object, uuid }) => object !== undefined && uuid === undefined),
  );

export function itemJson({ kind, name, uuid, pool, device, set }: Item): Json {
  const entries: [string, Json | undefined][] = [
    ["kind", kind === "block device" ? "blockdev" : kind],
    ["name", name],
    ["uuid", uuid === undefined ? undefined : hyphenated(uuid)],
    ["device", device],
    ["pool", pool],
    ["set", set === undefined ? undefined : new Map(Object.entries(set))],
  ];
  return new Map(entries.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}

/** The item in words: 'filesystem home in pool data'. */
export function itemText({ kind, name, uuid, pool, device }: Item): string {
  const own = name ?? device ?? (uuid === undefined ? undefined : hyphenated(uuid));
  return [kind, own, ...(pool === undefined ? [] : ["in pool", pool])]
    .filter((word) => word !== undefined)
    .join(" ");
}
