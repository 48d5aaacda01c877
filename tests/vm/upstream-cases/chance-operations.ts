/** Operations on pools, drawn by chance from few names and disks, so that they often meet what earlier ones have left. */
import * as fc from "fast-check";

export const POOLS = ["p", "q"] as const;
/** Serial numbers of the disks. */
export const DISKS = ["d0", "d1", "d2", "d3"] as const;

/** Descriptions of keys; the last one is of none that is set at first. */
export const KEYS = ["case-k0", "case-k1", "case-k2"] as const;

/** `slot`: of a token; null: left to the daemon. */
interface KeyInSlot {
  key: string;
  slot: number | null;
}

export type Operation =
  | { does: "create pool"; pool: string; disks: string[]; keys: KeyInSlot[] }
  | { does: "destroy pool" | "stop pool"; pool: string }
  | { does: "start pool"; pool: string; unlock: string | null }
  | ({ does: "bind key" | "rebind key"; pool: string } & KeyInSlot)
  | { does: "unbind key"; pool: string; slot: number | null }
  | { does: "set key" | "unset key"; key: string }
  | { does: "rename pool"; pool: string; to: string }
  | { does: "add data" | "init cache" | "add cache"; pool: string; disks: string[] }
  | { does: "create filesystem"; pool: string; name: string; size: string | null; limit: string | null }
  | { does: "snapshot filesystem" | "rename filesystem"; pool: string; name: string; to: string }
  | { does: "destroy filesystems"; pool: string; names: string[] }
  | { does: "limit filesystem"; pool: string; name: string; limit: string | null }
  | { does: "limit filesystems"; pool: string; count: string }
  | { does: "describe device"; disk: string; info: string | null }
  | { does: "schedule merge"; pool: string; name: string; wanted: boolean }
  | { does: "overprovisioning"; pool: string; wanted: boolean }
  | { does: "restart" };

/** Mostly the first one: what is asked of a pool that is not there only fails. */
const pool = fc.constantFrom(POOLS[0], POOLS[0], POOLS[0], POOLS[1]);
const name = fc.constantFrom("a", "b", "c");
const disks = fc.uniqueArray(fc.constantFrom(...DISKS), { minLength: 1, maxLength: 2 });
const size = fc.constantFrom(null, "536870912", "1073741824", "1099511627776");
const limit = fc.constantFrom(null, "1073741824", "2199023255552");

/** `weight`: of all, how many. */
const drawn = <T extends Operation>(
  weight: number,
  does: T["does"],
  rest: { [K in Exclude<keyof T, "does">]: fc.Arbitrary<T[K]> },
): { weight: number; arbitrary: fc.Arbitrary<Operation> } => ({
  weight,
  arbitrary: fc.record({ does: fc.constant(does), ...rest }) as unknown as fc.Arbitrary<Operation>,
});

const create = (weight: number, keys: fc.Arbitrary<KeyInSlot[]>): ReturnType<typeof drawn> =>
  drawn<Extract<Operation, { does: "create pool" }>>(weight, "create pool", { pool, disks, keys });
const noKeys = fc.constant<KeyInSlot[]>([]);

const plain = fc.oneof(
  create(14, noKeys),
  drawn(4, "destroy pool", { pool }),
  drawn(7, "stop pool", { pool }),
  drawn(8, "start pool", { pool, unlock: fc.constant(null) }),
  drawn(4, "rename pool", { pool, to: pool }),
  drawn(5, "add data", { pool, disks }),
  drawn(4, "init cache", { pool, disks }),
  drawn(3, "add cache", { pool, disks }),
  drawn(16, "create filesystem", { pool, name, size, limit }),
  drawn(11, "snapshot filesystem", { pool, name, to: name }),
  drawn(5, "rename filesystem", { pool, name, to: name }),
  drawn(5, "destroy filesystems", {
    pool,
    names: fc.uniqueArray(name, { minLength: 1, maxLength: 2 }),
  }),
  drawn(4, "limit filesystem", { pool, name, limit }),
  drawn(3, "limit filesystems", {
    pool,
    count: fc.constantFrom("1", "3", "100", "101", "300", "1000000000000"),
  }),
  drawn(3, "describe device", {
    disk: fc.constantFrom(...DISKS),
    info: fc.constantFrom(null, "", "shelf 3", "über"),
  }),
  drawn(6, "schedule merge", { pool, name, wanted: fc.boolean() }),
  drawn(2, "overprovisioning", { pool, wanted: fc.boolean() }),
  drawn(6, "restart", {}),
);

const key = fc.constantFrom(...KEYS);
const slot = fc.constantFrom(null, null, 0, 1, 2, 16);

const encrypted = fc.oneof(
  create(10, fc.array(fc.record({ key, slot }), { minLength: 1, maxLength: 2 })),
  create(1, noKeys),
  drawn(2, "destroy pool", { pool }),
  drawn(10, "stop pool", { pool }),
  drawn(16, "start pool", { pool, unlock: fc.constantFrom(null, "Any", "Any", "Keyring", "Clevis") }),
  drawn(3, "rename pool", { pool, to: pool }),
  drawn(3, "add data", { pool, disks }),
  drawn(4, "create filesystem", { pool, name, size, limit }),
  drawn(14, "bind key", { pool, key, slot }),
  drawn(10, "rebind key", { pool, key, slot }),
  drawn(10, "unbind key", { pool, slot }),
  drawn(4, "set key", { key }),
  drawn(4, "unset key", { key }),
  drawn(8, "restart", {}),
);

const KINDS = {
  plain: { operation: plain, keys: [] },
  encrypted: { operation: encrypted, keys: [{ key: KEYS[0], slot: null }] },
};
export type Kind = keyof typeof KINDS;

/** The same ones for the same seed; the first makes a pool of that kind. */
export const operationsOf = (kind: Kind, seed: number, count: number): Operation[] => [
  { does: "create pool", pool: POOLS[0], disks: [DISKS[0]], keys: KINDS[kind].keys },
  ...fc.sample(KINDS[kind].operation, { seed, numRuns: count }),
];
