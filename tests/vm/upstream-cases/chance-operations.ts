/** Operations on pools, drawn by chance from few names and disks, so that they often meet what earlier ones have left. */
import * as fc from "fast-check";

export const POOLS = ["p", "q"] as const;
/** Serial numbers of the disks. */
export const DISKS = ["d0", "d1", "d2", "d3"] as const;

export type Operation =
  | { does: "create pool"; pool: string; disks: string[] }
  | { does: "destroy pool" | "stop pool" | "start pool"; pool: string }
  | { does: "rename pool"; pool: string; to: string }
  | { does: "add data" | "init cache" | "add cache"; pool: string; disks: string[] }
  | { does: "create filesystem"; pool: string; name: string; size: string | null; limit: string | null }
  | { does: "snapshot filesystem" | "rename filesystem"; pool: string; name: string; to: string }
  | { does: "destroy filesystems"; pool: string; names: string[] }
  | { does: "limit filesystem"; pool: string; name: string; limit: string | null }
  | { does: "schedule merge"; pool: string; name: string; wanted: boolean }
  | { does: "overprovisioning"; pool: string; wanted: boolean }
  | { does: "restart" };

/** Mostly the first one: what is asked of a pool that is not there only fails. */
const pool = fc.constantFrom(POOLS[0], POOLS[0], POOLS[0], POOLS[1]);
const name = fc.constantFrom("a", "b", "c");
const disks = fc.uniqueArray(fc.constantFrom(...DISKS), { minLength: 1, maxLength: 2 });
const size = fc.constantFrom(null, "536870912", "1073741824", "1099511627776");
const limit = fc.constantFrom(null, "1073741824", "2199023255552");

/** `weight`: of a hundred, how many. */
const drawn = <T extends Operation>(
  weight: number,
  does: T["does"],
  rest: { [K in Exclude<keyof T, "does">]: fc.Arbitrary<T[K]> },
): { weight: number; arbitrary: fc.Arbitrary<Operation> } => ({
  weight,
  arbitrary: fc.record({ does: fc.constant(does), ...rest }) as unknown as fc.Arbitrary<Operation>,
});

const operation = fc.oneof(
  drawn(14, "create pool", { pool, disks }),
  drawn(4, "destroy pool", { pool }),
  drawn(7, "stop pool", { pool }),
  drawn(8, "start pool", { pool }),
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
  drawn(6, "schedule merge", { pool, name, wanted: fc.boolean() }),
  drawn(2, "overprovisioning", { pool, wanted: fc.boolean() }),
  drawn(2, "restart", {}),
);

/** The same ones for the same seed; the first makes a pool. */
export const operationsOf = (seed: number, count: number): Operation[] => [
  { does: "create pool", pool: POOLS[0], disks: [DISKS[0]] },
  ...fc.sample(operation, { seed, numRuns: count }),
];
